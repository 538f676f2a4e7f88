#include "passes/export/partition.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/StringMap.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr size_t kParts = 4;  // the functions that attend, which share their products, are a quarter of a plan's code

// Functions of one part, wherever it goes, and how many ops they have.
struct Component {
  Part functions;
  int64_t ops = 0;
  size_t number = 0;  // in the order of the module
};

std::vector<Component> componentsOf(ModuleOp variant) {
  Part functions(variant.getOps<func::FuncOp>());
  llvm::StringMap<unsigned> byName;
  for (auto [i, function] : llvm::enumerate(functions)) byName[function.getName()] = i;
  llvm::EquivalenceClasses<unsigned> joined;
  std::vector<int64_t> ops(functions.size());
  for (auto [i, function] : llvm::enumerate(functions)) {
    joined.insert(i);
    function.walk([&, caller = i](Operation* op) {
      ++ops[caller];
      if (auto call = dyn_cast<func::CallOp>(op)) joined.unionSets(caller, byName.lookup(call.getCallee()));
    });
  }
  std::vector<Component> components;
  llvm::DenseMap<unsigned, size_t> componentOf;  // by the leader of the class
  for (auto [i, function] : llvm::enumerate(functions)) {
    auto [found, added] = componentOf.try_emplace(joined.getLeaderValue(i), components.size());
    if (added) components.emplace_back().number = found->second;
    components[found->second].functions.push_back(function);
    components[found->second].ops += ops[i];
  }
  return components;
}

}  // namespace

// The largest component first, each to the part that is smallest by then.
std::vector<Part> partition(ModuleOp variant) {
  std::vector<Component> components = componentsOf(variant), parts(std::min(kParts, components.size()));
  llvm::sort(components, [](const Component& x, const Component& y) { return std::pair(y.ops, x.number) < std::pair(x.ops, y.number); });
  for (const Component& component : components) {
    Component& least = *llvm::min_element(parts, [](const Component& x, const Component& y) { return x.ops < y.ops; });
    llvm::append_range(least.functions, component.functions);
    least.ops += component.ops;
  }
  std::vector<Part> result;
  for (Component& part : parts) result.push_back(std::move(part.functions));
  return result;
}

}  // namespace hsa::ir

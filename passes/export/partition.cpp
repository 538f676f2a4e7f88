#include "passes/export/partition.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr size_t kParts = 6;  // a part costs 4 ms of its own (a context, a target machine); most machines have more cores than two

struct Sized {
  func::FuncOp function;
  int64_t ops = 0;
};

std::vector<Sized> largestFirst(ModuleOp variant) {
  std::vector<Sized> functions;
  for (auto function : variant.getOps<func::FuncOp>()) {
    functions.push_back({function});
    function.walk([&](Operation*) { ++functions.back().ops; });
  }
  llvm::sort(functions, [](Sized x, Sized y) { return std::pair(y.ops, x.function.getName()) < std::pair(x.ops, y.function.getName()); });
  return functions;
}

}  // namespace

// Each to the part that is smallest by then.
std::vector<Part> partition(ModuleOp variant) {
  const std::vector<Sized> functions = largestFirst(variant);
  std::vector<Part> parts(std::min(kParts, functions.size()));
  std::vector<int64_t> ops(parts.size());
  for (const Sized& sized : functions) {
    const size_t least = llvm::min_element(ops) - ops.begin();
    parts[least].push_back(sized.function);
    ops[least] += sized.ops;
  }
  return parts;
}

}  // namespace hsa::ir

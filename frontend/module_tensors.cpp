#include "frontend/module_tensors.h"

#include <limits>

#include "frontend/import_graph.h"

namespace hsa::frontend {

using namespace mlir;

absl::StatusOr<std::string> nameOf(Attribute name, llvm::StringRef fallback) {
  if (!name) return fallback.str();
  if (auto string = dyn_cast<StringAttr>(name)) return string.getValue().str();
  return refuseModule("module_c6: hsa.name of ", fallback.str(), " is not a string");
}

absl::Status checkFits(llvm::StringRef what, std::initializer_list<int64_t> sizes) {
  for (const int64_t size : sizes) {
    if (size < 0 || size > std::numeric_limits<int32_t>::max())
      return refuseModule("module_c7: ", what.str(), " has a size of ", size, ", wanted less than 2^31");
  }
  return absl::OkStatus();
}

absl::Status addInput(Graph& graph, func::FuncOp function, const Role& role) {
  auto argument = dyn_cast<BlockArgument>(role.operand);
  if (!argument) return refuseModule("module_c3: ", role.role, " of the attention is no argument of the function");
  absl::StatusOr<std::string> name = nameOf(function.getArgAttr(argument.getArgNumber(), kNameAttr), role.fallback);
  if (!name.ok()) return name.status();
  *role.reader = *name;
  auto type = cast<RankedTensorType>(role.operand.getType());
  if (type.isDynamicDim(0) || type.isDynamicDim(2))
    return refuseModule("module_c4: ", role.role, " '", *name, "' has a dynamic number of heads or dim; only tokens may be '?'");
  if (!type.getElementType().isF32())
    return refuseModule("module_c4: ", role.role, " '", *name, "' is not f32; write f32 here, the plan takes bf16 and f16 files as well");
  if (absl::Status fits = checkFits(*name, {type.getDimSize(0), type.getDimSize(2)}); !fits.ok()) return fits;
  Tensor& input = *graph.add_inputs();
  input.set_name(*name);
  input.set_heads(type.getDimSize(0));
  input.set_dim(type.getDimSize(2));
  if (!type.isDynamicDim(1)) input.set_tokens(type.getDimSize(1));
  return absl::OkStatus();
}

}  // namespace hsa::frontend

// What the ops that change the precision of a tensor compute.
#include "dialect/hsa_ops.h"
#include "dialect/reference/frame.h"

namespace hsa::ir {

llvm::Error QuantizeOp::evaluate(reference::Frame& frame) {
  reference::Tensor narrow = frame.tensor(getWide());
  const llvm::fltSemantics& semantics = llvm::cast<mlir::FloatType>(getNarrow().getType().getElementType()).getFloatSemantics();
  for (double& value : narrow.values) {
    bool inexact = false;
    llvm::APFloat rounded(value);
    rounded.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &inexact);
    rounded.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
    value = rounded.convertToDouble();
  }
  frame.set(getNarrow(), std::move(narrow));
  return llvm::Error::success();
}

}  // namespace hsa::ir

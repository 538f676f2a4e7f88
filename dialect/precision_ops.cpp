// Verifiers, shapes and folds of the ops that change the precision of a tensor.
#include "dialect/hsa_ops.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

SmallVector<Type> QuantizeOp::getImpliedTypes() {
  return {RankedTensorType::get(getWide().getType().getShape(), getNarrow().getType().getElementType())};
}

LogicalResult QuantizeOp::verify() {
  if (failed(checkType(*this, "quantize_c1", "narrow", getNarrow().getType(), getImpliedTypes()[0]))) return failure();
  const Type wide = getWide().getType().getElementType(), narrow = getNarrow().getType().getElementType();
  if (narrow != wide && narrow.isF32())
    return emitOpError("quantize_c2: narrow is ") << narrow << " but wide is " << wide << ", wanted bf16, f16, i8 or " << wide;
  if (getCentered() && !narrow.isInteger(8)) return emitOpError("quantize_c3: narrow is ") << narrow << " and centered, wanted i8";
  return success();
}

OpFoldResult QuantizeOp::fold(FoldAdaptor) { return getWide().getType() == getType() ? getWide() : OpFoldResult(); }

}  // namespace hsa::ir

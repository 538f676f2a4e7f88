// Verifier and shapes of hsa.stream.
#include "dialect/hsa_ops.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

SmallVector<Type> StreamOp::getImpliedTypes() { return {getInit().getType()}; }

SmallVector<Type> StreamOp::getBodyTypes() {
  // The last segment may be short, so the length of a segment is never known.
  auto segmentOf = [](RankedTensorType whole) {
    return RankedTensorType::get({whole.getDimSize(0), ShapedType::kDynamic, whole.getDimSize(2)}, whole.getElementType());
  };
  const Type index = mlir::IndexType::get(getContext());
  return {index, index, segmentOf(getKey().getType()), segmentOf(getValue().getType()), getInit().getType()};
}

LogicalResult StreamOp::verifyRegions() {
  const RankedTensorType key = getKey().getType(), value = getValue().getType();
  if (!mayEqual(key.getDimSize(0), value.getDimSize(0)))
    return emitOpError("stream_c1: key has ") << key.getDimSize(0) << " kv_heads but value has " << value.getDimSize(0);
  if (!mayEqual(key.getDimSize(1), value.getDimSize(1)))
    return emitOpError("stream_c2: key has ") << key.getDimSize(1) << " tokens but value has " << value.getDimSize(1);
  if (getSegment() < 1) return emitOpError("stream_c3: segment is ") << getSegment() << ", wanted 1 or more";
  const SmallVector<Type> wanted = getBodyTypes();
  const TypeRange is = getBody().front().getArgumentTypes();
  if (!llvm::equal(is, wanted, mayBe)) return emitOpError("stream_c4: body takes (") << is << "), wanted (" << TypeRange(wanted) << ")";
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || !mayBe(yield.getCarry().getType(), getInit().getType()))
    return emitOpError("stream_c5: body yields ")
           << getBody().front().getTerminator()->getOperandTypes() << " but carries " << getInit().getType();
  return checkType(*this, "stream_c6", "partial", getPartial().getType(), getInit().getType());
}

}  // namespace hsa::ir

// Verifier and shapes of layer 0.
#include "dialect/hsa_ops.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

SmallVector<Type> AttentionOp::getImpliedTypes() {
  const RankedTensorType query = getQuery().getType(), value = getValue().getType();
  const Type f32 = Float32Type::get(getContext());
  SmallVector<Type> types{RankedTensorType::get({query.getDimSize(0), query.getDimSize(1), value.getDimSize(2)}, f32)};
  if (getLse()) types.push_back(RankedTensorType::get({query.getDimSize(0), query.getDimSize(1)}, f32));
  return types;
}

LogicalResult AttentionOp::verify() {
  if (failed(checkQueryKeyValue(*this, getQuery().getType(), getKey().getType(), getValue().getType()))) return failure();
  const SmallVector<Type> implied = getImpliedTypes();
  if (failed(checkType(*this, "attention_c6", "output", getOutput().getType(), implied[0]))) return failure();
  if (getLse() && failed(checkType(*this, "attention_c7", "lse", getLse().getType(), implied[1]))) return failure();
  return checkScale(*this, "attention_c8", getScaleAttr());
}

}  // namespace hsa::ir

// Verifiers, shapes and folds of the ops on partial results.
#include "dialect/hsa_ops.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

SmallVector<Type> EmptyPartialOp::getImpliedTypes() { return {partialOf(getQuery().getType(), getValue().getType())}; }

LogicalResult EmptyPartialOp::verify() {
  return checkType(*this, "empty_partial_c1", "partial", getPartial().getType(), getImpliedTypes()[0]);
}

SmallVector<Type> MergeOp::getImpliedTypes() { return {refine(getLhs().getType(), getRhs().getType())}; }

LogicalResult MergeOp::verify() {
  if (!mayBe(getLhs().getType(), getRhs().getType()))
    return emitOpError("merge_c1: lhs is ") << getLhs().getType() << " but rhs is " << getRhs().getType();
  return checkType(*this, "merge_c2", "merged", getMerged().getType(), getImpliedTypes()[0]);
}

// A fold must not change the type: a merge that knows more or less than its operand stays until hsa-infer-shapes has run.
OpFoldResult MergeOp::fold(FoldAdaptor) {
  if (getRhs().getDefiningOp<EmptyPartialOp>() && getLhs().getType() == getType()) return getLhs();
  if (getLhs().getDefiningOp<EmptyPartialOp>() && getRhs().getType() == getType()) return getRhs();
  return {};
}

SmallVector<Type> NormalizeOp::getImpliedTypes() {
  const PartialType partial = getPartial().getType();
  const Type f32 = Float32Type::get(getContext());
  SmallVector<Type> types{RankedTensorType::get({partial.getHeads(), partial.getQueries(), partial.getValueDim()}, f32)};
  if (getLse()) types.push_back(RankedTensorType::get({partial.getHeads(), partial.getQueries()}, f32));
  return types;
}

LogicalResult NormalizeOp::verify() {
  const SmallVector<Type> implied = getImpliedTypes();
  if (failed(checkType(*this, "normalize_c1", "output", getOutput().getType(), implied[0]))) return failure();
  if (getLse()) return checkType(*this, "normalize_c2", "lse", getLse().getType(), implied[1]);
  return success();
}

}  // namespace hsa::ir

// Verifiers and shapes of the stages of scheme softmax.
#include "dialect/hsa_ops.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

// <op>_c1 and <op>_c2 of an op that reads query and index.
static LogicalResult checkQueryIndex(Operation* op, RankedTensorType query, SplatIndexType index) {
  const StringRef name = op->getName().stripDialect();
  if (!mayEqual(query.getDimSize(2), index.getHeadDim()))
    return op->emitOpError() << name << "_c1: head_dim is " << query.getDimSize(2) << " in query but " << index.getHeadDim() << " in index";
  if (!mayDivide(index.getKvHeads(), query.getDimSize(0)))
    return op->emitOpError() << name << "_c2: " << index.getKvHeads() << " kv_heads do not divide " << query.getDimSize(0)
                             << " query heads";
  return success();
}

SmallVector<Type> SummarizeOp::getImpliedTypes() { return {indexOf(getKey().getType(), getValue().getType())}; }

LogicalResult SummarizeOp::verify() {
  if (failed(checkQueryKeyValue(*this, getQuery().getType(), getKey().getType(), getValue().getType()))) return failure();
  if (failed(checkType(*this, "summarize_c6", "index", getIndex().getType(), getImpliedTypes()[0]))) return failure();
  return checkScale(*this, "summarize_c7", getScaleAttr());
}

SmallVector<Type> ScoreOp::getImpliedTypes() { return {scoreOf(getQuery().getType(), getIndex().getType().getKeys(), getConfig())}; }

LogicalResult ScoreOp::verify() {
  if (failed(checkQueryIndex(*this, getQuery().getType(), getIndex().getType()))) return failure();
  if (failed(checkType(*this, "score_c3", "score", getScore().getType(), getImpliedTypes()[0]))) return failure();
  return checkScale(*this, "score_c4", getScaleAttr());
}

SmallVector<Type> SelectOp::getImpliedTypes() { return {openOf(getQuery().getType(), getIndex().getType().getKeys(), getConfig())}; }

LogicalResult SelectOp::verify() {
  const RankedTensorType query = getQuery().getType();
  const SplatIndexType index = getIndex().getType();
  if (failed(checkQueryIndex(*this, query, index))) return failure();
  if (failed(checkType(*this, "select_c3", "open", getOpen().getType(), getImpliedTypes()[0]))) return failure();
  if (failed(checkScale(*this, "select_c4", getScaleAttr()))) return failure();
  if (failed(checkType(*this, "select_c5", "score", getScore().getType(), scoreOf(query, index.getKeys(), getConfig())))) return failure();
  const Type near = PartialType::get(getContext(), query.getDimSize(0), query.getDimSize(1), index.getValueDim());
  if (failed(checkType(*this, "select_c6", "near", getNear().getType(), near))) return failure();
  return checkTheta(*this, "select_c7", getThetaAttr());
}

SmallVector<Type> AttendExactOp::getImpliedTypes() { return {partialOf(getQuery().getType(), getValue().getType())}; }

LogicalResult AttendExactOp::verify() {
  if (failed(checkQueryKeyValue(*this, getQuery().getType(), getKey().getType(), getValue().getType()))) return failure();
  if (failed(checkType(*this, "attend_exact_c6", "partial", getPartial().getType(), getImpliedTypes()[0]))) return failure();
  if (failed(checkScale(*this, "attend_exact_c7", getScaleAttr()))) return failure();
  if (getField() == Field::Near && (getFirst() || getTotal()))
    return emitOpError(
        "attend_exact_c8: field is near but the keys are a segment; the near field is of a whole sequence, wanted field all");
  if (getField() == Field::Near && !getConfig())
    return emitOpError("attend_exact_c9: field is near but there is no config; wanted the #hsa.config that says what is near");
  if (!getFirst() != !getTotal())
    return emitOpError("attend_exact_c10: ") << (getFirst() ? "first is given but total is not" : "total is given but first is not")
                                             << "; wanted both or none";
  return success();
}

SmallVector<Type> AttendSplatsOp::getImpliedTypes() { return {partialOf(getQuery().getType(), getValue().getType())}; }

LogicalResult AttendSplatsOp::verify() {
  const RankedTensorType query = getQuery().getType(), key = getKey().getType(), value = getValue().getType();
  if (failed(checkQueryKeyValue(*this, query, key, value))) return failure();
  if (failed(checkType(*this, "attend_splats_c6", "partial", getPartial().getType(), getImpliedTypes()[0]))) return failure();
  if (failed(checkScale(*this, "attend_splats_c7", getScaleAttr()))) return failure();
  const Type index = indexOf(key, value);
  if (failed(checkType(*this, "attend_splats_c8", "index", getIndex().getType(), index))) return failure();
  const int64_t keys = known(cast<SplatIndexType>(index).getKeys(), getIndex().getType().getKeys());
  if (failed(checkType(*this, "attend_splats_c9", "score", getScore().getType(), scoreOf(query, keys, getConfig())))) return failure();
  return checkType(*this, "attend_splats_c10", "open", getOpen().getType(), openOf(query, keys, getConfig()));
}

SmallVector<Type> AttendFusedOp::getImpliedTypes() { return {partialOf(getQuery().getType(), getValue().getType())}; }

LogicalResult AttendFusedOp::verify() {
  const RankedTensorType query = getQuery().getType(), key = getKey().getType(), value = getValue().getType();
  if (failed(checkQueryKeyValue(*this, query, key, value))) return failure();
  if (failed(checkType(*this, "attend_fused_c6", "partial", getPartial().getType(), getImpliedTypes()[0]))) return failure();
  if (failed(checkScale(*this, "attend_fused_c7", getScaleAttr()))) return failure();
  if (failed(checkType(*this, "attend_fused_c8", "index", getIndex().getType(), indexOf(key, value)))) return failure();
  if (failed(checkType(*this, "attend_fused_c9", "near", getNear().getType(), getImpliedTypes()[0]))) return failure();
  return checkTheta(*this, "attend_fused_c10", getThetaAttr());
}

}  // namespace hsa::ir

// Verifier and shapes of layer 0.
#include "dialect/hsa_ops.h"
#include "dialect/routed_check.h"
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

SmallVector<Type> RoutedAttentionOp::getImpliedTypes() {
  const RankedTensorType query = getQuery().getType();
  return {RankedTensorType::get({query.getDimSize(0), query.getDimSize(1), getValue().getType().getDimSize(2)},
                                Float32Type::get(getContext()))};
}

LogicalResult RoutedAttentionOp::verify() {
  const RankedTensorType key = getKey().getType(), center = getCenter().getType();
  if (failed(checkQueryKeyValue(*this, getQuery().getType(), key, getValue().getType()))) return failure();
  if (failed(checkType(*this, "routed_attention_c6", "output", getOutput().getType(), getImpliedTypes()[0]))) return failure();
  const int64_t kvHeads = known(key.getDimSize(0), getValue().getType().getDimSize(0)), splats = center.getDimSize(1);
  const int64_t headDim = known(key.getDimSize(2), getQuery().getType().getDimSize(2)), levels = getLevels().size();
  if (failed(checkPerSplat(*this, "routed_attention_c7", "center", getCenter(), kvHeads, splats, headDim)) ||
      failed(checkVariance(*this, "routed_attention_c8", center, getVariance())) ||
      failed(checkCovariance(*this, center, {getVariance(), getFactor(), getCholesky()})) ||
      failed(checkPerSplat(*this, "routed_attention_c9", "amplitude", getAmplitude(), kvHeads, splats, 1)) ||
      failed(checkPerSplat(*this, "routed_attention_c10", "link", getLink(), kvHeads, splats, splats)) ||
      failed(checkPerSplat(*this, "routed_attention_c11", "gate weight", getGateWeight(), kvHeads, levels, headDim)) ||
      failed(checkPerSplat(*this, "routed_attention_c11", "gate bias", getGateBias(), kvHeads, levels, 1)))
    return failure();
  if (bool(getGateWeight()) != bool(getGateBias()))
    return emitOpError("routed_attention_c11: a gate has a weight and a bias, one is missing");
  const int64_t valueDim = getValue().getType().getDimSize(2);
  if (failed(checkLevels(*this, "routed_attention_c12", "routed_attention_c13", getLevels(), getWeights(), splats)) ||
      failed(checkLevelNames(*this, "routed_attention_c63", getNamesAttr(), getLevels().size())) ||
      failed(checkValueDims(*this, "routed_attention_c64", getValueDims(), getLevels().size(), valueDim)) ||
      failed(checkAdaptLevels(*this, "routed_attention_c65", getAdaptAttr(), getLevels())) ||
      failed(checkWindow(*this, "routed_attention_c90", getWindow())))
    return failure();
  if (getWindow() && (!getCausal() || getAdapt() || (getSparse() && getSparse()->getThreshold())))
    return emitOpError("routed_attention_c90: has a window and ") << (!getCausal() ? "is not causal"
                                                                      : getAdapt() ? "adapts"
                                                                                   : "keeps by a threshold")
                                                                  << "; wanted one of them";
  if (!getAdapt()) return success();
  if (!getCausal()) return emitOpError("routed_attention_c65: adapts and is not causal, whose tokens all send before any receives");
  if (getFactor() || getCholesky())
    return emitOpError("routed_attention_c65: adapts and has covariances of low rank or full, which do not");
  return success();
}

}  // namespace hsa::ir

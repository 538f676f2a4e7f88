// Verifiers and shapes of the scheme routed, layer 1; those of hsa.routed_attention ask the same questions.
#include <cmath>
#include <limits>

#include "dialect/hsa_ops.h"
#include "dialect/routed_check.h"
#include "dialect/shape_check.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace hsa::ir {

namespace {

RankedTensorType f32Tensor(MLIRContext* context, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, Float32Type::get(context));
}

}  // namespace

LogicalResult checkLevelSizes(Operation* op, StringRef constraint, ArrayRef<int64_t> levels, int64_t splats) {
  int64_t sum = 0;
  for (auto [number, level] : llvm::enumerate(levels)) {
    if (level < 1) return op->emitOpError() << constraint << ": level " << number << " has " << level << " splats, wanted at least 1";
    sum += level;
  }
  if (!mayEqual(sum, splats))
    return op->emitOpError() << constraint << ": levels have " << sum << " splats together, the splats are " << splats;
  return success();
}

LogicalResult checkLevels(Operation* op, StringRef levelsConstraint, StringRef weightsConstraint, ArrayRef<int64_t> levels,
                          ArrayRef<double> weights, int64_t splats) {
  if (failed(checkLevelSizes(op, levelsConstraint, levels, splats))) return failure();
  if (weights.size() != levels.size())
    return op->emitOpError() << weightsConstraint << ": " << levels.size() << " levels but " << weights.size() << " weights";
  for (auto [number, weight] : llvm::enumerate(weights))
    if (!std::isfinite(weight) || weight <= 0)
      return op->emitOpError() << weightsConstraint << ": weight of level " << number << " is " << weight << ", wanted a finite number > 0";
  return success();
}

LogicalResult checkLevelNames(Operation* op, StringRef constraint, ArrayAttr names, size_t levels) {
  if (!names) return success();
  if (names.size() != levels) return op->emitOpError() << constraint << ": " << levels << " levels but " << names.size() << " names";
  llvm::StringSet<> taken;
  for (StringAttr name : names.getAsRange<StringAttr>()) {
    if (name.getValue().trim().empty()) return op->emitOpError() << constraint << ": a level has an empty name";
    if (!taken.insert(name.getValue()).second)
      return op->emitOpError() << constraint << ": two levels are named '" << name.getValue() << "'";
  }
  return success();
}

LogicalResult checkValueDims(Operation* op, StringRef constraint, std::optional<ArrayRef<int64_t>> valueDims, size_t levels,
                             int64_t valueDim) {
  if (!valueDims) return success();
  if (valueDims->size() != levels)
    return op->emitOpError() << constraint << ": " << levels << " levels but " << valueDims->size() << " value_dims";
  int64_t most = ShapedType::isDynamic(valueDim) ? std::numeric_limits<int64_t>::max() : valueDim;
  for (auto [level, dims] : llvm::enumerate(*valueDims)) {
    if (dims < 1 || dims > most)
      return op->emitOpError() << constraint << ": level " << level << " keeps " << dims << " value dims, wanted 1 to " << most;
    most = dims;
  }
  return success();
}

LogicalResult checkAdaptLevels(Operation* op, StringRef constraint, AdaptAttr adapt, ArrayRef<int64_t> levels) {
  if (!adapt) return success();
  for (auto [level, splats] : llvm::enumerate(levels))
    if (splats < adapt.getLeastSplats())
      return op->emitOpError() << constraint << ": adapt keeps " << adapt.getLeastSplats() << " splats, level " << level << " has "
                               << splats;
  if (adapt.getAsleep() >= static_cast<int64_t>(levels.size()))
    return op->emitOpError() << constraint << ": adapt lets " << adapt.getAsleep() << " levels sleep of " << levels.size()
                             << ", wanted one awake";
  return success();
}

LogicalResult checkWindow(Operation* op, StringRef constraint, std::optional<uint64_t> window) {
  if (!window || (*window > 0 && *window % 512 == 0 && *window <= (1u << 30))) return success();
  return op->emitOpError() << constraint << ": window is " << *window << ", wanted a multiple of 512, at most 2^30";
}

LogicalResult checkVariance(Operation* op, StringRef constraint, RankedTensorType center, Value variance) {
  if (!variance) return success();
  const auto type = cast<RankedTensorType>(variance.getType());
  const int64_t bands = type.getDimSize(2), dims = center.getDimSize(2);
  if (ShapedType::isDynamic(bands) || ShapedType::isDynamic(dims)) return success();
  const bool empty = bands < 1 || bands > dims || (bands - 1) * llvm::divideCeilSigned(dims, bands) >= dims;
  if (empty)
    return op->emitOpError() << constraint << ": variance has " << bands << " entries, wanted 1, " << dims
                             << " or a number of bands of which none of the " << dims << " dimensions leaves one empty";
  return checkType(op, constraint, "variance", type, f32Tensor(op->getContext(), {center.getDimSize(0), center.getDimSize(1), bands}));
}

LogicalResult checkCovariance(Operation* op, RankedTensorType center, const CovarianceValues& covariance) {
  const std::string name = op->getName().stripDialect().str();
  if (bool(covariance.variance) == bool(covariance.cholesky))
    return op->emitOpError() << name << "_c60: has "
                             << (covariance.variance ? "a variance and cholesky" : "neither a variance nor cholesky")
                             << ", wanted one of them";
  const int64_t heads = center.getDimSize(0), splats = center.getDimSize(1), dims = center.getDimSize(2);
  const auto rowsFor = [&](int64_t each) {
    return ShapedType::isDynamic(splats) || ShapedType::isDynamic(each) ? ShapedType::kDynamic : splats * each;
  };
  if (covariance.factor) {
    const auto type = cast<RankedTensorType>(covariance.factor.getType());
    const int64_t rows = type.getDimSize(1);
    const int64_t rank =
        ShapedType::isDynamic(rows) || ShapedType::isDynamic(splats) ? ShapedType::kDynamic : rows / std::max<int64_t>(splats, 1);
    if (covariance.cholesky || (!ShapedType::isDynamic(rank) && (rank < 1 || rank > kMostFactorRows)))
      return op->emitOpError() << name << "_c61: factor " << type
                               << (covariance.cholesky ? " stands beside cholesky, wanted a variance"
                                                       : ", wanted 1 to 16 rows for each splat");
    if (failed(checkPerSplat(op, name + "_c61", "factor", covariance.factor, heads, rowsFor(rank), dims))) return failure();
  }
  return checkPerSplat(op, name + "_c62", "cholesky", covariance.cholesky, heads, rowsFor(dims), dims);
}

LogicalResult checkPerSplat(Operation* op, StringRef constraint, StringRef name, Value tensor, int64_t kvHeads, int64_t splats,
                            int64_t entries) {
  if (!tensor) return success();
  return checkType(op, constraint, name, tensor.getType(), f32Tensor(op->getContext(), {kvHeads, splats, entries}));
}

// Known of the centers, or of the variances.
static int64_t splatsOf(TypedValue<RankedTensorType> center, TypedValue<RankedTensorType> variance) {
  const int64_t splats = center.getType().getDimSize(1);
  return variance ? known(splats, variance.getType().getDimSize(1)) : splats;
}

SmallVector<Type> AffinityOp::getImpliedTypes() {
  const RankedTensorType tokens = getTokens().getType();
  const int64_t splats = splatsOf(getCenter(), getVariance());
  return {f32Tensor(getContext(), {tokens.getDimSize(0), tokens.getDimSize(1), splats})};
}

LogicalResult AffinityOp::verify() {
  const RankedTensorType tokens = getTokens().getType(), center = getCenter().getType();
  if (!mayEqual(tokens.getDimSize(2), center.getDimSize(2)))
    return emitOpError("affinity_c1: head_dim is ") << tokens.getDimSize(2) << " in tokens but " << center.getDimSize(2) << " in center";
  int64_t kvHeads = center.getDimSize(0);
  if (getVariance()) {
    const RankedTensorType variance = getVariance().getType();
    if (!mayEqual(center.getDimSize(0), variance.getDimSize(0)) || !mayEqual(center.getDimSize(1), variance.getDimSize(1)))
      return emitOpError("affinity_c2: center is ") << center << " but variance is " << variance;
    kvHeads = known(kvHeads, variance.getDimSize(0));
  }
  if (failed(checkVariance(*this, "affinity_c3", center, getVariance()))) return failure();
  if (!mayDivide(kvHeads, tokens.getDimSize(0)))
    return emitOpError("affinity_c4: ") << kvHeads << " kv_heads do not divide " << tokens.getDimSize(0) << " heads of tokens";
  if (failed(checkType(*this, "affinity_c5", "affinity", getAffinity().getType(), getImpliedTypes()[0]))) return failure();
  return checkCovariance(*this, center, {getVariance(), getFactor(), getCholesky()});
}

SmallVector<Type> LinksOp::getImpliedTypes() {
  int64_t splats = 0, kvHeads = ShapedType::kDynamic;
  for (int64_t level : getLevels()) splats += level;
  for (Value factor : getFactors()) kvHeads = known(kvHeads, cast<RankedTensorType>(factor.getType()).getDimSize(0));
  return {f32Tensor(getContext(), {kvHeads, splats, splats})};
}

LogicalResult LinksOp::verify() {
  const ArrayRef<int64_t> levels = getLevels(), ranks = getRanks();
  for (auto [number, level] : llvm::enumerate(levels))
    if (level < 1) return emitOpError("links_c1: level ") << number << " has " << level << " splats, wanted at least 1";
  if (ranks.empty() || getFrom().size() != ranks.size() || getTo().size() != ranks.size())
    return emitOpError("links_c2: ") << getFrom().size() << " from, " << getTo().size() << " to and " << ranks.size()
                                     << " ranks, wanted one of each per link";
  const RankedTensorType link = cast<RankedTensorType>(getImpliedTypes()[0]);
  unsigned factor = 0;
  for (auto [from, to, rank] : llvm::zip_equal(getFrom(), getTo(), ranks)) {
    const int64_t count = static_cast<int64_t>(levels.size());
    if (from < 0 || to < 0 || from >= count || to >= count || from == to)
      return emitOpError("links_c2: a link leads from level ") << from << " to level " << to << ", wanted two of " << count;
    const unsigned factors = rank == 0 ? 1 : 2;
    if (rank < 0 || factor + factors > getFactors().size())
      return emitOpError("links_c3: has ") << getFactors().size() << " factors, wanted one for each link of rank 0 and two for the others";
    const int64_t heads = link.getDimSize(0), inner = rank == 0 ? levels[from] : rank;
    if (failed(checkPerSplat(*this, "links_c4", rank == 0 ? "weight" : "expand", getFactors()[factor], heads, levels[to], inner)))
      return failure();
    if (rank > 0 && failed(checkPerSplat(*this, "links_c4", "compress", getFactors()[factor + 1], heads, rank, levels[from])))
      return failure();
    factor += factors;
  }
  if (factor != getFactors().size()) return emitOpError("links_c3: has ") << getFactors().size() << " factors, its ranks want " << factor;
  return checkType(*this, "links_c5", "link", getLink().getType(), link);
}

SmallVector<Type> FlowOp::getImpliedTypes() {
  const RankedTensorType affinity = getAffinity().getType(), link = getLink().getType();
  return {f32Tensor(getContext(), {known(affinity.getDimSize(0), link.getDimSize(0)), affinity.getDimSize(1),
                                   known(affinity.getDimSize(2), link.getDimSize(1))})};
}

LogicalResult FlowOp::verify() {
  const RankedTensorType affinity = getAffinity().getType();
  const int64_t splats = affinity.getDimSize(2);
  if (failed(checkPerSplat(*this, "flow_c1", "link", getLink(), affinity.getDimSize(0), splats, splats))) return failure();
  return checkType(*this, "flow_c2", "sent", getSent().getType(), getImpliedTypes()[0]);
}

SmallVector<Type> SendOp::getImpliedTypes() {
  const RankedTensorType sent = getSent().getType(), value = getValue().getType();
  return {PartialType::get(getContext(), known(sent.getDimSize(0), value.getDimSize(0)), sent.getDimSize(2), value.getDimSize(2))};
}

LogicalResult SendOp::verify() {
  const RankedTensorType sent = getSent().getType(), value = getValue().getType();
  if (!mayEqual(sent.getDimSize(0), value.getDimSize(0)))
    return emitOpError("send_c1: sent has ") << sent.getDimSize(0) << " kv_heads but value has " << value.getDimSize(0);
  if (!mayEqual(sent.getDimSize(1), value.getDimSize(1)))
    return emitOpError("send_c2: sent has ") << sent.getDimSize(1) << " tokens but value has " << value.getDimSize(1);
  return checkType(*this, "send_c3", "state", getState().getType(), getImpliedTypes()[0]);
}

SmallVector<Type> GateOp::getImpliedTypes() {
  const RankedTensorType query = getQuery().getType();
  const int64_t levels = known(getWeight().getType().getDimSize(1), getBias().getType().getDimSize(1));
  return {f32Tensor(getContext(), {query.getDimSize(0), query.getDimSize(1), levels})};
}

LogicalResult GateOp::verify() {
  const RankedTensorType query = getQuery().getType(), weight = getWeight().getType();
  if (!mayEqual(query.getDimSize(2), weight.getDimSize(2)))
    return emitOpError("gate_c1: head_dim is ") << query.getDimSize(2) << " in query but " << weight.getDimSize(2) << " in weight";
  if (!mayDivide(weight.getDimSize(0), query.getDimSize(0)))
    return emitOpError("gate_c2: ") << weight.getDimSize(0) << " kv_heads do not divide " << query.getDimSize(0) << " query heads";
  if (failed(checkPerSplat(*this, "gate_c3", "bias", getBias(), weight.getDimSize(0), weight.getDimSize(1), 1))) return failure();
  return checkType(*this, "gate_c4", "gate", getGate().getType(), getImpliedTypes()[0]);
}

// receive and receive_causal: constraints <op>_c1, _c2 and _c4 to _c7 about splats of `kvHeads` kv_heads.
template <typename Op>
static LogicalResult checkReceive(Op op, int64_t kvHeads, int64_t splats) {
  const std::string name = op->getName().stripDialect().str();
  const RankedTensorType affinity = op.getAffinity().getType();
  if (failed(checkLevels(op, name + "_c1", name + "_c2", op.getLevels(), op.getWeights(), splats))) return failure();
  if (!mayDivide(kvHeads, affinity.getDimSize(0)))
    return op->emitOpError() << name << "_c4: " << kvHeads << " kv_heads do not divide " << affinity.getDimSize(0) << " query heads";
  if (failed(checkPerSplat(op, name + "_c5", "amplitude", op.getAmplitude(), kvHeads, splats, 1))) return failure();
  if (failed(checkPerSplat(op, name + "_c6", "gate", op.getGate(), affinity.getDimSize(0), affinity.getDimSize(1),
                           static_cast<int64_t>(op.getLevels().size()))))
    return failure();
  const int64_t valueDim = cast<RankedTensorType>(op.getImpliedTypes()[0]).getDimSize(2);
  if (failed(checkLevelNames(op, name + "_c63", op.getNamesAttr(), op.getLevels().size())) ||
      failed(checkValueDims(op, name + "_c64", op.getValueDims(), op.getLevels().size(), valueDim)))
    return failure();
  return checkType(op, name + "_c7", "output", op.getOutput().getType(), op.getImpliedTypes()[0]);
}

SmallVector<Type> ReceiveOp::getImpliedTypes() {
  const RankedTensorType affinity = getAffinity().getType();
  return {f32Tensor(getContext(), {affinity.getDimSize(0), affinity.getDimSize(1), getState().getType().getValueDim()})};
}

LogicalResult ReceiveOp::verify() {
  const PartialType state = getState().getType();
  const int64_t splats = getAffinity().getType().getDimSize(2);
  if (!mayEqual(splats, state.getQueries()))
    return emitOpError("receive_c3: affinity has ") << splats << " splats but state has " << state.getQueries();
  return checkReceive(*this, state.getHeads(), known(splats, state.getQueries()));
}

SmallVector<Type> ReceiveCausalOp::getImpliedTypes() {
  const RankedTensorType affinity = getAffinity().getType();
  return {f32Tensor(getContext(), {affinity.getDimSize(0), affinity.getDimSize(1), getValue().getType().getDimSize(2)})};
}

LogicalResult ReceiveCausalOp::verify() {
  const RankedTensorType sent = getSent().getType(), value = getValue().getType();
  const int64_t splats = getAffinity().getType().getDimSize(2);
  if (!mayEqual(splats, sent.getDimSize(2)))
    return emitOpError("receive_causal_c3: affinity has ") << splats << " splats but sent has " << sent.getDimSize(2);
  if (!mayEqual(sent.getDimSize(0), value.getDimSize(0)) || !mayEqual(sent.getDimSize(1), value.getDimSize(1)))
    return emitOpError("receive_causal_c8: sent is ") << sent << " but value is " << value;
  if (failed(checkAdaptLevels(*this, "receive_causal_c65", getAdaptAttr(), getLevels())) ||
      failed(checkWindow(*this, "receive_causal_c90", getWindow())))
    return failure();
  return checkReceive(*this, known(sent.getDimSize(0), value.getDimSize(0)), known(splats, sent.getDimSize(2)));
}

}  // namespace hsa::ir

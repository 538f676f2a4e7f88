#include "passes/tile_routed.h"

#include "dialect/shape_check.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "passes/build_schedule.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// What a schedule needs of the stages of one routed attention: they are found from its last one.
struct Routed {
  Operation* receive = nullptr;
  AffinityOp received = {}, sent = {};
  LinksOp links = {};
  Value value = {}, amplitude = {}, gate = {};
  DenseI64ArrayAttr levels = {};
  DenseF64ArrayAttr weights = {};
  SparseAttr keep = {};
  ArrayAttr names = {};
  DenseI64ArrayAttr valueDims = {};
  AdaptAttr adapt = {};
  IntegerAttr window = {};
  bool causal = false;
};

// The hsa.affinity behind a value, and what is kept of it.
std::pair<AffinityOp, SparseAttr> affinityOf(Value affinity) {
  auto sparsify = affinity.getDefiningOp<SparsifyOp>();
  if (!sparsify) return {affinity.getDefiningOp<AffinityOp>(), SparseAttr()};
  return {sparsify.getAffinity().getDefiningOp<AffinityOp>(), sparsify.getKeep()};
}

// Levels that keep fewer value dims than those before keep whole columns of a kernel; their splats begin a tile, unless tokens meet splats one by one.
LogicalResult checkValueRanges(const Routed& routed) {
  if (!routed.valueDims) return success();
  int64_t first = 0, before = routed.value ? cast<RankedTensorType>(routed.value.getType()).getDimSize(2) : 0;
  for (auto [level, splats, dims] : llvm::enumerate(routed.levels.asArrayRef(), routed.valueDims.asArrayRef())) {
    if (dims != before && (dims % kPanelKeys != 0 || (!routed.keep && first % kSplatTile != 0)))
      return routed.receive->emitOpError("keeps ") << dims << " value dims on level " << level << ", which begins at splat " << first
                                                   << "; a plan wants multiples of " << kPanelKeys << " and of " << kSplatTile;
    first += splats, before = dims;
  }
  return success();
}

FailureOr<Routed> routedOf(Operation* op) {
  Routed routed{.receive = op};
  Value received, sent;
  if (auto receive = dyn_cast<ReceiveOp>(op)) {
    auto send = receive.getState().getDefiningOp<SendOp>();
    if (!send) return op->emitOpError("receives a state that no hsa.send of this function makes; a plan makes its state itself");
    received = receive.getAffinity(), sent = send.getSent(), routed.value = send.getValue();
    routed.amplitude = receive.getAmplitude(), routed.gate = receive.getGate();
    routed.levels = receive.getLevelsAttr(), routed.weights = receive.getWeightsAttr();
    routed.names = receive.getNamesAttr(), routed.valueDims = receive.getValueDimsAttr();
  } else {
    auto prefix = cast<ReceiveCausalOp>(op);
    received = prefix.getAffinity(), sent = prefix.getSent(), routed.value = prefix.getValue();
    routed.amplitude = prefix.getAmplitude(), routed.gate = prefix.getGate();
    routed.levels = prefix.getLevelsAttr(), routed.weights = prefix.getWeightsAttr();
    routed.names = prefix.getNamesAttr(), routed.valueDims = prefix.getValueDimsAttr(), routed.adapt = prefix.getAdaptAttr();
    routed.window = prefix.getWindowAttr();
    routed.causal = true;
  }
  if (auto flow = sent.getDefiningOp<FlowOp>()) {
    routed.links = flow.getLink().getDefiningOp<LinksOp>();
    if (!routed.links) return op->emitOpError("has an hsa.flow whose link is not made by hsa.links; a plan reads the weight of each link");
    sent = flow.getAffinity();
  }
  if (routed.gate && !routed.gate.getDefiningOp<GateOp>())
    return op->emitOpError("has a gate that no hsa.gate of this function makes; a plan reads its weight and bias");
  SparseAttr sentKeep;
  std::tie(routed.received, routed.keep) = affinityOf(received), std::tie(routed.sent, sentKeep) = affinityOf(sent);
  if (routed.keep != sentKeep)
    return op->emitOpError("keeps other affinities of its queries than of its keys, which this version interprets and does not compile");
  if (failed(checkValueRanges(routed))) return failure();
  if (!routed.received || !routed.sent || routed.received.getCenter() != routed.sent.getCenter() ||
      routed.received.getVariance() != routed.sent.getVariance() || routed.received.getFactor() != routed.sent.getFactor() ||
      routed.received.getCholesky() != routed.sent.getCholesky())
    return op->emitOpError("wants an hsa.affinity of its queries and one of its keys, to the same splats");
  return routed;
}

// The tensor of a covariance that is not diagonal, and how many rows of it a splat has.
struct Factor {
  Value tensor = {};
  const char* role = "";
  int64_t rows = 0;
};
Factor factorOf(AffinityOp affinity) {
  const RankedTensorType center = affinity.getCenter().getType();
  if (affinity.getCholesky()) return {affinity.getCholesky(), "cholesky", center.getDimSize(2)};
  if (!affinity.getFactor()) return {};
  const int64_t rows = affinity.getFactor().getType().getDimSize(1), splats = center.getDimSize(1);
  const bool fixed = !ShapedType::isDynamic(rows) && !ShapedType::isDynamic(splats);
  return {affinity.getFactor(), "factor", fixed ? rows / splats : ShapedType::kDynamic};
}

}  // namespace

LogicalResult tileRouted(func::FuncOp function, Operation* receive, TensorNamer nameOf) {
  const FailureOr<Routed> found = routedOf(receive);
  if (failed(found)) return failure();
  Routed routed = *found;
  const RankedTensorType query = routed.received.getTokens().getType(), key = routed.sent.getTokens().getType();
  const auto value = cast<RankedTensorType>(routed.value.getType());
  const Factor factor = factorOf(routed.received);
  const int64_t dims[] = {query.getDimSize(0),
                          key.getDimSize(0),
                          query.getDimSize(2),
                          value.getDimSize(2),
                          routed.received.getVariance() ? routed.received.getVariance().getType().getDimSize(2) : 0,
                          factor.rows};
  if (llvm::is_contained(dims, ShapedType::kDynamic))
    return receive->emitOpError(
        "has dynamic heads or dims; kernels are compiled for fixed ones: give query, value, center, variance and factor static sizes");
  OpBuilder b(function);
  auto i64 = [&](int64_t v) { return b.getI64IntegerAttr(v); };
  auto fixed = [&](int64_t tokens) { return ShapedType::isDynamic(tokens) ? IntegerAttr() : i64(tokens); };
  const std::string center = nameOf(routed.received.getCenter(), "center"),
                    spread = routed.received.getVariance() ? nameOf(routed.received.getVariance(), "variance") : "",
                    amplitude = routed.amplitude ? nameOf(routed.amplitude, "amplitude") : "";
  auto name = [&](Value tensor, StringRef otherwise) { return b.getStringAttr(nameOf(tensor, otherwise)); };
  auto names = [&](ValueRange tensors) {
    SmallVector<Attribute> all;
    for (Value tensor : tensors) all.push_back(name(tensor, "link"));
    return b.getArrayAttr(all);
  };
  auto gate = routed.gate ? routed.gate.getDefiningOp<GateOp>() : GateOp();
  LinksOp links = routed.links;
  auto schedule = ScheduleOp::create(
      b, function.getLoc(), b.getStringAttr(function.getName()), name(routed.received.getTokens(), "q"), name(routed.sent.getTokens(), "k"),
      name(routed.value, "v"), name(receive->getResult(0), "o"), i64(dims[0]), i64(dims[1]), i64(dims[2]), i64(dims[3]),
      b.getF64FloatAttr(1), MaskAttr::get(b.getContext(), routed.causal, /*slidingWindow=*/0, /*sinkTokens=*/0),
      ConfigAttr::getDefault(b.getContext()), fixed(query.getDimSize(1)), fixed(known(key.getDimSize(1), value.getDimSize(1))), TypeAttr(),
      routed.levels, routed.weights, b.getStrArrayAttr({center, spread, amplitude}), i64(dims[4]),
      factor.tensor ? name(factor.tensor, factor.role) : StringAttr(), factor.tensor ? i64(factor.rows) : IntegerAttr(),
      gate ? names({gate.getWeight(), gate.getBias()}) : ArrayAttr(), links ? names(links.getFactors()) : ArrayAttr(),
      links ? links.getFromAttr() : DenseI64ArrayAttr(), links ? links.getToAttr() : DenseI64ArrayAttr(),
      links ? links.getRanksAttr() : DenseI64ArrayAttr(), routed.keep, routed.names, routed.valueDims, routed.adapt, routed.window);
  function.erase();
  buildStages(schedule);
  return success();
}

}  // namespace hsa::ir

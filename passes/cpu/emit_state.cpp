// A state of scheme routed: what all tokens send to it, and what those who receive need of it.
#include "passes/cpu/affinity_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/receivers.h"
#include "passes/cpu/splat_ranges.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

// Splats are the rows of an attention whose scores are affinities: (max, sum, acc) of 64 of them over all tokens, then the next 64. Their sums stay in the
// first-level cache while the tokens go by.
void emitSend(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], values = arguments[1], bias = arguments[2], norm = e.params.isotropic ? arguments[5] : Value();
  SplatFactors splats{arguments[3], arguments[4]};
  if (norm) splats.product = arguments[6], splats.terms = arguments[7], splats.limit = arguments[8];
  if (e.params.factorRows > 0) splats.factor = arguments[5];
  const ValueRange outs = arguments.take_back(4);
  Value scores = outs[3];
  forEachSplatTile(e, [&](Value splat, int64_t kept) {
    const int64_t columns = e.params.passesOnState ? e.params.paddedValueDim : kept;
    auto rows = [&](Value memref) { return e.slice(memref, splat, kSplatTile); };
    const TileState state{rows(outs[0]), rows(outs[1]), rows(outs[2])};
    const SplatFactors here = rowsOfTile(e, splats, splat);
    e.forEach(e.index(0), e.dim(keys, 0), kBatchPanels, [&](Value panel) {
      auto batch = [&](Value memref) { return e.slice(memref, panel, kBatchPanels); };
      callAffinityOfSplats(e, here, {batch(keys), batch(bias), norm ? batch(norm) : Value()}, scores);
      callSoftmaxBatch(e, scores, state);
      callValueColumns(e, scores, batch(values), state.acc, 0, columns);
    });
  });
}

// receive_bias = log2(w a) + max, receive_mass = Σ of the lanes of sum.
void emitSettleState(KernelEmitter& e, ValueRange arguments) {
  Value max = arguments[0], sum = arguments[1], weight = arguments[2], bias = arguments[3], mass = arguments[4];
  e.forEach(e.params.splats, e.lanes(), [&](Value s) { e.store(e.add(e.load(weight, {s}), e.load(max, {s})), bias, {s}); });
  e.forEach(e.params.splats, 1, [&](Value s) { e.set(e.sumOfLanes(sum, s), mass, {s}); });
}

// The same turned round: queries are the rows, splats what they attend to.
void emitReceive(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], bias = arguments[3], mass = arguments[4], sent = arguments[5];
  const ValueRange outs = arguments.take_back(4);
  const Receivers receivers = receiversOf(e, arguments[1], arguments[2], arguments.drop_front(7).drop_back(4));
  const TileState rows{outs[0], outs[1], outs[2]};
  Value scores = outs[3];
  const auto receiveTile = [&](Value splat, int64_t columns) {
    emitReceiverScores(e, query, receivers, splat, bias, scores);
    callReceiveWeights(e, scores, e.slice(mass, splat, kSplatTile), rows, {});
    Value values = e.slice(sent, splat, kSplatTile);
    callValueColumns(e, scores, e.reshape(values, {kBatchPanels, kPanelKeys, e.params.paddedValueDim}), rows.acc, 0, columns);
  };
  forEachSplatTile(e, receiveTile, [](int64_t, int64_t) {}, spanOf(e, arguments[6]));
}

}  // namespace hsa::ir

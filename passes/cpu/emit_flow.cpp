// Flow between the levels of scheme routed: what splats were sent is passed on along links (docs/spec.md, "Routed"). Links lie in tiles of 64 × 64 splats, in
// log2 units; tiles without a link are not there, those of the diagonal always are.
#include <cmath>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/affinity_batch.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// One tile of links: which splats it leads to, and from which.
struct LinkTile {
  Value tile, to, from;
};

void forEachLinkTile(KernelEmitter& e, Value tiles, Value index, function_ref<void(const LinkTile&)> body) {
  e.forEach(e.index(0), e.dim(tiles, 0), 1, [&](Value tile) {
    auto splat = [&](int64_t side) { return e.mulIndex(e.toIndex(e.get(index, {tile, e.index(side)})), kSplatTile); };
    body({tile, splat(0), splat(1)});
  });
}

TileState rowsOf(KernelEmitter& e, const TileState& state, Value first) {
  auto rows = [&](Value memref) { return e.slice(memref, first, kSplatTile); };
  return {rows(state.max), rows(state.sum), rows(state.acc)};
}

// log2 F + own_max of the splats that a row of a tile gets from, in vectors.
Value linkScore(KernelEmitter& e, Value tiles, const LinkTile& link, Value row, int64_t column, Value ownMax) {
  return e.add(e.load(tiles, {link.tile, row, e.index(column)}), e.load(ownMax, {e.addIndex(link.from, e.index(column))}));
}

// The max of a splat is at least what its links bring it.
void emitRaiseRows(KernelEmitter& e, Value tiles, const LinkTile& link, Value ownMax, const TileState& state) {
  e.forEach(kSplatTile, 1, [&](Value row) {
    Value top = linkScore(e, tiles, link, row, 0, ownMax);
    for (int64_t c = e.lanes(); c < kSplatTile; c += e.lanes()) top = e.max(top, linkScore(e, tiles, link, row, c, ownMax));
    Value peak = e.reduceMax(top), oldMax = e.get(state.max, {row});
    Value grows = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, peak, oldMax);
    e.when(grows, [&] { emitRescaleRow(e, row, oldMax, peak, state); });
  });
}

// own_max follows where the chunk's tokens were much nearer than anything before.
void emitFollowRow(KernelEmitter& e, Value splat, Value ownSent, Value ownMax) {
  Value top = e.f32s(0);
  for (int64_t c = 0; c < kBatchKeys; c += e.lanes()) top = e.max(top, e.load(ownSent, {splat, e.index(c)}));
  Value peak = e.reduceMax(top);
  e.when(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, peak, e.f32(std::exp2(kLazyRescale))),
         [&] { e.set(e.add(e.get(ownMax, {splat}), e.reduceMax(e.log2(e.spread(peak)))), ownMax, {splat}); });
}

// What a level does not keep of the values is 0.
void emitDropColumns(KernelEmitter& e, Value acc) {
  int64_t begin = 0;
  for (const auto& range : e.params.ranges) {
    e.forEach(e.index(begin), e.index(range.end), 1, [&](Value splat) {
      for (int64_t c = range.columns; c < e.params.paddedValueDim; c += e.lanes()) e.store(e.f32s(0), acc, {splat, e.index(c)});
    });
    begin = range.end;
  }
}

}  // namespace

// Splats are rows of an attention over splats, whose scores are links.
void emitFlowState(KernelEmitter& e, ValueRange arguments) {
  Value tiles = arguments[0], index = arguments[1], scores = arguments[8];
  const TileState own{arguments[2], arguments[3], arguments[4]}, state{arguments[5], arguments[6], arguments[7]};
  e.forEach(e.params.splats, 1, [&](Value splat) {
    e.set(e.f32(kNothingSent), state.max, {splat});
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) e.store(e.f32s(0), state.sum, {splat, e.index(c)});
    e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) { e.store(e.f32s(0), state.acc, {splat, c}); });
  });
  Value mass = e.local({kSplatTile});
  forEachLinkTile(e, tiles, index, [&](const LinkTile& link) {
    e.forEach(kSplatTile, 1, [&](Value row) {
      e.set(e.sumOfLanes(own.sum, e.addIndex(link.from, row)), mass, {row});
      for (int64_t c = 0; c < kSplatTile; c += e.lanes()) e.store(linkScore(e, tiles, link, row, c, own.max), scores, {row, e.index(c)});
    });
    const TileState rows = rowsOf(e, state, link.to);
    callReceiveWeights(e, scores, mass, rows, {});
    Value source = e.slice(own.acc, link.from, kSplatTile);
    callValueBatch(e, scores, e.reshape(source, {kBatchPanels, kPanelKeys, e.params.paddedValueDim}), rows.acc);
  });
  emitDropColumns(e, state.acc);
}

void emitFlowChunk(KernelEmitter& e, ValueRange arguments) {
  Value tiles = arguments[0], index = arguments[1], ownSent = arguments[2], ownMax = arguments[3], sent = arguments[7],
        scores = arguments[8];
  const TileState state{arguments[4], arguments[5], arguments[6]};
  forEachLinkTile(e, tiles, index, [&](const LinkTile& link) { emitRaiseRows(e, tiles, link, ownMax, rowsOf(e, state, link.to)); });
  e.forEach(e.params.splats, 1,
            [&](Value splat) { e.forEach(kBatchKeys, e.lanes(), [&](Value c) { e.store(e.f32s(0), sent, {splat, c}); }); });
  forEachLinkTile(e, tiles, index, [&](const LinkTile& link) {
    e.forEach(kSplatTile, 1, [&](Value row) {
      Value max = e.spread(e.get(state.max, {e.addIndex(link.to, row)}));
      for (int64_t c = 0; c < kSplatTile; c += e.lanes())
        e.store(e.exp2(e.sub(linkScore(e, tiles, link, row, c, ownMax), max)), scores, {row, e.index(c)});
    });
    callPairBatch(e, scores, e.slice(ownSent, link.from, kSplatTile), e.slice(sent, link.to, kSplatTile));
  });
  e.forEach(e.params.splats, 1, [&](Value splat) { emitFollowRow(e, splat, ownSent, ownMax); });
}

}  // namespace hsa::ir

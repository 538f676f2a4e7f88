// A causal chunk of scheme routed: at most 64 tokens that receive from the state before them and from each other, then join the state.
#include <cmath>
#include <numeric>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/affinity_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/receivers.h"
#include "passes/cpu/splat_ranges.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// first, first + 1, … in the lanes of a vector of i32.
Value countFrom(KernelEmitter& e, Value first) {
  SmallVector<int32_t> lanes(e.lanes());
  std::iota(lanes.begin(), lanes.end(), 0);
  Value steps = arith::ConstantOp::create(e.b, DenseElementsAttr::get(e.vectorOf(e.b.getI32Type()), ArrayRef(lanes)));
  return arith::AddIOp::create(e.b, steps, e.spread(e.toI32(first)));
}

// Raises the max of a splat from `oldMax` to `first`, the affinity of the chunk's first token.
using Raise = function_ref<void(Value splat, Value oldMax, Value first)>;

// Raises the max of a splat, makes its affinities relative to it, and notes the greatest of each token.
void emitRelativeRow(KernelEmitter& e, Value row, Value splat, Value splatMax, Raise raise, Value sent, Value excess) {
  Value first = e.get(sent, {row, e.index(0)}), oldMax = e.get(splatMax, {splat});
  Value grows = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, first, oldMax);
  e.when(grows, [&] { raise(splat, oldMax, first); });
  Value max = e.spread(e.select(grows, first, oldMax));
  for (int64_t c = 0; c < kBatchKeys; c += e.lanes()) {
    Value relative = e.sub(e.load(sent, {row, e.index(c)}), max);
    e.store(relative, sent, {row, e.index(c)});
    e.store(e.max(relative, e.load(excess, {e.index(c)})), excess, {e.index(c)});
  }
}

// The tokens before the first whose excess is too great: at least the first of all, whose excess is 0 or less.
Value emitChunkTokens(KernelEmitter& e, Value excess) {
  return e.fold(e.index(0), e.index(kBatchKeys), 1, {e.index(kBatchKeys)}, [&](Value token, ValueRange count) {
    Value over = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.get(excess, {token}), e.f32(kMostExcess));
    return SmallVector<Value>{e.minIndex(count[0], e.select(over, token, e.index(kBatchKeys)))};
  })[0];
}

// Pairs of a query and a token behind it weigh nothing.
void emitMaskPairs(KernelEmitter& e, Value pairs) {
  e.forEachRow([&](Value row) {
    Value own = e.spread(e.toI32(row));
    for (int64_t v = 0; v * e.lanes() < kBatchKeys; ++v) {
      Value column = e.index(v * e.lanes());
      Value seen = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sle, countFrom(e, column), own);
      e.store(e.select(seen, e.load(pairs, {row, column}), e.f32s(0)), pairs, {row, column});
    }
  });
}

// What is left of them goes to the row's sum.
void emitSumPairs(KernelEmitter& e, Value pairs, Value sum) {
  e.forEachRow([&](Value row) {
    SmallVector<Value> sums;
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) sums.push_back(e.load(sum, {row, e.index(c)}));
    for (int64_t v = 0; v * e.lanes() < kBatchKeys; ++v) {
      Value& lane = sums[v % sums.size()];
      lane = e.add(lane, e.load(pairs, {row, e.index(v * e.lanes())}));
    }
    for (auto [i, lane] : llvm::enumerate(sums)) e.store(lane, sum, {row, e.index(static_cast<int64_t>(i) * e.lanes())});
  });
}

// sum += what the chunk sent to a splat; its max follows where that was much nearer than anything before.
void emitExtendRow(KernelEmitter& e, Value row, Value sent, const TileState& state) {
  SmallVector<Value> sums;
  for (int64_t c = 0; c < kSumLanes; c += e.lanes()) sums.push_back(e.load(state.sum, {row, e.index(c)}));
  Value top = e.f32s(0);
  for (int64_t v = 0; v * e.lanes() < kBatchKeys; ++v) {
    Value mass = e.load(sent, {row, e.index(v * e.lanes())});
    Value& lane = sums[v % sums.size()];
    lane = e.add(lane, mass);
    top = e.max(top, mass);
  }
  for (auto [i, lane] : llvm::enumerate(sums)) e.store(lane, state.sum, {row, e.index(static_cast<int64_t>(i) * e.lanes())});
  Value peak = e.reduceMax(top);
  Value grows = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, peak, e.f32(std::exp2(kLazyRescale)));
  e.when(grows, [&] {
    Value oldMax = e.get(state.max, {row});
    emitRescaleRow(e, row, oldMax, e.add(oldMax, e.reduceMax(e.log2(e.spread(peak)))), state);
  });
}

}  // namespace

// What a chunk's tokens send relative to `splatMax`, and how many they are: the ins of begin_chunk, then its outs behind the state.
static void emitSentOfChunk(KernelEmitter& e, ValueRange ins, Value splatMax, Raise raise, ValueRange outs) {
  Value keys = ins[0], bias = ins[1], norm = e.params.isotropic ? ins[4] : Value(), sent = outs[0], excess = outs[2];
  SplatFactors splats{ins[2], ins[3]};
  if (norm) splats.product = ins[5], splats.terms = ins[6], splats.limit = ins[7];
  if (e.params.factorRows > 0) splats.factor = ins[4];
  auto batch = [&](Value memref) { return memref ? e.slice(memref, e.index(0), kBatchPanels) : Value(); };
  e.forEach(kBatchKeys, e.lanes(), [&](Value c) { e.store(e.f32s(kNoMax), excess, {c}); });
  e.forEach(e.params.splats, kSplatTile, [&](Value splat) {
    Value sentHere = e.slice(sent, splat, kSplatTile);
    callAffinityOfSplats(e, rowsOfTile(e, splats, splat), {batch(keys), batch(bias), batch(norm)}, sentHere);
    e.forEach(kSplatTile, 1, [&](Value row) { emitRelativeRow(e, row, e.addIndex(splat, row), splatMax, raise, sentHere, excess); });
  });
  Value count = emitChunkTokens(e, excess);
  e.set(e.toI32(count), outs[1], {e.index(0)});
  Value end = e.spread(e.toI32(count));
  e.forEach(e.params.splats, 1, [&](Value row) {
    for (int64_t c = 0; c < kBatchKeys; c += e.lanes()) {
      Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, countFrom(e, e.index(c)), end);
      Value mass = e.exp2(e.min(e.load(sent, {row, e.index(c)}), e.f32s(kMostExcess)));
      e.store(e.select(inside, mass, e.f32s(0)), sent, {row, e.index(c)});
    }
  });
}

void emitBeginChunk(KernelEmitter& e, ValueRange arguments) {
  const ValueRange ins = arguments.drop_back(6), outs = arguments.take_back(6);
  const TileState state{outs[0], outs[1], outs[2]};
  emitSentOfChunk(
      e, ins, state.max, [&](Value splat, Value oldMax, Value first) { emitRescaleRow(e, splat, oldMax, first, state); },
      outs.drop_front(3));
}

void emitBeginFlowChunk(KernelEmitter& e, ValueRange arguments) {
  const ValueRange ins = arguments.drop_back(4), outs = arguments.take_back(4);
  emitSentOfChunk(e, ins, outs[0], [&](Value splat, Value, Value first) { e.set(first, outs[0], {splat}); }, outs.drop_front(1));
}

void emitReceiveChunk(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], bias = arguments[3], mass = arguments[4], carried = arguments[5], sent = arguments[7], values = arguments[8];
  const ValueRange outs = arguments.take_back(5);
  const Receivers receivers = receiversOf(e, arguments[1], arguments[2], arguments.drop_front(9).drop_back(5));
  const TileState rows{outs[0], outs[1], outs[2]};
  Value scores = outs[3], pairs = outs[4];
  e.forEachRow([&](Value row) { e.forEach(kBatchKeys, e.lanes(), [&](Value c) { e.store(e.f32s(0), pairs, {row, c}); }); });
  const auto receiveTile = [&](Value splat, int64_t columns) {
    emitReceiverScores(e, query, receivers, splat, bias, scores);
    callReceiveWeights(e, scores, e.slice(mass, splat, kSplatTile), rows, pairs);
    Value state = e.slice(carried, splat, kSplatTile);
    callValueColumns(e, scores, e.reshape(state, {kBatchPanels, kPanelKeys, e.params.paddedValueDim}), rows.acc, 0, columns);
    callPairBatch(e, scores, e.slice(sent, splat, kSplatTile), pairs);
  };
  // Columns that no coarser splat keeps have all their pairs now.
  const auto receivePairs = [&](int64_t from, int64_t to) {
    emitMaskPairs(e, pairs);
    callValueColumns(e, pairs, e.slice(values, e.index(0), kBatchPanels), rows.acc, from, to);
  };
  forEachSplatTile(e, receiveTile, receivePairs, spanOf(e, arguments[6]));
  emitSumPairs(e, pairs, rows.sum);
}

void emitExtendState(KernelEmitter& e, ValueRange arguments) {
  Value sent = arguments[0], values = arguments[1];
  forEachSplatTile(e, [&](Value splat, int64_t columns) {
    auto rows = [&](Value memref) { return e.slice(memref, splat, kSplatTile); };
    const TileState state{rows(arguments[2]), rows(arguments[3]), rows(arguments[4])};
    Value sentHere = rows(sent);
    callValueColumns(e, sentHere, e.slice(values, e.index(0), kBatchPanels), state.acc, 0, columns);
    e.forEach(kSplatTile, 1, [&](Value row) { emitExtendRow(e, row, sentHere, state); });
  });
}

}  // namespace hsa::ir

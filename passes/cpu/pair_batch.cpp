#include "passes/cpu/pair_batch.h"

#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/bf16_pairs.h"
#include "passes/cpu/pair_products.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class Ask { kNothing, kShare };  // for what comes next

// Weights are cut to bf16, which costs nothing, and not rounded: the mean of m / cut(m) over mantissas m spread evenly over [1, 2) makes up for
// it. A weight of 1 stays 1.
constexpr double kCutGain = 1.0027;

// The live rows among the R from `first` on.
void forEachRowFrom(KernelEmitter& e, Value first, function_ref<void(Value row)> body) {
  Value left = arith::SubIOp::create(e.b, e.liveRows(), first);
  e.forEach(e.index(0), e.minIndex(left, e.index(e.params.pairRows())), 1, body);
}

void emitMask(KernelEmitter& e, const PairBatch& batch, Value first, Value panel) {
  forEachRowFrom(e, first, [&](Value row) {
    Value query = e.addIndex(first, row);
    Value lo = e.spread(e.get(batch.visible.lo, {query})), hi = e.spread(e.get(batch.visible.hi, {query}));
    e.forEach(e.params.pairKeys(), kPanelKeys, [&](Value key) {
      Value keyPanel = e.addIndex(panel, arith::DivUIOp::create(e.b, key, e.index(kPanelKeys)));
      Value seen = emitSees(e, e.load(batch.positions, {keyPanel, e.index(0)}), lo, hi, e.i32s(e.params.sinkTokens));
      e.store(e.select(seen, e.load(batch.scores, {row, key}), e.f32s(-kInfinity)), batch.scores, {row, key});
    });
  });
}

// Weights of a row that stand in [0, column) already count for the old maximum: times 2^(old - new) they count for the new one. Cut once more, with the gain once more.
void emitRescaleWeights(KernelEmitter& e, const PairBatch& batch, Value row, Value column, Value oldMax, Value newMax) {
  Value factor = e.exp2Coarse(e.spread(e.sub(oldMax, newMax)), kCutGain);
  e.forEach(e.index(0), column, kPairPanelKeys, [&](Value key) {
    const Unpaired two = loadPairs(e, batch.weights, {row, key});
    auto rescaled = [&](Value weight) { return arith::BitcastOp::create(e.b, e.vectorOf(e.b.getI32Type()), e.mul(weight, factor)); };
    storePairs(e, pairUp(e, rescaled(two.low), rescaled(two.high)), batch.weights, {row, key});
  });
}

// The share of a row that meets keys from `column` on of those that come.
void emitAskForShare(KernelEmitter& e, const PairBatch& batch, Value first, Value column, Value row) {
  const int64_t rows = comingRows(e.params), leaves = e.params.pairLeaves();
  Value some = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, e.get(batch.coming.lines, {e.index(0)}), e.i32(0));
  e.when(some, [&] {
    Value step = arith::DivUIOp::create(e.b, column, e.index(e.params.pairKeys()));
    Value turn = e.addIndex(e.mulIndex(step, e.params.tileQueries), e.addIndex(first, row));
    Value leaf = arith::DivUIOp::create(e.b, turn, e.index(rows)), part = arith::RemUIOp::create(e.b, turn, e.index(rows));
    for (auto [which, memory] : {std::pair{0, batch.coming.keys}, {1, batch.coming.values}}) {
      Value share = e.toIndex(e.get(batch.coming.lines, {e.index(which)}));
      Value line = e.toIndex(e.get(batch.coming.lines, {e.addIndex(leaf, e.index(2 + which * leaves))}));
      Value from = e.addIndex(line, arith::MulIOp::create(e.b, part, share));
      e.forEach(e.index(0), share, 1, [&](Value i) { e.prefetch(memory, {e.addIndex(from, i), e.index(0)}); });
    }
  });
}

// K weights from `column` on = gain 2^(σ log2 e score - max) cut to bf16, their sum, times the gain as well, in f32. The max is looked at lane by lane; its own value
// only where it grows.
void emitWeights(KernelEmitter& e, const PairBatch& batch, Value first, Value column, Ask ask = Ask::kNothing) {
  const int64_t vectors = e.params.pairKeys() / kPanelKeys;
  forEachRowFrom(e, first, [&](Value row) {
    if (ask == Ask::kShare) emitAskForShare(e, batch, first, column, row);
    Value query = e.addIndex(first, row), scale = e.f32s(e.params.logScale());
    SmallVector<Value> scores;
    for (int64_t v = 0; v < vectors; ++v) scores.push_back(e.load(batch.scores, {row, e.index(v * kPanelKeys)}));
    Value top = scores[0];
    for (Value score : ArrayRef(scores).drop_front()) top = e.max(top, score);
    Value oldMax = e.get(batch.state.max, {query});
    Value limit = e.spread(e.add(oldMax, e.f32(kLazyRescale)));
    Value grows = e.any(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.mul(top, scale), limit));
    e.when(grows, [&] {
      emitRescaleRow(e, query, oldMax, e.mul(e.reduceMax(top), e.f32(e.params.logScale())), batch.state);
      emitRescaleWeights(e, batch, row, column, oldMax, e.get(batch.state.max, {query}));
    });
    Value minusMax = e.spread(e.sub(e.f32(0), e.get(batch.state.max, {query})));
    SmallVector<Value> sums = {e.load(batch.state.sum, {query, e.index(0)}), e.f32s(0)}, bits(2);
    for (int64_t v = 0; v < vectors; ++v) {
      Value weight = e.exp2Coarse(e.multiplyAdd(scores[v], scale, minusMax), kCutGain);
      sums[v % 2] = e.add(sums[v % 2], weight);
      bits[v % 2] = arith::BitcastOp::create(e.b, e.vectorOf(e.b.getI32Type()), weight);
      if (v % 2 == 1) storePairs(e, pairUp(e, bits[0], bits[1]), batch.weights, {row, e.addIndex(column, e.index((v - 1) * kPanelKeys))});
    }
    e.store(e.add(sums[0], sums[1]), batch.state.sum, {query, e.index(0)});
  });
}

Bounds boundsOfRows(KernelEmitter& e, Value rows, Value first) {
  SmallVector<Value> vectors;
  for (int64_t r = 0; r < e.params.pairRows(); r += e.lanes()) vectors.push_back(e.load(rows, {e.addIndex(first, e.index(r))}));
  return emitBounds(e, vectors);
}

void emitScaleSums(KernelEmitter& e, const PairBatch& batch, Value first, double factor) {
  forEachRowFrom(e, first, [&](Value row) {
    SmallVector<Value> at = {e.addIndex(first, row), e.index(0)};
    e.store(e.mul(e.load(batch.state.sum, at), e.f32s(factor)), batch.state.sum, at);
  });
}

struct RowBounds {
  Value first;    // row
  Bounds lo, hi;  // of what the R rows see
};

Sight sightOf(KernelEmitter& e, const PairBatch& batch, const RowBounds& rows, Value panel, int64_t count) {
  SmallVector<Value> positions;
  for (int64_t p = 0; p < count; ++p) positions.push_back(e.load(batch.positions, {e.addIndex(panel, e.index(p)), e.index(0)}));
  return emitSight(e, emitBounds(e, positions), rows.lo, rows.hi);
}

void emitValues(KernelEmitter& e, const PairBatch& batch, Value first, Value panel, int64_t keys) {
  Value pairPanel = arith::DivUIOp::create(e.b, panel, e.index(2));
  emitPairValues(e, {batch.weights, e.index(0), batch.values, pairPanel, keys, batch.state.acc, first});
}

void emitScores(KernelEmitter& e, const PairBatch& batch, Value first, Value panel) {
  emitPairScores(e, {batch.query, first, {batch.keys}, panel, e.index(e.params.pairKeys()), batch.scores, e.index(0)});
}

// W keys that every row sees.
void emitLongBatch(KernelEmitter& e, const PairBatch& batch, const RowBounds& rows, Value panel) {
  e.forEach(e.params.pairWeights(), e.params.pairKeys(), [&](Value column) {
    emitScores(e, batch, rows.first, e.addIndex(panel, arith::DivUIOp::create(e.b, column, e.index(kPanelKeys))));
    emitWeights(e, batch, rows.first, column, Ask::kShare);
  });
  emitValues(e, batch, rows.first, panel, e.params.pairWeights());
}

// K keys.
void emitShortBatch(KernelEmitter& e, const PairBatch& batch, const RowBounds& rows, Value panel) {
  const int64_t panels = e.params.pairKeys() / kPanelKeys;
  const Sight sight = sightOf(e, batch, rows, panel, panels);
  e.when(arith::AndIOp::create(e.b, sight.some, e.negate(emitAnyBad(e, batch.bad, panel, panels))), [&] {
    emitScores(e, batch, rows.first, panel);
    e.when(sight.masked, [&] { emitMask(e, batch, rows.first, panel); });
    emitWeights(e, batch, rows.first, e.index(0));
    emitValues(e, batch, rows.first, panel, e.params.pairKeys());
  });
}

void emitAttendPairBatches(KernelEmitter& e, const PairBatch& batch) {
  const int64_t few = e.params.pairKeys() / kPanelKeys, many = e.params.pairWeights() / kPanelKeys;
  Value begin = e.toIndex(e.get(batch.range, {e.index(0)})), end = e.toIndex(e.get(batch.range, {e.index(1)}));
  e.forEach(e.index(0), e.liveRows(), e.params.pairRows(), [&](Value first) {
    const RowBounds rows{first, boundsOfRows(e, batch.visible.lo, first), boundsOfRows(e, batch.visible.hi, first)};
    emitScaleSums(e, batch, first, kCutGain);
    e.forEach(begin, end, many, [&](Value panel) {
      Value stop = e.addIndex(panel, e.index(many));
      Value fits = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ule, stop, end);
      Value whole = e.rarely(fits, arith::ConstantIntOp::create(e.b, 0, 1), [&]() -> Value {  // behind the end there is nothing to look at
        Value hidden = sightOf(e, batch, rows, panel, many).masked;
        return e.negate(arith::OrIOp::create(e.b, hidden, emitAnyBad(e, batch.bad, panel, many)));
      });
      e.when(whole, [&] { emitLongBatch(e, batch, rows, panel); });
      e.when(e.negate(whole), [&] { e.forEach(panel, e.minIndex(stop, end), few, [&](Value at) { emitShortBatch(e, batch, rows, at); }); });
    });
    emitScaleSums(e, batch, first, 1 / kCutGain);
  });
}

}  // namespace

int64_t comingRows(const KernelParams& params) {
  return params.tileQueries * (params.pairWeights() / params.pairKeys()) / params.pairLeaves();
}

Value emitAnyBad(KernelEmitter& e, Value bad, Value panel, int64_t count) {
  Value flags = e.i32(0);
  for (int64_t p = 0; p < count; ++p) flags = arith::OrIOp::create(e.b, flags, e.get(bad, {e.addIndex(panel, e.index(p))}));
  return arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, flags, e.i32(0));
}

void callAttendPairBatches(KernelEmitter& e, const PairBatch& batch) {
  SmallVector<Value> arguments = {batch.query,     batch.keys,        batch.values,        batch.positions,
                                  batch.bad,       batch.range,       batch.visible.lo,    batch.visible.hi,
                                  batch.state.max, batch.state.sum,   batch.state.acc,     batch.scores,
                                  batch.weights,   batch.coming.keys, batch.coming.values, batch.coming.lines};
  // As many panels as a caller has.
  callPairs(
      e, "attend_pair_batches", arguments,
      [](KernelEmitter& in, ValueRange a) {
        emitAttendPairBatches(in,
                              {a[0], a[1], a[2], a[3], a[4], a[5], {a[6], a[7]}, {a[8], a[9], a[10]}, a[11], a[12], {a[13], a[14], a[15]}});
      },
      1, 5);
}

}  // namespace hsa::ir

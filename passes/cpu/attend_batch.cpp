#include "passes/cpu/attend_batch.h"

#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

MemRefType scoresType(KernelEmitter& e) { return e.blockType({e.params.tileQueries, kBatchKeys}, e.b.getF32Type()); }
MemRefType rowType(KernelEmitter& e, Type element) { return e.blockType({e.params.tileQueries}, element); }
MemRefType sumType(KernelEmitter& e) { return e.blockType({e.params.tileQueries, kSumLanes}, e.b.getF32Type()); }
MemRefType tileType(KernelEmitter& e, int64_t width) { return e.blockType({e.params.tileQueries, width}, e.b.getF32Type()); }
MemRefType valuesType(KernelEmitter& e) { return e.blockType({kBatchPanels, kPanelKeys, e.params.paddedValueDim}, e.b.getF32Type()); }
MemRefType positionsType(KernelEmitter& e) { return e.blockType({kBatchPanels, kPanelKeys}, e.b.getI32Type()); }

// Brings the memory right behind `block`, where the next batch lies, into the cache while this one is multiplied: each of the register tiles that
// cover the tile's rows times `columns` asks for its share, so that no two come in a burst. Behind the last batch the lines are for nobody; a
// prefetch cannot fault. Zen 3, causal 8K, share of peak: d = 64 0.65 → 0.74, d = 128 0.58 → 0.77; outputs keep their bits.
void emitPrefetchBehind(KernelEmitter& e, Value block, Value firstRow, Value column, int64_t columns) {
  constexpr int64_t kLineFloats = 16;
  constexpr int kAllCaches = 3;
  int64_t floats = 1;
  for (int64_t size : cast<MemRefType>(block.getType()).getShape()) floats *= size;
  const int64_t width = e.lanes() * e.tile.vectors, rowBlocks = llvm::divideCeil(e.params.tileQueries, e.tile.rows);
  const int64_t share = llvm::divideCeil(llvm::divideCeil(floats, kLineFloats), columns / width * rowBlocks) * kLineFloats;
  Value rowBlock = arith::DivUIOp::create(e.b, firstRow, e.index(e.tile.rows)), strip = arith::DivUIOp::create(e.b, column, e.index(width));
  Value tile = e.addIndex(e.mulIndex(strip, rowBlocks), rowBlock), lines = e.reshape(block, {2 * floats});
  Value from = e.addIndex(e.index(floats), e.mulIndex(tile, share));
  for (int64_t line = 0; line < share; line += kLineFloats)
    memref::PrefetchOp::create(e.b, lines, ValueRange{e.addIndex(from, e.index(line))}, /*isWrite=*/false, kAllCaches,
                               /*isDataCache=*/true);
}

void emitScoreBatch(KernelEmitter& e, Value rows, Value panels, Value scores, int64_t depth) {
  const int64_t width = e.lanes() * e.tile.vectors;  // keys of one register tile: half a panel, one, or two
  e.forEach(kBatchKeys, width, [&](Value firstKey) {
    SmallVector<Value> key, panel, lane;
    for (int64_t v = 0; v < e.tile.vectors; ++v) {
      key.push_back(e.addIndex(firstKey, e.index(v * e.lanes())));
      panel.push_back(arith::DivUIOp::create(e.b, key[v], e.index(kPanelKeys)));
      lane.push_back(arith::RemUIOp::create(e.b, key[v], e.index(kPanelKeys)));
    }
    e.forEachRowBlock([&](Value first, int64_t count) {
      emitPrefetchBehind(e, panels, first, firstKey, kBatchKeys);
      SmallVector<Value> sums = multiplyRows(
          e, e.index(0), e.index(depth), e.tile.vectors, SmallVector<Value>(count * e.tile.vectors, e.f32s(0)),
          [&](int64_t r, Value k) { return e.get(rows, {e.addIndex(first, e.index(r)), k}); },
          [&](Value k, int64_t v) { return e.load(panels, {panel[v], k, lane[v]}); });
      for (int64_t r = 0; r < count; ++r)
        for (int64_t v = 0; v < e.tile.vectors; ++v) e.store(sums[r * e.tile.vectors + v], scores, {e.addIndex(first, e.index(r)), key[v]});
    });
  });
}

// The max is looked at lane by lane; its own value only where it grows.
void emitSoftmaxBatch(KernelEmitter& e, Value scores, ValueRange state) {
  const int64_t vectors = kBatchKeys / e.lanes();
  e.forEachRow([&](Value row) {
    SmallVector<Value> s;
    for (int64_t v = 0; v < vectors; ++v) s.push_back(e.load(scores, {row, e.index(v * e.lanes())}));
    SmallVector<Value> tops(s);
    while (tops.size() > 1) {
      SmallVector<Value> half;
      for (size_t i = 0; i + 1 < tops.size(); i += 2) half.push_back(e.max(tops[i], tops[i + 1]));
      tops = half;
    }
    Value scale = e.f32s(e.params.logScale()), oldMax = e.get(state[0], {row}), limit = e.spread(e.add(oldMax, e.f32(kLazyRescale)));
    Value grows = e.any(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.mul(tops[0], scale), limit));
    e.when(grows, [&] {
      emitRescaleRow(e, row, oldMax, e.mul(e.reduceMax(tops[0]), e.f32(e.params.logScale())), {state[0], state[1], state[2]});
    });
    Value minusMax = e.spread(e.sub(e.f32(0), e.get(state[0], {row})));
    SmallVector<Value> sums;  // kSumLanes partial sums, in as many vectors as they take
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) sums.push_back(e.load(state[1], {row, e.index(c)}));
    for (int64_t v = 0; v < vectors; ++v) {
      Value weight = e.exp2(e.multiplyAdd(s[v], scale, minusMax));
      e.store(weight, scores, {row, e.index(v * e.lanes())});
      Value& sum = sums[v % sums.size()];
      sum = e.add(sum, weight);
    }
    for (auto [i, sum] : llvm::enumerate(sums)) e.store(sum, state[1], {row, e.index(static_cast<int64_t>(i) * e.lanes())});
  });
}

// Columns [column, column + vectors · lanes) of one block of rows. A batch is summed on its own and added once: acc is rounded once per 64
// keys, not once per key.
void emitValueTile(KernelEmitter& e, Value weights, Value values, Value acc, Value first, int64_t rows, Value column) {
  auto at = [&](int64_t r, int64_t v) {
    return SmallVector<Value>{e.addIndex(first, e.index(r)), e.addIndex(column, e.index(v * e.lanes()))};
  };
  SmallVector<Value> sums = multiplyRows(
      e, e.index(0), e.index(kBatchKeys), e.tile.vectors, SmallVector<Value>(rows * e.tile.vectors, e.f32s(0)),
      [&](int64_t r, Value k) { return e.get(weights, {e.addIndex(first, e.index(r)), k}); },
      [&](Value k, int64_t v) { return e.load(values, {k, e.addIndex(column, e.index(v * e.lanes()))}); });
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < e.tile.vectors; ++v) e.store(e.add(e.load(acc, at(r, v)), sums[r * e.tile.vectors + v]), acc, at(r, v));
}

// Rows outside, columns inside: a block of rows then meets whole rows of values. The other way round touches a strip of them with the stride of a
// row, which falls on a quarter of the cache's sets (d = 64, Zen 3: 0.70 of peak against 0.83 for the scores).
void emitValueColumns(KernelEmitter& e, Value weights, Value panels, Value acc, int64_t width, int64_t from, int64_t to) {
  Value values = e.reshape(panels, {kBatchKeys, width});
  const int64_t step = e.lanes() * e.tile.vectors, whole = from + (to - from) / step * step;
  TileShape narrow = e.tile;  // for the 16 columns that are left under a tile of 32
  narrow.vectors = 1;
  KernelEmitter last(e.b, e.module, narrow, e.params, e.tileRows);
  e.forEachRowBlock([&](Value first, int64_t count) {
    if (whole > from)
      e.forEach(e.index(from), e.index(whole), step, [&](Value column) {
        if (to - from == width) emitPrefetchBehind(e, values, first, column, whole);
        emitValueTile(e, weights, values, acc, first, count, column);
      });
    if (whole < to) emitValueTile(last, weights, values, acc, first, count, last.index(whole));
  });
}

void emitValueBatch(KernelEmitter& e, Value weights, Value panels, Value acc, int64_t columns) {
  emitValueColumns(e, weights, panels, acc, columns, 0, columns);
}

void emitMaskBatch(KernelEmitter& e, Value scores, Value positions, Value lo, Value hi) {
  e.forEachRow([&](Value row) {
    Value rowLo = e.spread(e.get(lo, {row})), rowHi = e.spread(e.get(hi, {row}));
    for (int64_t key = 0; key < kBatchKeys; key += e.lanes()) {
      Value position = e.load(positions, {e.index(key / kPanelKeys), e.index(key % kPanelKeys)});
      Value seen = emitSees(e, position, rowLo, rowHi, e.i32s(e.params.sinkTokens));
      Value score = e.load(scores, {row, e.index(key)});
      e.store(e.select(seen, score, e.f32s(-kInfinity)), scores, {row, e.index(key)});
    }
  });
}

// As emitValueBatch, but a value is touched only by the queries that see its key: 0 · Inf would be NaN.
void emitValueBatchMasked(KernelEmitter& e, Value weights, Value values, Value positions, Value lo, Value hi, Value acc) {
  e.forEachRow([&](Value row) {
    Value rowLo = e.get(lo, {row}), rowHi = e.get(hi, {row});
    e.forEach(kBatchPanels, 1, [&](Value panel) {
      e.forEach(kPanelKeys, 1, [&](Value key) {
        Value seen = emitSees(e, e.get(positions, {panel, key}), rowLo, rowHi, e.i32(e.params.sinkTokens));
        e.when(seen, [&] {
          Value weight = e.spread(e.get(weights, {row, e.addIndex(e.mulIndex(panel, kPanelKeys), key)}));
          e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) {
            e.store(e.multiplyAdd(weight, e.load(values, {panel, key, c}), e.load(acc, {row, c})), acc, {row, c});
          });
        });
      });
    });
  });
}

Bounds boundsOfRows(KernelEmitter& e, Value rows) {
  SmallVector<Value> vectors;
  for (int64_t r = 0; r < e.params.tileQueries; r += e.lanes()) vectors.push_back(e.load(rows, {e.index(r)}));
  return emitBounds(e, vectors);
}

void emitAttendBatch(KernelEmitter& e, ValueRange arguments) {
  const KeyBatch batch{arguments[1], arguments[2], arguments[3], arguments.size() > 10 ? arguments[10] : Value()};
  meetBatch(e, {batch.values, batch.positions, batch.bad}, {arguments[4], arguments[5]}, {arguments[6], arguments[7], arguments[8]},
            arguments[9], [&] { callScoreBatch(e, arguments[0], batch.keys, arguments[9], e.params.paddedHeadDim); });
}

}  // namespace

void meetBatch(KernelEmitter& e, const MetValues& met, const Visible& visible, const TileState& state, Value scores,
               function_ref<void()> score) {
  SmallVector<Value> vectors;
  for (int64_t key = 0; key < kBatchKeys; key += e.lanes())
    vectors.push_back(e.load(met.positions, {e.index(key / kPanelKeys), e.index(key % kPanelKeys)}));
  const Bounds position = emitBounds(e, vectors), los = boundsOfRows(e, visible.lo), his = boundsOfRows(e, visible.hi);
  const Sight sight = emitSight(e, position, los, his);
  Value masked = sight.masked;
  e.when(sight.some, [&] {
    score();
    e.when(masked, [&] {
      e.call("mask_batch", {scoresType(e), positionsType(e), rowType(e, e.b.getI32Type()), rowType(e, e.b.getI32Type())},
             {scores, met.positions, visible.lo, visible.hi},
             [](KernelEmitter& in, ValueRange a) { emitMaskBatch(in, a[0], a[1], a[2], a[3]); });
    });
    callSoftmaxBatch(e, scores, state);
    if (!met.bad) return callValueBatch(e, scores, met.values, state.acc);
    Value flags = e.i32(0);
    for (int64_t p = 0; p < kBatchPanels; ++p) flags = arith::OrIOp::create(e.b, flags, e.get(met.bad, {e.index(p)}));
    Value bad = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, flags, e.i32(0));
    Value careful = arith::AndIOp::create(e.b, masked, bad);
    auto branch = scf::IfOp::create(e.b, careful, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPoint(branch.thenBlock()->getTerminator());
    e.call("value_batch_masked",
           {scoresType(e), valuesType(e), positionsType(e), rowType(e, e.b.getI32Type()), rowType(e, e.b.getI32Type()),
            tileType(e, e.params.paddedValueDim)},
           {scores, met.values, met.positions, visible.lo, visible.hi, state.acc},
           [](KernelEmitter& in, ValueRange a) { emitValueBatchMasked(in, a[0], a[1], a[2], a[3], a[4], a[5]); });
    e.b.setInsertionPoint(branch.elseBlock()->getTerminator());
    callValueBatch(e, scores, met.values, state.acc);
  });
}

void emitRescaleRow(KernelEmitter& e, Value row, Value oldMax, Value peak, const TileState& state) {
  Value factor = e.exp2(e.sub(e.spread(oldMax), e.spread(peak)));
  e.set(peak, state.max, {row});
  auto scale = [&](Value memref, Value column) { e.store(e.mul(e.load(memref, {row, column}), factor), memref, {row, column}); };
  for (int64_t c = 0; c < kSumLanes; c += e.lanes()) scale(state.sum, e.index(c));
  e.forEach(e.index(0), e.dim(state.acc, 1), e.lanes(), [&](Value c) { scale(state.acc, c); });
}

Value emitSees(KernelEmitter& e, Value position, Value lo, Value hi, Value sinks) {
  Value before = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sle, position, hi);
  Value after = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, position, lo);
  Value sink = arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, position, sinks);
  return arith::AndIOp::create(e.b, before, arith::OrIOp::create(e.b, after, sink));
}

Bounds emitBounds(KernelEmitter& e, ArrayRef<Value> vectors) {
  Value least = vectors[0], most = vectors[0];
  for (Value v : vectors.drop_front()) {
    least = arith::MinSIOp::create(e.b, least, v);
    most = arith::MaxSIOp::create(e.b, most, v);
  }
  return {vector::ReductionOp::create(e.b, vector::CombiningKind::MINSI, least),
          vector::ReductionOp::create(e.b, vector::CombiningKind::MAXSI, most)};
}

Sight emitSight(KernelEmitter& e, const Bounds& position, const Bounds& lo, const Bounds& hi) {
  auto less = [&](Value x, Value y) -> Value { return arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, x, y); };
  // Some query may see some key: not (all after every hi, or all before every lo and behind the sinks).
  Value tooLate = less(hi.most, position.least);
  Value behindSinks = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, position.least, e.i32(e.params.sinkTokens));
  Value tooEarly = arith::AndIOp::create(e.b, less(position.most, lo.least), behindSinks);
  Value none = arith::OrIOp::create(e.b, tooLate, tooEarly);
  return {e.negate(none), arith::OrIOp::create(e.b, less(hi.least, position.most), less(position.least, lo.most))};
}

void callScoreBatch(KernelEmitter& e, Value rows, Value panels, Value scores, int64_t depth) {
  const std::string name = "score_batch_" + std::to_string(depth);
  e.call(name, {tileType(e, depth), e.blockType({kBatchPanels, depth, kPanelKeys}, e.b.getF32Type()), scoresType(e)},
         {rows, panels, scores}, [&](KernelEmitter& in, ValueRange a) { emitScoreBatch(in, a[0], a[1], a[2], depth); });
}

void callSoftmaxBatch(KernelEmitter& e, Value scores, const TileState& state) {
  // Of any width: acc is touched only where the max grows, which is rare.
  const int64_t any = ShapedType::kDynamic;
  auto acc = MemRefType::get({e.params.tileQueries, any}, e.b.getF32Type(), StridedLayoutAttr::get(e.b.getContext(), any, {any, 1}));
  e.call("softmax_batch", {scoresType(e), rowType(e, e.b.getF32Type()), sumType(e), acc}, {scores, state.max, state.sum, state.acc},
         [](KernelEmitter& in, ValueRange a) { emitSoftmaxBatch(in, a[0], a.drop_front()); });
}

void callValueBatch(KernelEmitter& e, Value weights, Value values, Value acc) {
  e.call("value_batch", {scoresType(e), valuesType(e), tileType(e, e.params.paddedValueDim)}, {weights, values, acc},
         [](KernelEmitter& in, ValueRange a) { emitValueBatch(in, a[0], a[1], a[2], in.params.paddedValueDim); });
}

void callValueColumns(KernelEmitter& e, Value weights, Value values, Value acc, int64_t from, int64_t to) {
  if (from == 0 && to == e.params.paddedValueDim) return callValueBatch(e, weights, values, acc);
  const std::string name = ("value_columns_" + llvm::Twine(from) + "_" + llvm::Twine(to)).str();
  e.call(name, {scoresType(e), valuesType(e), tileType(e, e.params.paddedValueDim)}, {weights, values, acc},
         [&](KernelEmitter& in, ValueRange a) { emitValueColumns(in, a[0], a[1], a[2], in.params.paddedValueDim, from, to); });
}

void callPairBatch(KernelEmitter& e, Value weights, Value sent, Value pairs) {
  e.call("pair_batch", {scoresType(e), e.blockType({kBatchKeys, kBatchKeys}, e.b.getF32Type()), scoresType(e)}, {weights, sent, pairs},
         [](KernelEmitter& in, ValueRange a) { emitValueBatch(in, a[0], a[1], a[2], kBatchKeys); });
}

void callAttendBatch(KernelEmitter& e, Value query, const KeyBatch& batch, const Visible& visible, const TileState& state, Value scores) {
  const int64_t depth = e.params.paddedHeadDim;
  Type f32 = e.b.getF32Type(), i32 = e.b.getI32Type();
  SmallVector<MemRefType> types = {tileType(e, depth),
                                   e.blockType({kBatchPanels, depth, kPanelKeys}, f32),
                                   valuesType(e),
                                   positionsType(e),
                                   rowType(e, i32),
                                   rowType(e, i32),
                                   rowType(e, f32),
                                   sumType(e),
                                   tileType(e, e.params.paddedValueDim),
                                   scoresType(e)};
  SmallVector<Value> arguments = {query,      batch.keys, batch.values, batch.positions, visible.lo,
                                  visible.hi, state.max,  state.sum,    state.acc,       scores};
  if (batch.bad) {
    types.push_back(e.blockType({kBatchPanels}, i32));
    arguments.push_back(batch.bad);
  }
  e.call(batch.bad ? "attend_batch_any" : "attend_batch_finite", types, arguments, emitAttendBatch);
}

void gatherLeaf(KernelEmitter& e, Value leaves, Value leaf, Value batch, Value slot, int64_t rows, int64_t columns) {
  e.forEach(rows, 1, [&](Value row) {
    e.forEach(columns, e.lanes(), [&](Value column) { e.store(e.widen(leaves, {leaf, row, column}), batch, {slot, row, column}); });
  });
}

}  // namespace hsa::ir

#include "passes/cpu/affinity_batch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kUnroll = 2;  // steps of a sum between two branches

MemRefType typeOf(KernelEmitter& e, ArrayRef<int64_t> shape) { return e.blockType(shape, e.b.getF32Type()); }

// Where the vectors of a register tile that starts at `first` lie in panels of 16.
struct PanelLanes {
  SmallVector<Value> column, panel, lane;

  PanelLanes(KernelEmitter& e, Value first) {
    for (int64_t v = 0; v < e.tile.vectors; ++v) {
      column.push_back(e.addIndex(first, e.index(v * e.lanes())));
      panel.push_back(arith::DivUIOp::create(e.b, column[v], e.index(kPanelKeys)));
      lane.push_back(arith::RemUIOp::create(e.b, column[v], e.index(kPanelKeys)));
    }
  }
};

// One register tile: Σ_d apart(r, d, v)², in registers. `step` calls add(r · vectors + v, difference) for one d: each difference is squared at once, so that
// none waits in a register. (All of a step before the first square: 2.9 KB of spills, less than half the speed.)
using Add = function_ref<void(int64_t sum, Value difference)>;
SmallVector<Value> sumSquares(KernelEmitter& e, int64_t rows, function_ref<void(Value d, Add add)> step) {
  SmallVector<Value> zeros(rows * e.tile.vectors, e.f32s(0));
  return e.fold(e.index(0), e.index(e.params.paddedHeadDim), kUnroll, zeros, [&](Value d0, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t d = 0; d < kUnroll; ++d)
      step(e.addIndex(d0, e.index(d)),
           [&](int64_t sum, Value difference) { sums[sum] = e.multiplyAdd(difference, difference, sums[sum]); });
    return sums;
  });
}

// Clamped from below, which lets a NaN pass.
Value logAffinity(KernelEmitter& e, Value squares) { return e.max(e.f32s(kFarthest), e.sub(e.f32s(0), squares)); }

// scores = log-affinities + bias(v), of the rows from `first` on.
void storeAffinities(KernelEmitter& e, ArrayRef<Value> squares, function_ref<Value(int64_t vector)> bias, Value scores, Value first,
                     const PanelLanes& at) {
  for (auto [i, square] : llvm::enumerate(squares)) {
    const int64_t row = static_cast<int64_t>(i) / e.tile.vectors, v = static_cast<int64_t>(i) % e.tile.vectors;
    e.store(e.add(logAffinity(e, square), bias(v)), scores, {e.addIndex(first, e.index(row)), at.column[v]});
  }
}

void emitAffinityOfSplats(KernelEmitter& e, ValueRange arguments) {
  Value scale = arguments[0], shift = arguments[1], panels = arguments[2], bias = arguments[3], scores = arguments[4];
  e.forEach(kBatchKeys, e.lanes() * e.tile.vectors, [&](Value firstToken) {
    const PanelLanes at(e, firstToken);
    e.forEachRowBlock([&](Value first, int64_t rows) {
      SmallVector<Value> squares = sumSquares(e, rows, [&](Value d, Add add) {
        SmallVector<Value> tokens;
        for (int64_t v = 0; v < e.tile.vectors; ++v) tokens.push_back(e.load(panels, {at.panel[v], d, at.lane[v]}));
        for (int64_t r = 0; r < rows; ++r) {
          Value row = e.addIndex(first, e.index(r)), factor = e.spread(e.get(scale, {row, d})), term = e.spread(e.get(shift, {row, d}));
          for (int64_t v = 0; v < e.tile.vectors; ++v) add(r * e.tile.vectors + v, e.multiplyAdd(tokens[v], factor, term));
        }
      });
      storeAffinities(e, squares, [&](int64_t v) { return e.load(bias, {at.panel[v], at.lane[v]}); }, scores, first, at);
    });
  });
}

void emitAffinityOfQueries(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], scale = arguments[1], shift = arguments[2], bias = arguments[3], scores = arguments[4];
  e.forEach(kSplatTile, e.lanes() * e.tile.vectors, [&](Value firstSplat) {
    const PanelLanes at(e, firstSplat);
    e.forEachRowBlock([&](Value first, int64_t rows) {
      SmallVector<Value> squares = sumSquares(e, rows, [&](Value d, Add add) {
        SmallVector<Value> factors, terms;
        for (int64_t v = 0; v < e.tile.vectors; ++v) {
          factors.push_back(e.load(scale, {at.panel[v], d, at.lane[v]}));
          terms.push_back(e.load(shift, {at.panel[v], d, at.lane[v]}));
        }
        for (int64_t r = 0; r < rows; ++r) {
          Value x = e.spread(e.get(query, {e.addIndex(first, e.index(r)), d}));
          for (int64_t v = 0; v < e.tile.vectors; ++v) add(r * e.tile.vectors + v, e.multiplyAdd(x, factors[v], terms[v]));
        }
      });
      storeAffinities(e, squares, [&](int64_t v) { return e.load(bias, {at.column[v]}); }, scores, first, at);
    });
  });
}

void emitReceiveWeights(KernelEmitter& e, ValueRange arguments) {
  Value scores = arguments[0], mass = arguments[1];
  TileState rows{arguments[2], arguments[3], arguments[4]};
  const int64_t vectors = kSplatTile / e.lanes();
  e.forEachRow([&](Value row) {
    SmallVector<Value> score;
    for (int64_t v = 0; v < vectors; ++v) score.push_back(e.load(scores, {row, e.index(v * e.lanes())}));
    Value top = score[0];
    for (Value s : ArrayRef(score).drop_front()) top = e.max(top, s);
    Value peak = e.reduceMax(top), oldMax = e.get(rows.max, {row});
    Value grows = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, peak, e.add(oldMax, e.f32(kLazyRescale)));
    e.when(grows, [&] {
      emitRescaleRow(e, row, oldMax, peak, rows);
      if (arguments.size() < 6) return;
      Value factor = e.exp2(e.sub(e.spread(oldMax), e.spread(peak)));
      e.forEach(kBatchKeys, e.lanes(), [&](Value c) { e.store(e.mul(e.load(arguments[5], {row, c}), factor), arguments[5], {row, c}); });
    });
    Value minusMax = e.spread(e.sub(e.f32(0), e.select(grows, peak, oldMax)));
    SmallVector<Value> sums;
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) sums.push_back(e.load(rows.sum, {row, e.index(c)}));
    for (int64_t v = 0; v < vectors; ++v) {
      Value weight = e.exp2(e.add(score[v], minusMax));
      e.store(weight, scores, {row, e.index(v * e.lanes())});
      Value& sum = sums[v % sums.size()];
      sum = e.multiplyAdd(weight, e.load(mass, {e.index(v * e.lanes())}), sum);
    }
    for (auto [i, sum] : llvm::enumerate(sums)) e.store(sum, rows.sum, {row, e.index(static_cast<int64_t>(i) * e.lanes())});
  });
}

}  // namespace

void callAffinityOfSplats(KernelEmitter& e, Value scale, Value shift, Value panels, Value bias, Value scores) {
  const int64_t depth = e.params.paddedHeadDim;
  e.call("affinity_of_splats",
         {typeOf(e, {kSplatTile, depth}), typeOf(e, {kSplatTile, depth}), typeOf(e, {kBatchPanels, depth, kPanelKeys}),
          typeOf(e, {kBatchPanels, kPanelKeys}), typeOf(e, {kSplatTile, kBatchKeys})},
         {scale, shift, panels, bias, scores}, emitAffinityOfSplats);
}

void callAffinityOfQueries(KernelEmitter& e, Value query, Value scale, Value shift, Value bias, Value scores) {
  const int64_t depth = e.params.paddedHeadDim, rows = e.params.tileQueries;
  e.call("affinity_of_queries",
         {typeOf(e, {rows, depth}), typeOf(e, {kBatchPanels, depth, kPanelKeys}), typeOf(e, {kBatchPanels, depth, kPanelKeys}),
          typeOf(e, {kSplatTile}), typeOf(e, {rows, kSplatTile})},
         {query, scale, shift, bias, scores}, emitAffinityOfQueries);
}

void callReceiveWeights(KernelEmitter& e, Value scores, Value mass, const TileState& rows, Value pairs) {
  const int64_t tile = e.params.tileQueries;
  SmallVector<MemRefType> types = {typeOf(e, {tile, kSplatTile}), typeOf(e, {kSplatTile}), typeOf(e, {tile}), typeOf(e, {tile, kSumLanes}),
                                   typeOf(e, {tile, e.params.paddedValueDim})};
  SmallVector<Value> arguments = {scores, mass, rows.max, rows.sum, rows.acc};
  if (pairs) {
    types.push_back(typeOf(e, {tile, kBatchKeys}));
    arguments.push_back(pairs);
  }
  e.call(pairs ? "receive_weights_of_pairs" : "receive_weights", types, arguments, emitReceiveWeights);
}

}  // namespace hsa::ir

#include "passes/cpu/mapped_differences.h"

#include <functional>

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kUnroll = 2;  // steps of a sum between two branches

// Some vectors of pairs of a token and a splat, and how to load what they are made of.
struct Pairs {
  int64_t count;
  std::function<Value(int64_t pair, Value d)> token, scale, shift;
  std::function<Value(int64_t pair, Value row, Value d)> factor;
};

// As many as leave four sums of each in registers.
int64_t pairsAtOnce(KernelEmitter& e) { return e.lanes() == 16 ? 4 : 2; }

// z_d, so near that no sum of products of it is infinite: a token beyond that is at kFarthest anyway. A NaN stays one.
Value differenceAt(KernelEmitter& e, const Pairs& pairs, int64_t pair, Value d) {
  Value apart = e.multiplyAdd(pairs.token(pair, d), pairs.scale(pair, d), pairs.shift(pair, d));
  return e.min(e.f32s(kFarthestApart), e.max(e.f32s(-kFarthestApart), apart));
}

// Σ_d factor(first + r, d) z_d over d < end of kFactorRows rows: [r · count + pair].
SmallVector<Value> emitProjections(KernelEmitter& e, const Pairs& pairs, Value first, Value end) {
  SmallVector<Value> zeros(kFactorRows * pairs.count, e.f32s(0));
  return e.fold(e.index(0), end, kUnroll, zeros, [&](Value d0, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t step = 0; step < kUnroll; ++step) {
      Value d = e.addIndex(d0, e.index(step));
      for (int64_t pair = 0; pair < pairs.count; ++pair) {
        Value apart = differenceAt(e, pairs, pair, d);
        for (int64_t r = 0; r < kFactorRows; ++r) {
          Value& sum = sums[r * pairs.count + pair];
          sum = e.multiplyAdd(pairs.factor(pair, e.addIndex(first, e.index(r)), d), apart, sum);
        }
      }
    }
    return sums;
  });
}

// |z - Σ_r b_r (b_r · z)|²: what the factor takes away is taken from each difference before it is squared.
SmallVector<Value> lowRankSquares(KernelEmitter& e, const Pairs& pairs) {
  SmallVector<Value> minus;  // -(b_r · z)
  for (int64_t r = 0; r < e.params.factorRows; r += kFactorRows)
    for (Value sum : emitProjections(e, pairs, e.index(r), e.index(e.params.paddedHeadDim))) minus.push_back(e.sub(e.f32s(0), sum));
  SmallVector<Value> zeros(pairs.count, e.f32s(0));
  return e.fold(e.index(0), e.index(e.params.paddedHeadDim), 1, zeros, [&](Value d, ValueRange carried) {
    SmallVector<Value> squares(carried);
    for (int64_t pair = 0; pair < pairs.count; ++pair) {
      Value left = differenceAt(e, pairs, pair, d);
      for (int64_t r = 0; r < e.params.factorRows; ++r)
        left = e.multiplyAdd(pairs.factor(pair, e.index(r), d), minus[r * pairs.count + pair], left);
      squares[pair] = e.multiplyAdd(left, left, squares[pair]);
    }
    return squares;
  });
}

// Σ_r (B_r · z)², row r being 0 behind its diagonal.
SmallVector<Value> triangularSquares(KernelEmitter& e, const Pairs& pairs) {
  SmallVector<Value> zeros(pairs.count, e.f32s(0));
  return e.fold(e.index(0), e.index(e.params.paddedHeadDim), kFactorRows, zeros, [&](Value first, ValueRange carried) {
    SmallVector<Value> squares(carried);
    for (auto [i, sum] : llvm::enumerate(emitProjections(e, pairs, first, e.addIndex(first, e.index(kFactorRows))))) {
      Value& square = squares[static_cast<int64_t>(i) % pairs.count];
      square = e.multiplyAdd(sum, sum, square);
    }
    return squares;
  });
}

void emitScores(KernelEmitter& e, const Pairs& pairs, function_ref<Value(int64_t pair)> bias,
                function_ref<void(int64_t pair, Value score)> store) {
  const SmallVector<Value> squares = e.params.triangular ? triangularSquares(e, pairs) : lowRankSquares(e, pairs);
  for (auto [pair, square] : llvm::enumerate(squares)) {
    const auto p = static_cast<int64_t>(pair);
    store(p, e.add(e.max(e.f32s(kFarthest), e.sub(e.f32s(0), square)), bias(p)));
  }
}

// Splats are rows, tokens stand side by side.
void emitAffinityOfSplats(KernelEmitter& e, ValueRange arguments) {
  Value scale = arguments[0], shift = arguments[1], factor = arguments[2], panels = arguments[3], bias = arguments[4],
        scores = arguments[5];
  const int64_t count = pairsAtOnce(e);
  e.forEach(kBatchKeys, e.lanes() * count, [&](Value token) {
    SmallVector<Value> column, panel, lane;
    for (int64_t v = 0; v < count; ++v) {
      column.push_back(e.addIndex(token, e.index(v * e.lanes())));
      panel.push_back(arith::DivUIOp::create(e.b, column[v], e.index(kPanelKeys)));
      lane.push_back(arith::RemUIOp::create(e.b, column[v], e.index(kPanelKeys)));
    }
    e.forEach(kSplatTile, 1, [&](Value row) {
      const Pairs pairs{count, [&](int64_t v, Value d) { return e.load(panels, {panel[v], d, lane[v]}); },
                        [&](int64_t, Value d) { return e.spread(e.get(scale, {row, d})); },
                        [&](int64_t, Value d) { return e.spread(e.get(shift, {row, d})); },
                        [&](int64_t, Value r, Value d) { return e.spread(e.get(factor, {row, r, d})); }};
      emitScores(
          e, pairs, [&](int64_t v) { return e.load(bias, {panel[v], lane[v]}); },
          [&](int64_t v, Value score) { e.store(score, scores, {row, column[v]}); });
    });
  });
}

// Queries are rows, some at once beside one vector of splats.
void emitAffinityOfQueries(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], scale = arguments[1], shift = arguments[2], factor = arguments[3], bias = arguments[4], scores = arguments[5];
  const int64_t count = pairsAtOnce(e);
  e.forEach(kSplatTile, e.lanes(), [&](Value column) {
    Value panel = arith::DivUIOp::create(e.b, column, e.index(kPanelKeys)), lane = arith::RemUIOp::create(e.b, column, e.index(kPanelKeys));
    e.forEach(e.index(0), e.liveRows(), count, [&](Value first) {
      const auto row = [&](int64_t i) { return e.addIndex(first, e.index(i)); };
      const Pairs pairs{count, [&](int64_t i, Value d) { return e.spread(e.get(query, {row(i), d})); },
                        [&](int64_t, Value d) { return e.load(scale, {panel, d, lane}); },
                        [&](int64_t, Value d) { return e.load(shift, {panel, d, lane}); },
                        [&](int64_t, Value r, Value d) { return e.load(factor, {panel, r, d, lane}); }};
      emitScores(
          e, pairs, [&](int64_t) { return e.load(bias, {column}); },
          [&](int64_t i, Value score) { e.store(score, scores, {row(i), column}); });
    });
  });
}

}  // namespace

void callMappedAffinityOfSplats(KernelEmitter& e, const SplatFactors& splats, const TokenBatch& tokens, Value scores) {
  const auto type = [&](ArrayRef<int64_t> shape) { return e.blockType(shape, e.b.getF32Type()); };
  const int64_t depth = e.params.paddedHeadDim;
  const MemRefType rows = type({kSplatTile, depth});
  e.call("mapped_affinity_of_splats",
         {rows, rows, type({kSplatTile, e.params.factorRows, depth}), type({kBatchPanels, depth, kPanelKeys}),
          type({kBatchPanels, kPanelKeys}), type({kSplatTile, kBatchKeys})},
         {splats.scale, splats.shift, splats.factor, tokens.panels, tokens.bias, scores}, emitAffinityOfSplats);
}

void callMappedAffinityOfQueries(KernelEmitter& e, Value query, const SplatFactors& splats, Value bias, Value scores) {
  const auto type = [&](ArrayRef<int64_t> shape) { return e.blockType(shape, e.b.getF32Type()); };
  const int64_t depth = e.params.paddedHeadDim, tile = e.params.tileQueries;
  const MemRefType panels = type({kBatchPanels, depth, kPanelKeys});
  e.call("mapped_affinity_of_queries",
         {type({tile, depth}), panels, panels, type({kBatchPanels, e.params.factorRows, depth, kPanelKeys}), type({kSplatTile}),
          type({tile, kSplatTile})},
         {query, splats.scale, splats.shift, splats.factor, bias, scores}, emitAffinityOfQueries);
}

}  // namespace hsa::ir

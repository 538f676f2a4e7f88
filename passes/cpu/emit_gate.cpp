// The gate of scheme routed: log2 softmax(W_g q + b_g) of each query, up to what is the same for all its levels (docs/spec.md, "Routed").
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/gate_batch.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

void emitGateBatch(KernelEmitter& e, ValueRange arguments) {
  Value gate = arguments[0], panel = arguments[1], scores = arguments[2];
  e.forEach(kSplatTile, e.lanes() * e.tile.vectors, [&](Value firstSplat) {
    SmallVector<Value> column, at, lane;
    for (int64_t v = 0; v < e.tile.vectors; ++v) {
      column.push_back(e.addIndex(firstSplat, e.index(v * e.lanes())));
      at.push_back(arith::DivUIOp::create(e.b, column[v], e.index(kPanelKeys)));
      lane.push_back(arith::RemUIOp::create(e.b, column[v], e.index(kPanelKeys)));
    }
    e.forEachRowBlock([&](Value first, int64_t rows) {
      SmallVector<Value> sums;
      for (int64_t r = 0; r < rows; ++r)
        for (Value c : column) sums.push_back(e.load(scores, {e.addIndex(first, e.index(r)), c}));
      for (int64_t level = 0; level < e.params.levels; ++level)
        for (int64_t v = 0; v < e.tile.vectors; ++v) {
          Value isOf = e.load(panel, {at[v], e.index(level), lane[v]});
          for (int64_t r = 0; r < rows; ++r) {
            Value weight = e.spread(e.get(gate, {e.addIndex(first, e.index(r)), e.index(level)}));
            Value& sum = sums[r * e.tile.vectors + v];
            sum = e.multiplyAdd(weight, isOf, sum);
          }
        }
      for (auto [i, sum] : llvm::enumerate(sums)) {
        const int64_t row = static_cast<int64_t>(i) / e.tile.vectors, v = static_cast<int64_t>(i) % e.tile.vectors;
        e.store(sum, scores, {e.addIndex(first, e.index(row)), column[v]});
      }
    });
  });
}

}  // namespace

void callGateBatch(KernelEmitter& e, Value gate, Value panel, Value scores) {
  Type f32 = e.b.getF32Type();
  e.call("gate_batch",
         {e.blockType({e.params.tileQueries, kMostLevels}, f32), e.blockType({kSplatTile / kPanelKeys, kMostLevels, kPanelKeys}, f32),
          e.blockType({e.params.tileQueries, kSplatTile}, f32)},
         {gate, panel, scores}, emitGateBatch);
}

// Weights are relative to the greatest of a row and clamped from below, which lets a NaN pass.
void emitGate(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], weight = arguments[1], bias = arguments[2], gate = arguments[3];
  const int64_t vectors = kMostLevels / e.lanes();
  e.forEachRow([&](Value row) {
    SmallVector<Value> logits;
    for (int64_t v = 0; v < vectors; ++v) logits.push_back(e.load(bias, {e.index(v * e.lanes())}));
    logits = e.fold(e.index(0), e.index(e.params.paddedHeadDim), 1, logits, [&](Value d, ValueRange carried) {
      SmallVector<Value> sums(carried);
      Value x = e.spread(e.get(query, {row, d}));
      for (int64_t v = 0; v < vectors; ++v) sums[v] = e.multiplyAdd(x, e.load(weight, {d, e.index(v * e.lanes())}), sums[v]);
      return sums;
    });
    Value top = logits[0];
    for (Value logit : ArrayRef(logits).drop_front()) top = e.max(top, logit);
    top = e.spread(e.reduceMax(top));
    for (int64_t v = 0; v < vectors; ++v) e.store(e.max(e.f32s(kFarthest), e.sub(logits[v], top)), gate, {row, e.index(v * e.lanes())});
  });
}

}  // namespace hsa::ir

// Rows become bf16 in pairs: keys and values in panels, queries in a tile.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/bf16_pairs.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// Columns [column, column + lanes) of a row as rounded bits, zeros behind the last row.
Value loadRounded(KernelEmitter& e, Value rows, Value row, Value column) {
  Value count = e.dim(rows, 0);
  Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, row, count);
  Value bits = roundToNearestEven(e, e.load(rows, {e.select(inside, row, e.index(0)), column}));
  return e.select(inside, bits, e.i32s(0));
}

// Square of as many vectors as lanes: row i, lane j ↔ row j, lane i. Each step swaps the blocks of `half` lanes that stand across the diagonal.
SmallVector<Value> transpose(KernelEmitter& e, SmallVector<Value> rows) {
  const int64_t lanes = e.lanes();
  for (int64_t half = lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> kept, moved;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const bool low = lane / half % 2 == 0;
      kept.push_back(low ? lane : lanes + lane - half);
      moved.push_back(low ? lane + half : lanes + lane);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i / half % 2 != 0) continue;
      Value top = rows[i], bottom = rows[i + half];
      rows[i] = vector::ShuffleOp::create(e.b, top, bottom, kept);
      rows[i + half] = vector::ShuffleOp::create(e.b, top, bottom, moved);
    }
  }
  return rows;
}

// Dimensions [32 · block, + 32) of the 16 keys of a panel; the upper 16 are zeros where the rows have only the lower.
void packKeys(KernelEmitter& e, Value keys, Value panel, Value block, bool upper, Value out) {
  Value dimension = e.mulIndex(block, kPairPanelKeys), above = e.addIndex(dimension, e.index(kPanelKeys));
  SmallVector<Value> pairs;
  for (int64_t key = 0; key < kPanelKeys; ++key) {
    Value row = e.addIndex(e.mulIndex(panel, kPanelKeys), e.index(key));
    pairs.push_back(pairUp(e, loadRounded(e, keys, row, dimension), upper ? loadRounded(e, keys, row, above) : e.i32s(0)));
  }
  for (auto [i, pair] : llvm::enumerate(transpose(e, pairs)))
    storePairs(e, pair, out, {panel, e.addIndex(e.mulIndex(block, kPanelKeys), e.index(static_cast<int64_t>(i))), e.index(0)});
}

}  // namespace

void emitPackPairs(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], values = arguments[1], pairK = arguments[2], pairV = arguments[3];
  e.forEach(e.index(0), e.dim(pairK, 0), 1,
            [&](Value panel) { forEachPairBlock(e, [&](Value block, bool upper) { packKeys(e, keys, panel, block, upper, pairK); }); });
  e.forEach(e.index(0), e.dim(pairV, 0), 1, [&](Value panel) {
    e.forEach(e.params.paddedValueDim, kPanelKeys, [&](Value column) {
      e.forEach(kPanelKeys, 1, [&](Value pair) {
        Value low = e.addIndex(e.mulIndex(panel, kPairPanelKeys), pair), high = e.addIndex(low, e.index(kPanelKeys));
        Value bits = pairUp(e, loadRounded(e, values, low, column), loadRounded(e, values, high, column));
        storePairs(e, bits, pairV, {panel, e.addIndex(column, pair), e.index(0)});
      });
    });
  });
}

// Zeros behind the dimensions that the queries have.
void emitPairQuery(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], pairs = arguments[1];
  const int64_t whole = e.params.paddedHeadDim / kPairPanelKeys * kPairPanelKeys;
  e.forEachRow([&](Value row) {
    auto rounded = [&](Value d) { return roundToNearestEven(e, e.load(query, {row, d})); };
    if (whole > 0)
      e.forEach(whole, kPairPanelKeys, [&](Value d) {
        Value low = rounded(d), high = rounded(e.addIndex(d, e.index(kPanelKeys)));
        storePairs(e, pairUp(e, low, high), pairs, {row, d});
      });
    if (whole < e.params.paddedHeadDim) storePairs(e, pairUp(e, rounded(e.index(whole)), e.i32s(0)), pairs, {row, e.index(whole)});
  });
}

}  // namespace hsa::ir

#include "passes/cpu/amx_tiles.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kTile = 16;               // rows of a tile, and its f32 columns
constexpr int64_t kDepth = kPairPanelKeys;  // what one product of tiles sums over

amx::TileType sumsType(KernelEmitter& e) { return amx::TileType::get({kTile, kTile}, e.b.getF32Type()); }
amx::TileType pairsType(KernelEmitter& e) { return amx::TileType::get({kTile, kDepth}, e.b.getBF16Type()); }
Value loadTile(KernelEmitter& e, amx::TileType type, Value memref, ValueRange at) { return amx::TileLoadOp::create(e.b, type, memref, at); }

void storeTile(KernelEmitter& e, Value sums, Value memref, ValueRange at) { amx::TileStoreOp::create(e.b, memref, at, sums); }

// base + `tiles` tiles.
Value plus(KernelEmitter& e, Value base, int64_t tiles) { return e.addIndex(base, e.index(tiles * kTile)); }

using At = function_ref<SmallVector<Value>(int64_t step, int64_t tile)>;  // where tile `tile` of a step of kDepth stands

// sums[r · columns + c] += Σ left(r) right(c) over `steps` steps. With 2 x 2 sums all eight registers are in use.
void multiplyTiles(KernelEmitter& e, int64_t steps, int64_t columns, MutableArrayRef<Value> sums, Value left, At leftAt, Value right,
                   At rightAt) {
  const int64_t rows = static_cast<int64_t>(sums.size()) / columns;
  for (int64_t step = 0; step < steps; ++step) {
    SmallVector<Value> columnTiles;
    for (int64_t r = 0; r < rows; ++r) {
      Value rowTile = loadTile(e, pairsType(e), left, leftAt(step, r));
      for (int64_t c = 0; r == 0 && c < columns; ++c) columnTiles.push_back(loadTile(e, pairsType(e), right, rightAt(step, c)));
      for (int64_t c = 0; c < columns; ++c) {
        Value& sum = sums[r * columns + c];
        sum = amx::TileMulFOp::create(e.b, sumsType(e), rowTile, columnTiles[c], sum);
      }
    }
  }
}

// Columns [column, column + 16 · columns) of emitTileValues.
void emitValueColumns(KernelEmitter& e, const PairValues& p, Value column, int64_t columns) {
  const int64_t rows = e.params.pairRows() / kTile, steps = p.count / kDepth;
  auto at = [&](size_t i) {
    const auto number = static_cast<int64_t>(i);
    return SmallVector<Value>{plus(e, p.first, number / columns), plus(e, column, number % columns)};
  };
  SmallVector<Value> sums;
  for (int64_t i = 0; i < rows * columns; ++i) sums.push_back(loadTile(e, sumsType(e), p.acc, at(i)));
  multiplyTiles(
      e, steps, columns, sums, p.weights,
      [&](int64_t step, int64_t tile) { return SmallVector<Value>{plus(e, p.row, tile), e.index(step * kDepth)}; }, p.values,
      [&](int64_t step, int64_t tile) {
        return SmallVector<Value>{e.addIndex(p.pairPanel, e.index(step)), plus(e, column, tile), e.index(0)};
      });
  for (auto [i, sum] : llvm::enumerate(sums)) storeTile(e, sum, p.acc, at(i));
}

}  // namespace

void emitTileScores(KernelEmitter& e, const PairScores& p) {
  const int64_t rows = e.params.pairRows() / kTile, columns = 2, steps = e.params.pairDim() / kDepth;
  e.forEach(p.count, columns * kTile, [&](Value key) {
    Value keyPanel = e.addIndex(p.panel, arith::DivUIOp::create(e.b, key, e.index(kPanelKeys)));
    SmallVector<Value> sums;
    for (int64_t i = 0; i < rows * columns; ++i) sums.push_back(amx::TileZeroOp::create(e.b, sumsType(e)));
    for (Value part : p.keys)
      multiplyTiles(
          e, steps, columns, sums, p.query,
          [&](int64_t step, int64_t tile) { return SmallVector<Value>{plus(e, p.first, tile), e.index(step * kDepth)}; }, part,
          [&](int64_t step, int64_t tile) {
            return SmallVector<Value>{e.addIndex(keyPanel, e.index(tile)), e.index(step * kTile), e.index(0)};
          });
    for (auto [i, sum] : llvm::enumerate(sums)) {
      const auto number = static_cast<int64_t>(i);
      storeTile(e, sum, p.scores, {plus(e, p.row, number / columns), plus(e, key, number % columns)});
    }
  });
}

void emitTileValues(KernelEmitter& e, const PairValues& p) {
  const int64_t whole = e.params.paddedValueDim / (2 * kTile) * 2 * kTile;
  if (whole > 0) e.forEach(whole, 2 * kTile, [&](Value column) { emitValueColumns(e, p, column, 2); });
  if (whole < e.params.paddedValueDim) emitValueColumns(e, p, e.index(whole), 1);
}

}  // namespace hsa::ir

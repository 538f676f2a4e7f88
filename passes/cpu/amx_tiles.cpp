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

// sums[r] += Σ left(r) right over `steps` steps, a column of tiles. Four registers: where two threads share the unit, each further one that is in use costs, since
// what is loaded next then waits for a product to end (docs/performance.md, "AMX"); alone, the products take the same time in any shape.
void multiplyTiles(KernelEmitter& e, int64_t steps, MutableArrayRef<Value> sums, Value left,
                   function_ref<SmallVector<Value>(int64_t, int64_t)> leftAt, Value right,
                   function_ref<SmallVector<Value>(int64_t)> rightAt) {
  for (int64_t step = 0; step < steps; ++step) {
    Value column = loadTile(e, pairsType(e), right, rightAt(step));
    for (auto [r, sum] : llvm::enumerate(sums))
      sum = amx::TileMulFOp::create(e.b, sumsType(e), loadTile(e, pairsType(e), left, leftAt(step, static_cast<int64_t>(r))), column, sum);
  }
}

}  // namespace

void emitTileScores(KernelEmitter& e, const PairScores& p) {
  const int64_t rows = e.params.pairRows() / kTile, steps = e.params.pairDim() / kDepth;
  e.forEach(e.index(0), p.count, kTile, [&](Value key) {
    Value keyPanel = e.addIndex(p.panel, arith::DivUIOp::create(e.b, key, e.index(kPanelKeys)));
    SmallVector<Value> sums;
    for (int64_t r = 0; r < rows; ++r) sums.push_back(amx::TileZeroOp::create(e.b, sumsType(e)));
    for (Value part : p.keys)
      multiplyTiles(
          e, steps, sums, p.query, [&](int64_t step, int64_t r) { return SmallVector<Value>{plus(e, p.first, r), e.index(step * kDepth)}; },
          part, [&](int64_t step) { return SmallVector<Value>{keyPanel, e.index(step * kTile), e.index(0)}; });
    for (auto [r, sum] : llvm::enumerate(sums)) storeTile(e, sum, p.scores, {plus(e, p.row, static_cast<int64_t>(r)), key});
  });
}

void emitTileValues(KernelEmitter& e, const PairValues& p) {
  const int64_t rows = e.params.pairRows() / kTile, steps = p.count / kDepth;
  e.forEach(e.params.paddedValueDim, kTile, [&](Value column) {
    auto at = [&](int64_t r) { return SmallVector<Value>{plus(e, p.first, r), column}; };
    SmallVector<Value> sums;
    for (int64_t r = 0; r < rows; ++r) sums.push_back(loadTile(e, sumsType(e), p.acc, at(r)));
    multiplyTiles(
        e, steps, sums, p.weights, [&](int64_t step, int64_t r) { return SmallVector<Value>{plus(e, p.row, r), e.index(step * kDepth)}; },
        p.values, [&](int64_t step) { return SmallVector<Value>{e.addIndex(p.pairPanel, e.index(step)), column, e.index(0)}; });
    for (auto [r, sum] : llvm::enumerate(sums)) storeTile(e, sum, p.acc, at(static_cast<int64_t>(r)));
  });
}

}  // namespace hsa::ir

#include "passes/cpu/amx_batch.h"

#include <limits>

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/bf16_pairs.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Weights are cut to bf16, which costs nothing, and not rounded: the mean of m / cut(m) over mantissas m spread evenly over [1, 2) makes up for
// it. A weight of 1 stays 1.
constexpr double kCutGain = 1.0027;
constexpr int64_t kTile = 16;               // rows of a tile, and its f32 columns
constexpr int64_t kDepth = kPairPanelKeys;  // what one product of tiles sums over

amx::TileType sumsType(KernelEmitter& e) { return amx::TileType::get({kTile, kTile}, e.b.getF32Type()); }
amx::TileType pairsType(KernelEmitter& e) { return amx::TileType::get({kTile, kDepth}, e.b.getBF16Type()); }
Value loadTile(KernelEmitter& e, amx::TileType type, Value memref, ValueRange at) { return amx::TileLoadOp::create(e.b, type, memref, at); }

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

Value plus(KernelEmitter& e, Value base, int64_t tiles) { return e.addIndex(base, e.index(tiles * kTile)); }

// scores[r, j] = Σ_d query[first + r, d] key[j, d] for the K keys from `panel` on.
void emitScores(KernelEmitter& e, const PairBatch& batch, Value first, Value panel) {
  const int64_t rows = e.params.pairRows() / kTile, columns = 2, steps = e.params.pairDim() / kDepth;
  e.forEach(e.params.pairKeys(), columns * kTile, [&](Value key) {
    Value keyPanel = e.addIndex(panel, arith::DivUIOp::create(e.b, key, e.index(kPanelKeys)));
    SmallVector<Value> sums;
    for (int64_t i = 0; i < rows * columns; ++i) sums.push_back(amx::TileZeroOp::create(e.b, sumsType(e)));
    multiplyTiles(
        e, steps, columns, sums, batch.query,
        [&](int64_t step, int64_t tile) { return SmallVector<Value>{plus(e, first, tile), e.index(step * kDepth)}; }, batch.keys,
        [&](int64_t step, int64_t tile) {
          return SmallVector<Value>{e.addIndex(keyPanel, e.index(tile)), e.index(step * kTile), e.index(0)};
        });
    for (auto [i, sum] : llvm::enumerate(sums)) {
      const auto number = static_cast<int64_t>(i);
      amx::TileStoreOp::create(e.b, batch.scores, ValueRange{e.index(number / columns * kTile), plus(e, key, number % columns)}, sum);
    }
  });
}

void emitMask(KernelEmitter& e, const PairBatch& batch, Value first, Value panel) {
  e.forEach(e.params.pairRows(), 1, [&](Value row) {
    Value query = e.addIndex(first, row);
    Value lo = e.spread(e.get(batch.visible.lo, {query})), hi = e.spread(e.get(batch.visible.hi, {query}));
    e.forEach(e.params.pairKeys(), kPanelKeys, [&](Value key) {
      Value keyPanel = e.addIndex(panel, arith::DivUIOp::create(e.b, key, e.index(kPanelKeys)));
      Value seen = emitSees(e, e.load(batch.positions, {keyPanel, e.index(0)}), lo, hi, e.i32s(e.params.sinkTokens));
      e.store(e.select(seen, e.load(batch.scores, {row, key}), e.f32s(-kInfinity)), batch.scores, {row, key});
    });
  });
}

// weights = gain 2^(σ log2 e score - max) cut to bf16, their sum, times the gain as well, in f32. The max is looked at lane by lane; its own value only where it grows.
void emitWeights(KernelEmitter& e, const PairBatch& batch, Value first) {
  const int64_t vectors = e.params.pairKeys() / kPanelKeys;
  e.forEach(e.params.pairRows(), 1, [&](Value row) {
    Value query = e.addIndex(first, row), scale = e.f32s(e.params.logScale());
    SmallVector<Value> scores;
    for (int64_t v = 0; v < vectors; ++v) scores.push_back(e.load(batch.scores, {row, e.index(v * kPanelKeys)}));
    Value top = scores[0];
    for (Value score : ArrayRef(scores).drop_front()) top = e.max(top, score);
    Value oldMax = e.get(batch.state.max, {query});
    Value limit = e.spread(e.add(oldMax, e.f32(kLazyRescale)));
    Value grows = e.anyOf(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.mul(top, scale), limit));
    e.when(grows, [&] { emitRescaleRow(e, query, oldMax, e.mul(e.reduceMax(top), e.f32(e.params.logScale())), batch.state); });
    Value minusMax = e.spread(e.sub(e.f32(0), e.get(batch.state.max, {query})));
    SmallVector<Value> sums = {e.load(batch.state.sum, {query, e.index(0)}), e.f32s(0)}, bits(2);
    for (int64_t v = 0; v < vectors; ++v) {
      Value weight = e.exp2Coarse(e.multiplyAdd(scores[v], scale, minusMax), kCutGain);
      sums[v % 2] = e.add(sums[v % 2], weight);
      bits[v % 2] = arith::BitcastOp::create(e.b, e.vectorOf(e.b.getI32Type()), weight);
      if (v % 2 == 1) storePairs(e, pairUp(e, bits[0], bits[1]), batch.weights, {row, e.index((v - 1) * kPanelKeys)});
    }
    e.store(e.add(sums[0], sums[1]), batch.state.sum, {query, e.index(0)});
  });
}

// acc[first + r, c] += Σ_j weights[r, j] value[j, c], for `columns` tiles of columns.
void emitValueColumns(KernelEmitter& e, const PairBatch& batch, Value first, Value pairPanel, Value column, int64_t columns) {
  const int64_t rows = e.params.pairRows() / kTile, steps = e.params.pairKeys() / kDepth;
  auto at = [&](size_t i) {
    const auto number = static_cast<int64_t>(i);
    return SmallVector<Value>{plus(e, first, number / columns), plus(e, column, number % columns)};
  };
  SmallVector<Value> sums;
  for (int64_t i = 0; i < rows * columns; ++i) sums.push_back(loadTile(e, sumsType(e), batch.state.acc, at(i)));
  multiplyTiles(
      e, steps, columns, sums, batch.weights,
      [&](int64_t step, int64_t tile) { return SmallVector<Value>{e.index(tile * kTile), e.index(step * kDepth)}; }, batch.values,
      [&](int64_t step, int64_t tile) {
        return SmallVector<Value>{e.addIndex(pairPanel, e.index(step)), plus(e, column, tile), e.index(0)};
      });
  for (auto [i, sum] : llvm::enumerate(sums)) amx::TileStoreOp::create(e.b, batch.state.acc, at(i), sum);
}

void emitValues(KernelEmitter& e, const PairBatch& batch, Value first, Value panel) {
  Value pairPanel = arith::DivUIOp::create(e.b, panel, e.index(2));
  const int64_t whole = e.params.paddedValueDim / (2 * kTile) * 2 * kTile;
  if (whole > 0) e.forEach(whole, 2 * kTile, [&](Value column) { emitValueColumns(e, batch, first, pairPanel, column, 2); });
  if (whole < e.params.paddedValueDim) emitValueColumns(e, batch, first, pairPanel, e.index(whole), 1);
}

Bounds boundsOfRows(KernelEmitter& e, Value rows, Value first) {
  SmallVector<Value> vectors;
  for (int64_t r = 0; r < e.params.pairRows(); r += e.lanes()) vectors.push_back(e.load(rows, {e.addIndex(first, e.index(r))}));
  return emitBounds(e, vectors);
}

void emitScaleSums(KernelEmitter& e, const PairBatch& batch, Value first, double factor) {
  e.forEach(e.params.pairRows(), 1, [&](Value row) {
    SmallVector<Value> at = {e.addIndex(first, row), e.index(0)};
    e.store(e.mul(e.load(batch.state.sum, at), e.f32s(factor)), batch.state.sum, at);
  });
}

void emitAttendTiles(KernelEmitter& e, const PairBatch& batch) {
  const int64_t panels = e.params.pairKeys() / kPanelKeys;
  Value begin = e.toIndex(e.get(batch.range, {e.index(0)})), end = e.toIndex(e.get(batch.range, {e.index(1)}));
  e.forEach(e.params.tileQueries, e.params.pairRows(), [&](Value first) {
    const Bounds lo = boundsOfRows(e, batch.visible.lo, first), hi = boundsOfRows(e, batch.visible.hi, first);
    emitScaleSums(e, batch, first, kCutGain);
    e.forEach(begin, end, panels, [&](Value panel) {
      SmallVector<Value> positions;
      for (int64_t p = 0; p < panels; ++p) positions.push_back(e.load(batch.positions, {e.addIndex(panel, e.index(p)), e.index(0)}));
      const Sight sight = emitSight(e, emitBounds(e, positions), lo, hi);
      Value good = arith::XOrIOp::create(e.b, emitAnyBad(e, batch.bad, panel, panels), arith::ConstantIntOp::create(e.b, 1, 1));
      e.when(arith::AndIOp::create(e.b, sight.some, good), [&] {
        emitScores(e, batch, first, panel);
        e.when(sight.masked, [&] { emitMask(e, batch, first, panel); });
        emitWeights(e, batch, first);
        emitValues(e, batch, first, panel);
      });
    });
    emitScaleSums(e, batch, first, 1 / kCutGain);
  });
}

}  // namespace

Value emitAnyBad(KernelEmitter& e, Value bad, Value panel, int64_t count) {
  Value flags = e.i32(0);
  for (int64_t p = 0; p < count; ++p) flags = arith::OrIOp::create(e.b, flags, e.get(bad, {e.addIndex(panel, e.index(p))}));
  return arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, flags, e.i32(0));
}

// A function of its own: behind every call that a function makes, LLVM loads the configuration of the tiles again.
void callAttendTiles(KernelEmitter& e, const PairBatch& batch) {
  SmallVector<Value> arguments = {batch.query,     batch.keys,       batch.values,     batch.positions, batch.bad,
                                  batch.range,     batch.visible.lo, batch.visible.hi, batch.state.max, batch.state.sum,
                                  batch.state.acc, batch.scores,     batch.weights};
  SmallVector<MemRefType> types;
  for (Value argument : arguments) types.push_back(cast<MemRefType>(argument.getType()));
  func::FuncOp function = e.call("attend_tiles", types, arguments, [](KernelEmitter& in, ValueRange a) {
    emitAttendTiles(in, {a[0], a[1], a[2], a[3], a[4], a[5], {a[6], a[7]}, {a[8], a[9], a[10]}, a[11], a[12]});
  });
  function->setAttr("hsa.features", e.b.getStringAttr("amx-tile,amx-bf16"));
}

}  // namespace hsa::ir

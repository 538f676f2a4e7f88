#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kUnroll = 4;  // steps between two branches

TileShape ofGroup(TileShape tile) {
  tile.lanes = kGroupNodes;
  return tile;
}

}  // namespace

int64_t productRows(KernelEmitter& e) { return e.tile.rows >= 8 ? 8 : 4; }

SmallVector<Value> accumulateRows(KernelEmitter& e, Value lo, Value hi, int64_t vectors, SmallVector<Value> sums, Rows left, Vectors right,
                                  Accumulate accumulate) {
  const int64_t rows = static_cast<int64_t>(sums.size()) / vectors;
  return e.fold(lo, hi, kUnroll, sums, [&](Value k0, ValueRange carried) {
    SmallVector<Value> acc(carried);
    for (int64_t step = 0; step < kUnroll; ++step) {
      Value k = e.addIndex(k0, e.index(step));
      SmallVector<Value> columns;
      for (int64_t v = 0; v < vectors; ++v) columns.push_back(right(k, v));
      for (int64_t r = 0; r < rows; ++r) {
        Value x = left(r, k);
        for (int64_t v = 0; v < vectors; ++v) acc[r * vectors + v] = accumulate(acc[r * vectors + v], x, columns[v]);
      }
    }
    return acc;
  });
}

SmallVector<Value> multiplyRows(KernelEmitter& e, Value lo, Value hi, int64_t vectors, SmallVector<Value> sums, Scalars left,
                                Vectors right) {
  return accumulateRows(
      e, lo, hi, vectors, sums, [&](int64_t r, Value k) { return e.spread(left(r, k)); }, right,
      [&](Value sum, Value x, Value column) { return e.multiplyAdd(x, column, sum); });
}

void forEachColumnBlock(KernelEmitter& e, Value first, int64_t width, function_ref<void(Value, int64_t)> body) {
  const int64_t block = kBlockVectors * e.lanes(), whole = width / block * block;
  e.forEach(first, e.index(whole), block, [&](Value column) { body(column, kBlockVectors); });
  if (whole < width) body(e.index(whole), 1);
}

Value columnOf(KernelEmitter& e, Value column, int64_t vector) { return e.addIndex(column, e.index(vector * e.lanes())); }

GroupEmitter::GroupEmitter(KernelEmitter& e) : tile_(ofGroup(e.tile)), emitter_(e.b, e.module, tile_, e.params) {}

}  // namespace hsa::ir

#include "passes/cpu/dot_products.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

VectorType pairsType(KernelEmitter& e) { return VectorType::get({2 * e.lanes()}, e.b.getBF16Type()); }

// The pair at (row, 2 pair), in all lanes.
Value spreadPair(KernelEmitter& e, Value rows, Value row, Value pair) {
  Value two = vector::LoadOp::create(e.b, VectorType::get({2}, e.b.getBF16Type()), rows, ValueRange{row, e.mulIndex(pair, 2)});
  Value one = vector::BitCastOp::create(e.b, VectorType::get({1}, e.b.getI32Type()), two);
  return vector::BitCastOp::create(e.b, pairsType(e), e.spread(vector::ExtractOp::create(e.b, one, ArrayRef<int64_t>{0})));
}

// sums[r][v] += left(r, k) · right(k, v) over pairs k < count.
SmallVector<Value> multiply(KernelEmitter& e, int64_t count, int64_t vectors, SmallVector<Value> sums, Rows left, Vectors right) {
  return accumulateRows(e, e.index(0), e.index(count), vectors, sums, left, right, [&](Value sum, Value x, Value column) {
    return LLVM::CallIntrinsicOp::create(e.b, Type(e.f32Vector()), e.b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                         ValueRange{sum, x, column})
        ->getResult(0);
  });
}

// Blocks of the register tile's rows among the R from `first` on that have a live one.
void forEachRowBlock(KernelEmitter& e, Value first, function_ref<void(Value row)> body) {
  Value live = e.minIndex(arith::SubIOp::create(e.b, e.liveRows(), first), e.index(e.params.pairRows()));
  e.forEach(e.index(0), live, e.tile.rows, body);
}

Value lane(KernelEmitter& e, Value base, int64_t vector) { return e.addIndex(base, e.index(vector * e.lanes())); }

// Columns [column, column + vectors · lanes) of one block of rows.
void emitValueBlock(KernelEmitter& e, const PairValues& p, Value block, Value column, int64_t vectors) {
  auto row = [&](Value base, int64_t r) { return e.addIndex(e.addIndex(base, block), e.index(r)); };
  SmallVector<Value> sums;
  for (int64_t r = 0; r < e.tile.rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) sums.push_back(e.load(p.acc, {row(p.first, r), lane(e, column, v)}));
  sums = e.fold(e.index(0), e.index(p.count / kPairPanelKeys), 1, sums, [&](Value step, ValueRange carried) {
    Value panel = e.addIndex(p.pairPanel, step), key = e.mulIndex(step, kPanelKeys);
    return multiply(
        e, kPanelKeys, vectors, SmallVector<Value>(carried),
        [&](int64_t r, Value k) { return spreadPair(e, p.weights, row(p.row, r), e.addIndex(k, key)); },
        [&](Value k, int64_t v) -> Value {
          return vector::LoadOp::create(e.b, pairsType(e), p.values, ValueRange{panel, e.addIndex(lane(e, column, v), k), e.index(0)});
        });
  });
  for (int64_t r = 0; r < e.tile.rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) e.store(sums[r * vectors + v], p.acc, {row(p.first, r), lane(e, column, v)});
}

}  // namespace

void emitDotScores(KernelEmitter& e, const PairScores& p) {
  const int64_t vectors = e.tile.vectors;
  e.forEach(e.index(0), p.count, vectors * kPanelKeys, [&](Value key) {
    Value panel = e.addIndex(p.panel, arith::DivUIOp::create(e.b, key, e.index(kPanelKeys)));
    forEachRowBlock(e, p.first, [&](Value block) {
      SmallVector<Value> sums(e.tile.rows * vectors, e.f32s(0));
      for (Value part : p.keys)
        sums = multiply(
            e, e.params.pairDim() / 2, vectors, sums,
            [&](int64_t r, Value k) { return spreadPair(e, p.query, e.addIndex(e.addIndex(p.first, block), e.index(r)), k); },
            [&](Value k, int64_t v) -> Value {
              return vector::LoadOp::create(e.b, pairsType(e), part, ValueRange{e.addIndex(panel, e.index(v)), k, e.index(0)});
            });
      for (int64_t r = 0; r < e.tile.rows; ++r)
        for (int64_t v = 0; v < vectors; ++v)
          e.store(sums[r * vectors + v], p.scores, {e.addIndex(e.addIndex(p.row, block), e.index(r)), lane(e, key, v)});
    });
  });
}

void emitDotValues(KernelEmitter& e, const PairValues& p) {
  const int64_t width = e.tile.vectors * e.lanes(), whole = e.params.paddedValueDim / width * width;
  forEachRowBlock(e, p.first, [&](Value block) {
    if (whole > 0) e.forEach(whole, width, [&](Value column) { emitValueBlock(e, p, block, column, e.tile.vectors); });
    if (whole < e.params.paddedValueDim) emitValueBlock(e, p, block, e.index(whole), 1);
  });
}

}  // namespace hsa::ir

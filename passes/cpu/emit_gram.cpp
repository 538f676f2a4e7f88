// Sums over queries: of rowᵀ row, for the metric in which keys are ordered, and of the rows, for the reference of a block.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kGramRows = 64;  // 16 KB of rows at D = 64: they stay in the L1 cache while every block of the product reads them

// gram += Σ rowᵀ row, over a multiple of 4 rows, in and above the diagonal: the rest is its mirror image.
void emitGramBlock(KernelEmitter& e, Value rows, Value gram) {
  const int64_t width = e.params.paddedHeadDim, tall = productRows(e);
  e.forEach(width, tall, [&](Value i) {
    const int64_t block = kBlockVectors * e.lanes();
    Value start = e.mulIndex(arith::DivUIOp::create(e.b, i, e.index(block)), block);
    forEachColumnBlock(e, start, width, [&](Value column, int64_t vectors) {
      auto at = [&](int64_t r, int64_t v) { return SmallVector<Value>{e.addIndex(i, e.index(r)), columnOf(e, column, v)}; };
      SmallVector<Value> sums;
      for (int64_t r = 0; r < tall; ++r)
        for (int64_t v = 0; v < vectors; ++v) sums.push_back(e.load(gram, at(r, v)));
      sums = multiplyRows(
          e, e.index(0), e.dim(rows, 0), vectors, sums, [&](int64_t r, Value row) { return e.get(rows, {row, e.addIndex(i, e.index(r))}); },
          [&](Value row, int64_t v) { return e.load(rows, {row, columnOf(e, column, v)}); });
      for (int64_t r = 0; r < tall; ++r)
        for (int64_t v = 0; v < vectors; ++v) e.store(sums[r * vectors + v], gram, at(r, v));
    });
  });
}

void addBlockToGram(KernelEmitter& e, Value rows, Value gram) {
  const int64_t width = e.params.paddedHeadDim;
  Type f32 = e.b.getF32Type();
  e.call("gram_block", {e.blockType({ShapedType::kDynamic, width}, f32), e.blockType({width, width}, f32)}, {rows, gram},
         [](KernelEmitter& in, ValueRange a) { emitGramBlock(in, a[0], a[1]); });
}

void mirrorGram(KernelEmitter& e, Value gram) {
  e.forEach(e.params.paddedHeadDim, 1,
            [&](Value i) { e.forEach(e.index(0), i, 1, [&](Value j) { e.set(e.get(gram, {j, i}), gram, {i, j}); }); });
}

// gram += rowᵀ row, for rows that cannot be taken in blocks.
void addRow(KernelEmitter& e, Value rows, Value row, Value gram) {
  const int64_t width = e.params.paddedHeadDim;
  e.forEach(width, 1, [&](Value i) {
    Value x = e.spread(e.get(rows, {row, i}));
    e.forEach(width, e.lanes(), [&](Value j) { e.store(e.multiplyAdd(x, e.load(rows, {row, j}), e.load(gram, {i, j})), gram, {i, j}); });
  });
}

void addFiniteRows(KernelEmitter& e, Value rows, Value bad, Value lo, Value hi, Value gram) {
  e.forEach(lo, hi, 1, [&](Value row) {
    Value finite = arith::CmpIOp::create(e.b, arith::CmpIPredicate::eq, e.get(bad, {row}), e.i32(0));
    e.when(finite, [&] { addRow(e, rows, row, gram); });
  });
}

}  // namespace

// gram is symmetric before and after.
void emitGram(KernelEmitter& e, ValueRange arguments) {
  Value rows = arguments[0], bad = arguments[1], gram = arguments[2], count = e.dim(rows, 0);
  Value whole = e.mulIndex(arith::DivUIOp::create(e.b, count, e.index(kGramRows)), kGramRows);
  e.forEach(e.index(0), whole, kGramRows, [&](Value first) {
    Value end = e.addIndex(first, e.index(kGramRows));
    Value flags = e.fold(first, end, 1, {e.i32(0)}, [&](Value row, ValueRange carried) {
      return SmallVector<Value>{arith::OrIOp::create(e.b, carried[0], e.get(bad, {row}))};
    })[0];
    Value finite = arith::CmpIOp::create(e.b, arith::CmpIPredicate::eq, flags, e.i32(0));
    e.when(finite, [&] { addBlockToGram(e, e.slice(rows, first, kGramRows), gram); });
    e.when(e.negate(finite), [&] { addFiniteRows(e, rows, bad, first, end, gram); });
  });
  addFiniteRows(e, rows, bad, whole, count, gram);
  mirrorGram(e, gram);
}

void emitAddRows(KernelEmitter& e, ValueRange arguments) {
  Value rows = arguments[0], bad = arguments[1], sum = arguments[2];
  e.forEach(e.index(0), e.dim(rows, 0), 1, [&](Value row) {
    Value finite = arith::CmpIOp::create(e.b, arith::CmpIPredicate::eq, e.get(bad, {row}), e.i32(0));
    e.when(finite, [&] {
      e.forEach(e.params.paddedHeadDim, e.lanes(), [&](Value d) { e.store(e.add(e.load(sum, {d}), e.load(rows, {row, d})), sum, {d}); });
    });
  });
}

}  // namespace hsa::ir

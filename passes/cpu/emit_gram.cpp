// Sums of rowᵀ row: over queries, for the metric in which keys are ordered; over deviations within leaves, for the bands.
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

// (k - μ)/√n of the live keys of a leaf, one row each; zeros behind them.
void emitScaledDeviations(KernelEmitter& e, Value keys, Value order, Value leaf, Value count, Value nodeMean, Value deviation) {
  Value group = arith::DivUIOp::create(e.b, leaf, e.index(kGroupNodes)), place = arith::RemUIOp::create(e.b, leaf, e.index(kGroupNodes));
  Value weight = arith::DivFOp::create(e.b, e.f32s(1), e.sqrt(e.spread(count)));
  Value live = e.toIndex(arith::FPToSIOp::create(e.b, e.b.getI32Type(), count)), slot = e.mulIndex(leaf, kPanelKeys);
  e.forEach(e.params.paddedHeadDim, e.lanes(), [&](Value d) {
    SmallVector<Value> means;
    for (int64_t i = 0; i < e.lanes(); ++i) means.push_back(e.get(nodeMean, {group, e.addIndex(d, e.index(i)), place}));
    Value mean = vector::FromElementsOp::create(e.b, e.f32Vector(), means);
    e.forEach(e.index(0), live, 1, [&](Value i) {
      Value row = e.toIndex(e.get(order, {e.addIndex(slot, i)}));
      e.store(e.mul(e.sub(e.load(keys, {row, d}), mean), weight), deviation, {i, d});
    });
    e.forEach(live, e.index(kPanelKeys), 1, [&](Value i) { e.store(e.f32s(0), deviation, {i, d}); });
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
    e.when(arith::XOrIOp::create(e.b, finite, arith::ConstantIntOp::create(e.b, 1, 1)),
           [&] { addFiniteRows(e, rows, bad, first, end, gram); });
  });
  addFiniteRows(e, rows, bad, whole, count, gram);
  mirrorGram(e, gram);
}

// deviation [17,D] is scratch.
void emitLeafGram(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], order = arguments[1], nodeMean = arguments[2], nodeScalar = arguments[3];
  Value gram = arguments[4], deviation = arguments[5];
  Value leaves = arith::DivUIOp::create(e.b, e.dim(order, 0), e.index(kPanelKeys));
  e.forEach(e.index(0), leaves, 1, [&](Value leaf) {
    Value group = arith::DivUIOp::create(e.b, leaf, e.index(kGroupNodes)), place = arith::RemUIOp::create(e.b, leaf, e.index(kGroupNodes));
    Value count = e.get(nodeScalar, {group, e.index(3), place});
    e.when(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, count, e.f32(0)), [&] {
      emitScaledDeviations(e, keys, order, leaf, count, nodeMean, deviation);
      addBlockToGram(e, e.slice(deviation, e.index(0), kPanelKeys), gram);
    });
  });
  mirrorGram(e, gram);
}

}  // namespace hsa::ir

// What the ordering of a unit's keys needs: its rows in the metric of the queries, and their principal axis.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kAxisRows = 4;  // rows that share the loads of mean and axis
constexpr int64_t kPowerIterations = 5;
constexpr int64_t kAxisSample = 256;  // rows, at most about twice as many, that an axis is found from

// Rows of the scratch of the principal axis.
enum AxisRow : int64_t { kMean, kAxis, kSum, kUnused };

// body(first, kRows) over whole blocks of rows, then body(first, 1) over what is left.
void forEachRowGroup(KernelEmitter& e, Value count, int64_t rows, function_ref<void(Value, int64_t)> body) {
  Value whole = e.mulIndex(arith::DivUIOp::create(e.b, count, e.index(rows)), rows);
  e.forEach(e.index(0), whole, rows, [&](Value first) { body(first, rows); });
  e.forEach(whole, count, 1, [&](Value first) { body(first, 1); });
}

// out[first + r, 0 .. D) = Lᵀk of `rows` rows, and α v behind it.
void emitMetricBlock(KernelEmitter& e, ValueRange arguments, Value first, int64_t rows) {
  Value keys = arguments[0], values = arguments[1], order = arguments[2], metric = arguments[3], out = arguments[5];
  Value alpha = e.spread(e.get(arguments[4], {e.index(0)}));
  SmallVector<Value> from, to;
  for (int64_t r = 0; r < rows; ++r) {
    to.push_back(e.addIndex(first, e.index(r)));
    from.push_back(e.toIndex(e.get(order, {to.back()})));
  }
  const int64_t depth = e.params.paddedHeadDim;
  forEachColumnBlock(e, e.index(0), depth, [&](Value column, int64_t vectors) {
    SmallVector<Value> zeros(rows * vectors, e.f32s(0));
    SmallVector<Value> sums = multiplyRows(
        e, e.index(0), e.index(depth), vectors, zeros, [&](int64_t r, Value d) { return e.get(keys, {from[r], d}); },
        [&](Value d, int64_t v) { return e.load(metric, {d, columnOf(e, column, v)}); });
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v) e.store(sums[r * vectors + v], out, {to[r], columnOf(e, column, v)});
  });
  e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) {
    for (int64_t r = 0; r < rows; ++r) e.store(e.mul(e.load(values, {from[r], c}), alpha), out, {to[r], e.addIndex(c, e.index(depth))});
  });
}

// The rows of x and the scratch of their principal axis, which is found from every `stride`-th of them.
struct AxisWork {
  KernelEmitter& e;
  Value x, axis, count;
  int64_t width;
  Value stride, sampled;

  AxisWork(KernelEmitter& emitter, Value rows, Value scratch, int64_t columns)
      : e(emitter), x(rows), axis(scratch), count(e.dim(rows, 0)), width(columns) {
    stride = e.addIndex(arith::DivUIOp::create(e.b, count, e.index(kAxisSample * 2)), e.index(1));
    sampled = arith::DivUIOp::create(e.b, e.addIndex(count, arith::SubIOp::create(e.b, stride, e.index(1))), stride);
  }

  // body(some rows of the sample), over all of it.
  void forEachSample(function_ref<void(ArrayRef<Value>)> body) {
    forEachRowGroup(e, sampled, kAxisRows, [&](Value first, int64_t rows) {
      SmallVector<Value> at;
      for (int64_t r = 0; r < rows; ++r) at.push_back(arith::MulIOp::create(e.b, e.addIndex(first, e.index(r)), stride));
      body(at);
    });
  }

  Value row(AxisRow which, Value c) { return e.load(axis, {e.index(which), c}); }
  void setRow(AxisRow which, Value c, Value vector) { e.store(vector, axis, {e.index(which), c}); }
  Value deviation(Value row, Value c, Value mean) { return e.sub(e.load(x, {row, c}), mean); }
  void forEachVector(function_ref<void(Value)> body) { e.forEach(width, e.lanes(), body); }
  void clear(AxisRow which) {
    forEachVector([&](Value c) { setRow(which, c, e.f32s(0)); });
  }
};

SmallVector<Value> rowsFrom(KernelEmitter& e, Value first, int64_t rows) {
  SmallVector<Value> all;
  for (int64_t r = 0; r < rows; ++r) all.push_back(e.addIndex(first, e.index(r)));
  return all;
}

// sum = mean of the rows; then sum = Σ (x - mean)² of each column.
void emitColumnMoments(AxisWork& w) {
  KernelEmitter& e = w.e;
  w.clear(kMean);
  w.forEachSample([&](ArrayRef<Value> at) {
    w.forEachVector([&](Value c) {
      Value sum = w.row(kMean, c);
      for (Value row : at) sum = e.add(sum, e.load(w.x, {row, c}));
      w.setRow(kMean, c, sum);
    });
  });
  Value count = arith::SIToFPOp::create(e.b, e.b.getF32Type(), e.toI32(w.sampled));
  Value inverse = e.spread(arith::DivFOp::create(e.b, e.f32(1), count));
  w.forEachVector([&](Value c) { w.setRow(kMean, c, e.mul(w.row(kMean, c), inverse)); });
  w.clear(kSum);
  w.forEachSample([&](ArrayRef<Value> at) {
    w.forEachVector([&](Value c) {
      Value mean = w.row(kMean, c), sum = w.row(kSum, c);
      for (Value row : at) {
        Value x = w.deviation(row, c, mean);
        sum = e.multiplyAdd(x, x, sum);
      }
      w.setRow(kSum, c, sum);
    });
  });
}

// axis = unit vector of the column with the greatest sum, the first of equals.
void emitFirstAxis(AxisWork& w) {
  KernelEmitter& e = w.e;
  SmallVector<Value> best = e.fold(e.index(0), e.index(w.width), 1, {e.f32(-1), e.index(0)}, [&](Value c, ValueRange carried) {
    Value sum = e.get(w.axis, {e.index(kSum), c});
    Value greater = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, sum, carried[0]);
    return SmallVector<Value>{e.select(greater, sum, carried[0]), e.select(greater, c, carried[1])};
  });
  w.clear(kAxis);
  e.set(e.f32(1), w.axis, {e.index(kAxis), best[1]});
}

// (x_r - mean) · axis of some rows.
SmallVector<Value> emitProject(AxisWork& w, ArrayRef<Value> rows) {
  KernelEmitter& e = w.e;
  SmallVector<Value> zeros(rows.size(), e.f32s(0));
  SmallVector<Value> dots = e.fold(e.index(0), e.index(w.width), e.lanes(), zeros, [&](Value c, ValueRange carried) {
    Value mean = w.row(kMean, c), axis = w.row(kAxis, c);
    SmallVector<Value> sums;
    for (auto [row, sum] : llvm::zip_equal(rows, carried)) sums.push_back(e.multiplyAdd(w.deviation(row, c, mean), axis, sum));
    return sums;
  });
  for (Value& dot : dots) dot = e.reduceAdd(dot);
  return dots;
}

// axis = normalize(Σ_s ((x_s - mean)·axis)(x_s - mean)). The sum is scaled by its greatest entry first, so its norm neither overflows nor vanishes.
void emitPowerIteration(AxisWork& w) {
  KernelEmitter& e = w.e;
  w.clear(kSum);
  w.forEachSample([&](ArrayRef<Value> at) {
    SmallVector<Value> weights = emitProject(w, at);
    for (Value& weight : weights) weight = e.spread(weight);
    w.forEachVector([&](Value c) {
      Value mean = w.row(kMean, c), sum = w.row(kSum, c);
      for (auto [row, weight] : llvm::zip_equal(at, weights)) sum = e.multiplyAdd(w.deviation(row, c, mean), weight, sum);
      w.setRow(kSum, c, sum);
    });
  });
  Value greatest = e.fold(e.index(0), e.index(w.width), e.lanes(), {e.f32s(0)}, [&](Value c, ValueRange carried) {
    Value sum = w.row(kSum, c);
    return SmallVector<Value>{e.max(e.max(sum, e.sub(e.f32s(0), sum)), carried[0])};
  })[0];
  greatest = e.reduceMax(greatest);
  Value moved = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, greatest, e.f32(0x1p-126));  // a normal number: it has an inverse
  e.when(moved, [&] {
    Value scale = e.spread(arith::DivFOp::create(e.b, e.f32(1), greatest));
    Value norm2 = e.fold(e.index(0), e.index(w.width), e.lanes(), {e.f32s(0)}, [&](Value c, ValueRange carried) {
      Value scaled = e.mul(w.row(kSum, c), scale);
      return SmallVector<Value>{e.multiplyAdd(scaled, scaled, carried[0])};
    })[0];
    Value norm = e.sqrt(e.spread(e.reduceAdd(norm2)));
    w.forEachVector([&](Value c) { w.setRow(kAxis, c, arith::DivFOp::create(e.b, e.mul(w.row(kSum, c), scale), norm)); });
  });
}

}  // namespace

void emitMetricRows(KernelEmitter& e, ValueRange arguments) {
  forEachRowGroup(e, e.dim(arguments[2], 0), productRows(e),
                  [&](Value first, int64_t rows) { emitMetricBlock(e, arguments, first, rows); });
}

void emitPrincipalAxis(KernelEmitter& e, ValueRange arguments) {
  Value projection = arguments[1];
  AxisWork work(e, arguments[0], arguments[2], e.params.paddedHeadDim + e.params.paddedValueDim);
  emitColumnMoments(work);
  emitFirstAxis(work);
  e.forEach(kPowerIterations, 1, [&](Value) { emitPowerIteration(work); });
  forEachRowGroup(e, work.count, kAxisRows, [&](Value first, int64_t rows) {
    SmallVector<Value> at = rowsFrom(e, first, rows);
    for (auto [row, dot] : llvm::zip_equal(at, emitProject(work, at))) e.set(dot, projection, {row});
  });
}

}  // namespace hsa::ir

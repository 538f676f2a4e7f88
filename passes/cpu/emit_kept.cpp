// Algebra of what is kept: lists become shares, two levels' lists their overlap, and its rows lose what is small. In place where rows stay what they are.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// 1/x, or 0 of an x that is not more than 0.
Value inverseOrZero(KernelEmitter& e, Value x) {
  Value some = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, x, e.f32(0));
  return e.select(some, arith::DivFOp::create(e.b, e.f32(1), x), e.f32(0));
}

void scaleRow(KernelEmitter& e, Value matrix, Value row, Value width, Value factor) {
  Value all = e.spread(factor);
  e.forEach(e.index(0), width, e.lanes(), [&](Value c) { e.store(e.mul(e.load(matrix, {row, c}), all), matrix, {row, c}); });
}

}  // namespace

// Lists are in order: the first of a row is its greatest, so that its power is 1.
void emitKeptShares(KernelEmitter& e, ValueRange arguments) {
  Value count = arguments[0], score = arguments[1], width = e.index(e.params.nearSlots());
  e.forEach(e.index(0), e.dim(count, 0), 1, [&](Value row) {
    Value greatest = e.spread(e.get(score, {row, e.index(0)}));
    e.forEach(e.index(0), width, e.lanes(), [&](Value c) { e.store(e.exp2(e.sub(e.load(score, {row, c}), greatest)), score, {row, c}); });
    Value sum = e.fold(e.index(0), e.toIndex(e.get(count, {row})), 1, {e.f32(0)},
                       [&](Value slot, ValueRange carried) { return SmallVector<Value>{e.add(carried[0], e.get(score, {row, slot}))}; })[0];
    scaleRow(e, score, row, width, inverseOrZero(e, sum));
  });
}

// Token by token, each adds the product of its two lists: what either keeps alone adds nothing.
void emitOverlap(KernelEmitter& e, ValueRange arguments) {
  Value score = arguments[0], splat = arguments[1], count = arguments[2], otherScore = arguments[3], otherSplat = arguments[4],
        otherCount = arguments[5], first = arguments[6], overlap = arguments[7];
  const auto forEachKept = [&](Value counts, Value token, function_ref<void(Value)> body) {
    e.forEach(e.index(0), e.toIndex(e.get(counts, {token})), 1, body);
  };
  const auto place = [&](Value splats, Value token, Value slot, int64_t level) {
    return e.toIndex(arith::SubIOp::create(e.b, e.get(splats, {token, slot}), e.get(first, {e.index(level)})));
  };
  e.forEach(e.index(0), e.dim(count, 0), 1, [&](Value token) {
    forEachKept(count, token, [&](Value slot) {
      Value row = place(splat, token, slot, 0), share = e.get(score, {token, slot});
      forEachKept(otherCount, token, [&](Value other) {
        Value column = place(otherSplat, token, other, 1);
        e.set(e.add(e.get(overlap, {row, column}), e.mul(share, e.get(otherScore, {token, other}))), overlap, {row, column});
      });
    });
  });
}

void emitThresholdRows(KernelEmitter& e, ValueRange arguments) {
  Value least = arguments[0], matrix = arguments[1], width = e.dim(matrix, 1);
  Value share = e.exp2(e.spread(e.get(least, {e.index(0)})));
  e.forEach(e.index(0), e.dim(matrix, 0), 1, [&](Value row) {
    Value most = e.fold(e.index(0), width, e.lanes(), {e.f32s(0)},
                        [&](Value c, ValueRange carried) { return SmallVector<Value>{e.max(carried[0], e.load(matrix, {row, c}))}; })[0];
    Value limit = e.mul(e.spread(e.reduceMax(most)), share);
    Value sum = e.fold(e.index(0), width, e.lanes(), {e.f32s(0)}, [&](Value c, ValueRange carried) {
      Value x = e.load(matrix, {row, c});
      Value kept = e.select(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGE, x, limit), x, e.f32s(0));
      e.store(kept, matrix, {row, c});
      return SmallVector<Value>{e.add(carried[0], kept)};
    })[0];
    scaleRow(e, matrix, row, width, inverseOrZero(e, e.reduceAdd(sum)));
  });
}

}  // namespace hsa::ir

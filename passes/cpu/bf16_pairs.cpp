#include "passes/cpu/bf16_pairs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kUpperHalf = ~int64_t{0xffff};

Type intsOf(KernelEmitter& e) { return e.vectorOf(e.b.getI32Type()); }
VectorType narrowOf(KernelEmitter& e) { return VectorType::get({2 * e.lanes()}, e.b.getBF16Type()); }

}  // namespace

// Half of what is cut off is added.
Value roundFinite(KernelEmitter& e, Value wide) {
  return arith::AddIOp::create(e.b, arith::BitcastOp::create(e.b, intsOf(e), wide), e.i32s(0x8000));
}

// Half of what is cut off, or just below it where the last kept bit is even. A NaN becomes quiet; rounding could carry it into infinity.
Value roundToNearestEven(KernelEmitter& e, Value wide) {
  Value bits = arith::BitcastOp::create(e.b, intsOf(e), wide);
  Value last = arith::AndIOp::create(e.b, arith::ShRUIOp::create(e.b, bits, e.i32s(16)), e.i32s(1));
  Value rounded = arith::AddIOp::create(e.b, bits, arith::AddIOp::create(e.b, last, e.i32s(0x7fff)));
  Value nan = arith::CmpFOp::create(e.b, arith::CmpFPredicate::UNO, wide, wide);
  return e.select(nan, arith::OrIOp::create(e.b, bits, e.i32s(0x400000)), rounded);
}

Value pairUp(KernelEmitter& e, Value lowBits, Value highBits) {
  Value high = arith::AndIOp::create(e.b, highBits, e.i32s(kUpperHalf));
  return arith::OrIOp::create(e.b, arith::ShRUIOp::create(e.b, lowBits, e.i32s(16)), high);
}

void storePairs(KernelEmitter& e, Value pairs, Value memref, ValueRange at) {
  e.store(vector::BitCastOp::create(e.b, narrowOf(e), pairs), memref, at);
}

void forEachPairBlock(KernelEmitter& e, function_ref<void(Value, bool)> body) {
  const int64_t whole = e.params.paddedHeadDim / kPairPanelKeys;
  if (whole > 0) e.forEach(whole, 1, [&](Value block) { body(block, /*upper=*/true); });
  if (e.params.paddedHeadDim % kPairPanelKeys != 0) body(e.index(whole), /*upper=*/false);
}

Unpaired loadPairs(KernelEmitter& e, Value memref, ValueRange at) {
  Value loaded = vector::LoadOp::create(e.b, narrowOf(e), memref, at);
  Value pairs = vector::BitCastOp::create(e.b, cast<VectorType>(intsOf(e)), loaded);
  Value low = arith::ShLIOp::create(e.b, pairs, e.i32s(16)), high = arith::AndIOp::create(e.b, pairs, e.i32s(kUpperHalf));
  return {arith::BitcastOp::create(e.b, e.f32Vector(), low), arith::BitcastOp::create(e.b, e.f32Vector(), high)};
}

}  // namespace hsa::ir

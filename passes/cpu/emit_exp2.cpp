// 2^x and log2 x on vectors of f32.
#include "kernels/exp2.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// 2^⌊x⌋ p(x - ⌊x⌋) on AVX-512: one instruction takes the fraction, one scales by the floor that it takes itself. Lanes whose bit of `keep`, an i16, is 0 are 0.
Value exp2ByFloor(KernelEmitter& e, Value x, ArrayRef<double> powers, double factor, Value keep) {
  constexpr int64_t kDownToInteger = 0x09, kCurrentRounding = 4;  // imm8 of vreduceps: what is left behind rounding down to 0 fraction bits
  auto intrinsic = [&](StringRef name, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(e.b, Type(e.f32Vector()), e.b.getStringAttr(name), operands)->getResult(0);
  };
  Value all = arith::ConstantOp::create(e.b, e.b.getI16IntegerAttr(-1)), none = e.f32s(0), rounding = e.i32(kCurrentRounding);
  Value f = intrinsic("llvm.x86.avx512.mask.reduce.ps.512", {x, e.i32(kDownToInteger), none, all, rounding});
  Value poly = e.f32s(factor * powers.back());
  for (double c : llvm::reverse(powers.drop_back())) poly = e.multiplyAdd(poly, f, e.f32s(factor * c));
  return intrinsic("llvm.x86.avx512.mask.scalef.ps.512", {poly, x, none, keep ? keep : all, rounding});
}

// A condition of each lane as the bits of an i16.
Value maskBits(KernelEmitter& e, Value condition) {
  Value bits = vector::BitCastOp::create(e.b, VectorType::get({1}, e.b.getI16Type()), condition);
  return vector::ExtractOp::create(e.b, bits, ArrayRef<int64_t>{0});
}

}  // namespace

// x < -127 gives 0 (a masked -inf as well), NaN stays NaN: the clamp and the comparison are written so that a NaN passes them.
Value KernelEmitter::exp2(Value x) {
  if (tile.lanes == 16) {
    constexpr double kLeastNormal = -126;
    Value normal = arith::CmpFOp::create(b, arith::CmpFPredicate::UGE, x, f32s(kLeastNormal));
    return exp2ByFloor(*this, x, kExp2FloorPoly, 1, maskBits(*this, normal));
  }
  x = max(f32s(kExp2Least), x);
  Value shifted = add(x, f32s(kExp2Magic));
  Value f = sub(x, sub(shifted, f32s(kExp2Magic)));
  Value poly = f32s(kExp2Poly.back());
  for (double c : llvm::reverse(ArrayRef(kExp2Poly).drop_back())) poly = multiplyAdd(poly, f, f32s(c));
  Value bits = arith::BitcastOp::create(b, vectorOf(b.getI32Type()), shifted);
  Value power = arith::BitcastOp::create(b, f32Vector(), arith::ShLIOp::create(b, bits, i32s(23)));
  return mul(poly, power);
}

Value KernelEmitter::exp2Coarse(Value x, double factor) { return exp2ByFloor(*this, x, kExp2CoarsePoly, factor, {}); }

// x = 2^n m, √½ ≤ m < √2; log2 m = 2/ln2 (t + t³/3 + …), t = (m - 1)/(m + 1), |t| < 0.172: error below 4e-10 before rounding.
Value KernelEmitter::log2(Value x) {
  Type ints = vectorOf(b.getI32Type());
  constexpr int64_t kSqrtHalf = 0x3f3504f3;  // bits of √½
  Value bits = arith::BitcastOp::create(b, ints, x);
  Value offset = arith::SubIOp::create(b, bits, i32s(kSqrtHalf));
  Value n = arith::ShRSIOp::create(b, offset, i32s(23));
  Value mantissa = arith::SubIOp::create(b, bits, arith::ShLIOp::create(b, n, i32s(23)));
  Value m = arith::BitcastOp::create(b, f32Vector(), mantissa);
  Value t = arith::DivFOp::create(b, sub(m, f32s(1)), add(m, f32s(1)));
  Value t2 = mul(t, t);
  constexpr double kTwoOverLn2 = 2.8853900817779268;
  Value poly = f32s(kTwoOverLn2 / 9);
  for (int odd : {7, 5, 3, 1}) poly = multiplyAdd(poly, t2, f32s(kTwoOverLn2 / odd));
  Value result = multiplyAdd(poly, t, arith::SIToFPOp::create(b, f32Vector(), n));
  // 0 → -inf; Inf and NaN as they are (a denormal sum cannot occur: sums of weights are 0 or at least 2^-126).
  Value positive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, f32s(0));
  Value finite = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, f32s(std::numeric_limits<float>::infinity()));
  Value zero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, f32s(0));
  Value special = select(zero, f32s(-std::numeric_limits<float>::infinity()), x);
  return select(arith::AndIOp::create(b, positive, finite), result, special);
}

}  // namespace hsa::ir

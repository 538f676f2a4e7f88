// Numbers and vectors → LLVM IR, op by op.
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/export/function_translator.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

llvm::CmpInst::Predicate predicateOf(arith::CmpIPredicate predicate) {
  using P = arith::CmpIPredicate;
  using L = llvm::CmpInst;
  switch (predicate) {
    case P::eq:
      return L::ICMP_EQ;
    case P::ne:
      return L::ICMP_NE;
    case P::slt:
      return L::ICMP_SLT;
    case P::sle:
      return L::ICMP_SLE;
    case P::sgt:
      return L::ICMP_SGT;
    case P::sge:
      return L::ICMP_SGE;
    case P::ult:
      return L::ICMP_ULT;
    case P::ule:
      return L::ICMP_ULE;
    case P::ugt:
      return L::ICMP_UGT;
    case P::uge:
      return L::ICMP_UGE;
  }
  llvm_unreachable("every predicate is above");
}

llvm::CmpInst::Predicate predicateOf(arith::CmpFPredicate predicate) {
  using P = arith::CmpFPredicate;
  using L = llvm::CmpInst;
  switch (predicate) {
    case P::AlwaysFalse:
      return L::FCMP_FALSE;
    case P::OEQ:
      return L::FCMP_OEQ;
    case P::OGT:
      return L::FCMP_OGT;
    case P::OGE:
      return L::FCMP_OGE;
    case P::OLT:
      return L::FCMP_OLT;
    case P::OLE:
      return L::FCMP_OLE;
    case P::ONE:
      return L::FCMP_ONE;
    case P::ORD:
      return L::FCMP_ORD;
    case P::UEQ:
      return L::FCMP_UEQ;
    case P::UGT:
      return L::FCMP_UGT;
    case P::UGE:
      return L::FCMP_UGE;
    case P::ULT:
      return L::FCMP_ULT;
    case P::ULE:
      return L::FCMP_ULE;
    case P::UNE:
      return L::FCMP_UNE;
    case P::UNO:
      return L::FCMP_UNO;
    case P::AlwaysTrue:
      return L::FCMP_TRUE;
  }
  llvm_unreachable("every predicate is above");
}

// The only flag that emitters give: a product may be fused with the sum behind it.
llvm::FastMathFlags flagsOf(Operation& op) {
  llvm::FastMathFlags flags;
  if (auto math = dyn_cast<arith::ArithFastMathInterface>(op))
    flags.setAllowContract(arith::bitEnumContainsAll(math.getFastMathFlagsAttr().getValue(), arith::FastMathFlags::contract));
  return flags;
}

llvm::Intrinsic::ID reductionOf(vector::CombiningKind kind) {
  using K = vector::CombiningKind;
  switch (kind) {
    case K::ADD:
      return llvm::Intrinsic::vector_reduce_add;
    case K::MINSI:
      return llvm::Intrinsic::vector_reduce_smin;
    case K::MAXSI:
      return llvm::Intrinsic::vector_reduce_smax;
    case K::AND:
      return llvm::Intrinsic::vector_reduce_and;
    case K::OR:
      return llvm::Intrinsic::vector_reduce_or;
    default:
      return llvm::Intrinsic::not_intrinsic;
  }
}

}  // namespace

llvm::Constant* FunctionTranslator::constant(arith::ConstantOp op) {
  llvm::Type* scalar = type(getElementTypeOrSelf(op.getType()));
  auto element = [&](Attribute attribute) -> llvm::Constant* {
    if (auto number = dyn_cast<FloatAttr>(attribute)) return llvm::ConstantFP::get(scalar, number.getValue());
    return llvm::ConstantInt::get(scalar, cast<IntegerAttr>(attribute).getValue());
  };
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense) return element(op.getValue());
  // Numbers are read as they are, not as attributes, which would have to be made.
  auto numbers = [&](auto values) {
    llvm::SmallVector<llvm::Constant*> all;
    for (const auto& number : values) all.push_back(llvm::ConstantInt::get(function_.getContext(), number));
    return all;
  };
  llvm::SmallVector<llvm::Constant*> all;
  if (dense.getElementType().isIntOrIndex())
    all = numbers(dense.getValues<APInt>());
  else
    for (const APFloat& number : dense.getValues<APFloat>()) all.push_back(llvm::ConstantFP::get(scalar, number));
  return llvm::ConstantVector::get(all);
}

llvm::Value* FunctionTranslator::translateInteger(Operation& op) {
  auto operand = [&](unsigned i) { return value(op.getOperand(i)); };
  auto binary = [&](llvm::Instruction::BinaryOps code) { return b.CreateBinOp(code, operand(0), operand(1)); };
  auto to = [&](llvm::Instruction::CastOps code) { return b.CreateCast(code, operand(0), type(op.getResult(0).getType())); };
  using I = llvm::Instruction;
  return llvm::TypeSwitch<Operation*, llvm::Value*>(&op)
      .Case([&](arith::AddIOp) { return binary(I::Add); })
      .Case([&](arith::SubIOp) { return binary(I::Sub); })
      .Case([&](arith::MulIOp) { return binary(I::Mul); })
      .Case([&](arith::DivUIOp) { return binary(I::UDiv); })
      .Case([&](arith::RemUIOp) { return binary(I::URem); })
      .Case([&](arith::DivSIOp) { return binary(I::SDiv); })
      .Case([&](arith::RemSIOp) { return binary(I::SRem); })
      .Case([&](arith::AndIOp) { return binary(I::And); })
      .Case([&](arith::OrIOp) { return binary(I::Or); })
      .Case([&](arith::XOrIOp) { return binary(I::Xor); })
      .Case([&](arith::ShLIOp) { return binary(I::Shl); })
      .Case([&](arith::ShRUIOp) { return binary(I::LShr); })
      .Case([&](arith::ShRSIOp) { return binary(I::AShr); })
      .Case([&](arith::MaxSIOp) { return b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, operand(0), operand(1)); })
      .Case([&](arith::MinSIOp) { return b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, operand(0), operand(1)); })
      .Case([&](arith::MaxUIOp) { return b.CreateBinaryIntrinsic(llvm::Intrinsic::umax, operand(0), operand(1)); })
      .Case([&](arith::MinUIOp) { return b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, operand(0), operand(1)); })
      .Case([&](arith::CmpIOp compare) { return b.CreateICmp(predicateOf(compare.getPredicate()), operand(0), operand(1)); })
      .Case([&](math::CtPopOp) { return b.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, operand(0)); })
      .Case([&](math::CountTrailingZerosOp) {
        return b.CreateIntrinsic(llvm::Intrinsic::cttz, {operand(0)->getType()}, {operand(0), b.getFalse()});
      })
      .Case([&](arith::IndexCastOp) { return b.CreateSExtOrTrunc(operand(0), type(op.getResult(0).getType())); })
      .Case([&](arith::IndexCastUIOp) { return b.CreateZExtOrTrunc(operand(0), type(op.getResult(0).getType())); })
      .Case([&](arith::ExtUIOp) { return to(I::ZExt); })
      .Case([&](arith::ExtSIOp) { return to(I::SExt); })
      .Case([&](arith::TruncIOp) { return to(I::Trunc); })
      .Default([](Operation*) { return nullptr; });
}

llvm::Value* FunctionTranslator::translateFloat(Operation& op) {
  auto operand = [&](unsigned i) { return value(op.getOperand(i)); };
  auto binary = [&](llvm::Instruction::BinaryOps code) { return b.CreateBinOp(code, operand(0), operand(1)); };
  auto to = [&](llvm::Instruction::CastOps code) { return b.CreateCast(code, operand(0), type(op.getResult(0).getType())); };
  using I = llvm::Instruction;
  llvm::IRBuilderBase::FastMathFlagGuard guard(b);
  b.setFastMathFlags(flagsOf(op));
  return llvm::TypeSwitch<Operation*, llvm::Value*>(&op)
      .Case([&](arith::AddFOp) { return binary(I::FAdd); })
      .Case([&](arith::SubFOp) { return binary(I::FSub); })
      .Case([&](arith::MulFOp) { return binary(I::FMul); })
      .Case([&](arith::DivFOp) { return binary(I::FDiv); })
      .Case([&](arith::NegFOp) { return b.CreateFNeg(operand(0)); })
      .Case([&](math::SqrtOp) { return b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, operand(0)); })
      .Case([&](math::AbsFOp) { return b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, operand(0)); })
      .Case([&](math::FmaOp) {
        return b.CreateIntrinsic(llvm::Intrinsic::fma, {operand(0)->getType()}, {operand(0), operand(1), operand(2)});
      })
      .Case([&](arith::CmpFOp compare) { return b.CreateFCmp(predicateOf(compare.getPredicate()), operand(0), operand(1)); })
      .Case([&](arith::SIToFPOp) { return to(I::SIToFP); })
      .Case([&](arith::UIToFPOp) { return to(I::UIToFP); })
      .Case([&](arith::FPToSIOp) { return to(I::FPToSI); })
      .Case([&](arith::ExtFOp) { return to(I::FPExt); })
      .Case([&](arith::TruncFOp) { return to(I::FPTrunc); })
      .Default([](Operation*) { return nullptr; });
}

// Vectors have one dimension.
llvm::Value* FunctionTranslator::translateVector(Operation& op) {
  auto operand = [&](unsigned i) { return value(op.getOperand(i)); };
  return llvm::TypeSwitch<Operation*, llvm::Value*>(&op)
      .Case([&](arith::SelectOp) { return b.CreateSelect(operand(0), operand(1), operand(2)); })
      .Case([&](arith::BitcastOp) { return b.CreateBitCast(operand(0), type(op.getResult(0).getType())); })
      .Case([&](vector::BitCastOp cast) { return b.CreateBitCast(operand(0), type(cast.getType())); })
      .Case([&](vector::BroadcastOp broadcast) -> llvm::Value* {
        if (isa<VectorType>(broadcast.getSourceType())) return nullptr;
        return b.CreateVectorSplat(broadcast.getResultVectorType().getNumElements(), operand(0));
      })
      .Case([&](vector::ShuffleOp shuffle) {
        return b.CreateShuffleVector(operand(0), operand(1), llvm::SmallVector<int>(shuffle.getMask()));
      })
      .Case([&](vector::ExtractOp extract) -> llvm::Value* {
        if (extract.getStaticPosition().size() != 1 || extract.hasDynamicPosition()) return nullptr;
        return b.CreateExtractElement(operand(0), extract.getStaticPosition()[0]);
      })
      .Case([&](vector::FromElementsOp elements) {
        llvm::Value* vector = llvm::PoisonValue::get(type(elements.getType()));
        for (unsigned i = 0; i < op.getNumOperands(); ++i) vector = b.CreateInsertElement(vector, operand(i), i);
        return vector;
      })
      .Case([&](vector::ReductionOp reduction) -> llvm::Value* {
        const llvm::Intrinsic::ID id = reductionOf(reduction.getKind());
        if (id == llvm::Intrinsic::not_intrinsic || reduction.getAcc()) return nullptr;
        return b.CreateUnaryIntrinsic(id, operand(0));
      })
      .Default([](Operation*) { return nullptr; });
}

llvm::Value* FunctionTranslator::translateNumber(Operation& op) {
  if (op.getNumResults() != 1) return nullptr;
  if (llvm::Value* number = translateFloat(op)) return number;
  if (llvm::Value* number = translateInteger(op)) return number;
  return translateVector(op);
}

}  // namespace hsa::ir

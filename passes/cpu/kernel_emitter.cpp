#include "passes/cpu/kernel_emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT: an emitter reads like IR

VectorType KernelEmitter::vectorOf(Type element) const { return VectorType::get({tile.lanes}, element); }

Value KernelEmitter::index(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
Value KernelEmitter::f32(double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(static_cast<float>(value))); }
Value KernelEmitter::i32(int64_t value) { return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(value))); }
Value KernelEmitter::f32s(double value) {
  return arith::ConstantOp::create(b, DenseElementsAttr::get(f32Vector(), static_cast<float>(value)));
}
Value KernelEmitter::i32s(int64_t value) {
  return arith::ConstantOp::create(b, DenseElementsAttr::get(vectorOf(b.getI32Type()), static_cast<int32_t>(value)));
}

// `contract` alone lets the target fuse; it never lets it reorder.
Value KernelEmitter::multiplyAdd(Value a, Value x, Value y) {
  auto contract = arith::FastMathFlagsAttr::get(b.getContext(), arith::FastMathFlags::contract);
  Value product = arith::MulFOp::create(b, a.getType(), a, x, contract);
  return arith::AddFOp::create(b, a.getType(), product, y, contract);
}
Value KernelEmitter::add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
Value KernelEmitter::sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value KernelEmitter::mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
Value KernelEmitter::max(Value x, Value y) { return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y), x, y); }
Value KernelEmitter::min(Value x, Value y) { return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y), x, y); }
Value KernelEmitter::sqrt(Value x) { return math::SqrtOp::create(b, x); }

Value KernelEmitter::addIndex(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
Value KernelEmitter::maxIndex(Value x, Value y) { return arith::MaxUIOp::create(b, x, y); }
Value KernelEmitter::minIndex(Value x, Value y) { return arith::MinUIOp::create(b, x, y); }
Value KernelEmitter::mulIndex(Value x, int64_t factor) { return arith::MulIOp::create(b, x, index(factor)); }
Value KernelEmitter::toIndex(Value value) { return arith::IndexCastOp::create(b, b.getIndexType(), value); }
Value KernelEmitter::toI32(Value value) { return arith::IndexCastOp::create(b, b.getI32Type(), value); }
Value KernelEmitter::spread(Value scalar) { return vector::BroadcastOp::create(b, vectorOf(scalar.getType()), scalar); }
Value KernelEmitter::select(Value condition, Value yes, Value no) { return arith::SelectOp::create(b, condition, yes, no); }

// Halves are folded onto each other; lane 0 ends up with all.
static Value reduceLanes(KernelEmitter& e, Value vector, function_ref<Value(Value, Value)> combine) {
  const int64_t lanes = e.lanes();
  for (int64_t half = lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> swapped;
    for (int64_t i = 0; i < lanes; ++i) swapped.push_back(i ^ half);
    vector = combine(vector, vector::ShuffleOp::create(e.b, vector, vector, swapped));
  }
  return vector::ExtractOp::create(e.b, vector, ArrayRef<int64_t>{0});
}
Value KernelEmitter::any(Value condition) { return vector::ReductionOp::create(b, vector::CombiningKind::OR, condition); }
Value KernelEmitter::negate(Value condition) {
  Value holds = arith::ConstantIntOp::create(b, 1, 1);
  if (isa<VectorType>(condition.getType())) holds = vector::BroadcastOp::create(b, condition.getType(), holds);
  return arith::XOrIOp::create(b, condition, holds);
}
Value KernelEmitter::bitsOf(Value condition) {
  Type word = b.getIntegerType(static_cast<unsigned>(lanes()));
  Value packed = vector::BitCastOp::create(b, VectorType::get({1}, word), condition);
  return arith::ExtUIOp::create(b, b.getI64Type(), vector::ExtractOp::create(b, packed, ArrayRef<int64_t>{0}));
}
Value KernelEmitter::reduceMax(Value vector) {
  return reduceLanes(*this, vector, [&](Value x, Value y) { return max(x, y); });
}
Value KernelEmitter::reduceAdd(Value vector) {
  return reduceLanes(*this, vector, [&](Value x, Value y) { return add(x, y); });
}

Value KernelEmitter::load(Value memref, ValueRange at) {
  auto element = cast<MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(b, vectorOf(element), memref, at);
}
void KernelEmitter::store(Value value, Value memref, ValueRange at) { vector::StoreOp::create(b, value, memref, at); }
Value KernelEmitter::get(Value memref, ValueRange at) { return memref::LoadOp::create(b, memref, at); }
void KernelEmitter::set(Value scalar, Value memref, ValueRange at) { memref::StoreOp::create(b, scalar, memref, at); }
Value KernelEmitter::dim(Value memref, int64_t dimension) { return memref::DimOp::create(b, memref, dimension); }

Value KernelEmitter::sumOfLanes(Value sums, Value row) {
  Value total = load(sums, {row, index(0)});
  for (int64_t lane = lanes(); lane < kSumLanes; lane += lanes()) total = add(total, load(sums, {row, index(lane)}));
  return reduceAdd(total);
}

// The offset is computed here: a subview would need two more passes to say the same.
Value KernelEmitter::view(Value memref, Value offset, ArrayRef<int64_t> shape) {
  MemRefType type = blockType(shape, cast<MemRefType>(memref.getType()).getElementType());
  SmallVector<OpFoldResult> sizes, strides;
  for (auto [size, stride] : llvm::zip_equal(shape, cast<StridedLayoutAttr>(type.getLayout()).getStrides())) {
    sizes.push_back(b.getIndexAttr(size));
    strides.push_back(b.getIndexAttr(stride));
  }
  return memref::ReinterpretCastOp::create(b, type, memref, OpFoldResult(offset), sizes, strides);
}
Value KernelEmitter::slice(Value memref, Value first, int64_t count) {
  SmallVector<int64_t> shape(cast<MemRefType>(memref.getType()).getShape());
  shape[0] = count;
  int64_t stride = 1;
  for (int64_t size : ArrayRef(shape).drop_front()) stride *= size;
  return view(memref, mulIndex(first, stride), shape);
}
Value KernelEmitter::reshape(Value block, ArrayRef<int64_t> shape) {
  auto metadata = memref::ExtractStridedMetadataOp::create(b, block);
  return view(metadata.getBaseBuffer(), metadata.getOffset(), shape);
}

Value KernelEmitter::bytes(Value memref) {
  constexpr int64_t kLine = 64;
  return UnrealizedConversionCastOp::create(b, blockType({ShapedType::kDynamic, kLine}, b.getI8Type()), memref).getResult(0);
}
void KernelEmitter::prefetch(Value memref, ValueRange at) {
  constexpr int kSecondLevel = 2;  // of 3, the nearest
  memref::PrefetchOp::create(b, memref, at, /*isWrite=*/false, kSecondLevel, /*isDataCache=*/true);
}
Value KernelEmitter::bits(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  Type element = b.getIntegerType(type.getElementTypeBitWidth());
  return UnrealizedConversionCastOp::create(b, MemRefType::get(type.getShape(), element, type.getLayout()), memref).getResult(0);
}
Value KernelEmitter::local(ArrayRef<int64_t> shape) { return memref::AllocaOp::create(b, MemRefType::get(shape, b.getF32Type())); }

// bf16 is the upper half of an f32. f16: exponent and mantissa moved into place and rescaled by 2^112, which is exact and
// serves denormals; a full exponent (Inf, NaN) is put back by hand.
static Value widenBits(KernelEmitter& e, Value narrow) {
  auto& b = e.b;
  Type element = getElementTypeOrSelf(narrow.getType());
  if (element.isF32()) return narrow;
  auto vector = dyn_cast<VectorType>(narrow.getType());
  auto like = [&](Type t) -> Type { return vector ? Type(VectorType::get(vector.getShape(), t)) : t; };
  auto number = [&](int64_t v) -> Value {
    Value c = e.i32(v);
    return vector ? Value(vector::BroadcastOp::create(b, like(b.getI32Type()), c)) : c;
  };
  Value bits = arith::BitcastOp::create(b, like(b.getI16Type()), narrow);
  bits = arith::ExtUIOp::create(b, like(b.getI32Type()), bits);
  if (element.isBF16()) return arith::BitcastOp::create(b, like(b.getF32Type()), arith::ShLIOp::create(b, bits, number(16)));
  Value magnitude = arith::AndIOp::create(b, bits, number(0x7fff));
  Value sign = arith::ShLIOp::create(b, arith::AndIOp::create(b, bits, number(0x8000)), number(16));
  Value moved = arith::ShLIOp::create(b, magnitude, number(13));
  Value factor = e.f32(0x1p112);
  if (vector) factor = vector::BroadcastOp::create(b, like(b.getF32Type()), factor);
  Value finite = arith::BitcastOp::create(b, like(b.getI32Type()),
                                          arith::MulFOp::create(b, arith::BitcastOp::create(b, like(b.getF32Type()), moved), factor));
  Value full = arith::OrIOp::create(b, moved, number(0x7f800000));
  Value special = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, magnitude, number(0x7c00));
  Value result = arith::OrIOp::create(b, sign, arith::SelectOp::create(b, special, full, finite));
  return arith::BitcastOp::create(b, like(b.getF32Type()), result);
}
Value KernelEmitter::widen(Value memref, ValueRange at) { return widenBits(*this, load(memref, at)); }
Value KernelEmitter::widenScalar(Value element) { return widenBits(*this, element); }

void KernelEmitter::forEach(Value lo, Value hi, int64_t step, function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, lo, hi, index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

SmallVector<Value> KernelEmitter::fold(Value lo, Value hi, int64_t step, ValueRange init,
                                       function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, lo, hi, index(step), init, [&](OpBuilder&, Location, Value i, ValueRange carried) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(i.getParentBlock());
    scf::YieldOp::create(b, body(i, carried));
  });
  return SmallVector<Value>(loop.getResults());
}

void KernelEmitter::when(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

Value KernelEmitter::rarely(Value condition, Value otherwise, function_ref<Value()> body) {
  auto branch = scf::IfOp::create(b, TypeRange{otherwise.getType()}, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(branch.thenBlock());
  scf::YieldOp::create(b, body());
  b.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(b, otherwise);
  return branch.getResult(0);
}

Value KernelEmitter::liveRows() { return tileRows ? toIndex(get(tileRows, {index(0)})) : index(params.tileQueries); }

void KernelEmitter::forEachRowBlock(function_ref<void(Value, int64_t)> body) {
  const int64_t whole = params.tileQueries / tile.rows * tile.rows, rest = params.tileQueries - whole;
  Value live = liveRows();
  if (whole > 0) forEach(index(0), minIndex(live, index(whole)), tile.rows, [&](Value first) { body(first, tile.rows); });
  if (rest == 0) return;
  when(arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, live, index(whole)), [&] { body(index(whole), rest); });
}

MemRefType KernelEmitter::blockType(ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i) strides[i] = strides[i + 1] * shape[i + 1];
  return MemRefType::get(shape, element, StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, strides));
}

func::FuncOp KernelEmitter::call(StringRef base, ArrayRef<MemRefType> types, ValueRange arguments,
                                 function_ref<void(KernelEmitter&, ValueRange)> body) {
  const std::string name = tileRows ? base.str() : base.str() + "_all";  // rows
  SmallVector<Value> passed(arguments);
  SmallVector<Type> inputs(types.begin(), types.end());
  if (tileRows) passed.push_back(tileRows), inputs.push_back(blockType({1}, b.getI32Type()));
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(module.getBody());
    function = func::FuncOp::create(b, name, b.getFunctionType(inputs, {}));
    function.setPrivate();
    function->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));  // one copy, shared by the entries
    b.setInsertionPointToStart(function.addEntryBlock());
    ValueRange given = function.getArguments();
    Value outside = std::exchange(tileRows, tileRows ? given.back() : Value());
    body(*this, given.take_front(types.size()));
    tileRows = outside;
    func::ReturnOp::create(b);
  }
  SmallVector<Value> operands;
  for (auto [argument, type] : llvm::zip_equal(passed, function.getFunctionType().getInputs()))
    operands.push_back(argument.getType() == type ? argument : Value(memref::CastOp::create(b, type, argument)));
  func::CallOp::create(b, function, operands);
  return function;
}

}  // namespace hsa::ir

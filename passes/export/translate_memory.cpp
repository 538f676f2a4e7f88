// Memrefs → pointers. An address is base + Σ index · stride, taken apart so that loops stay cheap without strength reduction: what an outer loop knows
// is added first and hoisted, the constant comes last and becomes the displacement of the instruction.
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/export/function_translator.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

llvm::SmallVector<int64_t, 4> stridesOf(MemRefType type) {
  if (auto strided = dyn_cast<StridedLayoutAttr>(type.getLayout())) return llvm::SmallVector<int64_t, 4>(strided.getStrides());
  llvm::SmallVector<int64_t, 4> strides(type.getRank(), 1);
  for (int64_t d = type.getRank() - 2; d >= 0; --d) strides[d] = strides[d + 1] * type.getDimSize(d + 1);
  return strides;
}

bool hasDynamicOffset(MemRefType type) {
  auto strided = dyn_cast<StridedLayoutAttr>(type.getLayout());
  return strided && ShapedType::isDynamic(strided.getOffset());
}

namespace {

// index · scale of an address.
struct Term {
  Value index;
  int64_t scale;
  unsigned depth;  // loops around the index's definition
};

unsigned depthOf(Value value) {
  unsigned depth = 0;
  for (Operation* op = value.getParentBlock()->getParentOp(); op && !isa<func::FuncOp>(op); op = op->getParentOp())
    depth += isa<scf::ForOp>(op);
  return depth;
}

// index · scale as a constant and a sum of terms, outermost first. Exact: indices wrap like addresses, at 2^64.
void addTerms(Value index, int64_t scale, llvm::SmallVectorImpl<Term>& terms, int64_t& sum) {
  APInt number;
  if (matchPattern(index, m_ConstantInt(&number))) {
    sum += scale * number.getSExtValue();
  } else if (auto add = index.getDefiningOp<arith::AddIOp>()) {
    addTerms(add.getLhs(), scale, terms, sum);
    addTerms(add.getRhs(), scale, terms, sum);
  } else if (auto mul = index.getDefiningOp<arith::MulIOp>(); mul && matchPattern(mul.getRhs(), m_ConstantInt(&number))) {
    addTerms(mul.getLhs(), scale * number.getSExtValue(), terms, sum);
  } else {
    const Term term{index, scale, depthOf(index)};
    terms.insert(llvm::upper_bound(terms, term, [](const Term& x, const Term& y) { return x.depth < y.depth; }), term);
  }
}

}  // namespace

llvm::Value* FunctionTranslator::size(Value memref, unsigned dimension) {
  auto type = cast<MemRefType>(memref.getType());
  return type.isDynamicDim(dimension) ? memories_[memref].sizes[dimension] : b.getInt64(type.getDimSize(dimension));
}

llvm::Value* FunctionTranslator::stride(Value memref, unsigned dimension) {
  const int64_t known = stridesOf(cast<MemRefType>(memref.getType()))[dimension];
  return ShapedType::isDynamic(known) ? memories_[memref].strides[dimension] : b.getInt64(known);
}

Memory FunctionTranslator::as(Value memref, MemRefType type) {
  Memory memory{memories_[memref].base, {}, {}};
  for (auto [d, known] : llvm::enumerate(stridesOf(type))) {
    memory.sizes.push_back(type.isDynamicDim(d) ? size(memref, d) : nullptr);
    memory.strides.push_back(ShapedType::isDynamic(known) ? stride(memref, d) : nullptr);
  }
  return memory;
}

// `scales` are in elements; where one is kDynamic the scale is in `dynamicScales`.
llvm::Value* FunctionTranslator::addressOf(llvm::Value* base, Type element, ArrayRef<Value> indices, ArrayRef<int64_t> scales,
                                           ArrayRef<llvm::Value*> dynamicScales) {
  const int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  llvm::SmallVector<Term> terms;
  int64_t sum = 0;
  for (auto [index, scale, dynamic] : llvm::zip_equal(indices, scales, dynamicScales)) {
    if (!ShapedType::isDynamic(scale))
      addTerms(index, scale * bytes, terms, sum);
    else
      base = b.CreateGEP(type(element), base, b.CreateMul(value(index), dynamic));
  }
  for (const Term& term : terms) {
    const bool scaled = term.scale == 2 || term.scale == 4 || term.scale == 8;  // the instruction multiplies
    llvm::Type* unit = b.getIntNTy(scaled ? 8 * term.scale : 8);
    llvm::Value* index = value(term.index);
    base = b.CreateGEP(unit, base, scaled ? index : b.CreateMul(index, b.getInt64(term.scale)));
  }
  return sum == 0 ? base : b.CreateGEP(b.getInt8Ty(), base, b.getInt64(sum));
}

llvm::Value* FunctionTranslator::address(Value memref, ValueRange at) {
  const llvm::SmallVector<Value> indices(at);
  auto type = cast<MemRefType>(memref.getType());
  const auto scales = stridesOf(type);
  const Memory& memory = memories_[memref];
  llvm::SmallVector<llvm::Value*> dynamicScales(memory.strides.begin(), memory.strides.end());
  dynamicScales.resize(scales.size());
  return addressOf(memory.base, type.getElementType(), indices, scales, dynamicScales);
}

bool FunctionTranslator::translateMemory(Operation& op) {
  auto alignment = [](Value memref) { return llvm::Align(cast<MemRefType>(memref.getType()).getElementTypeBitWidth() / 8); };
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    values_[load.getResult()] =
        b.CreateAlignedLoad(type(load.getType()), address(load.getMemRef(), load.getIndices()), alignment(load.getMemRef()));
  } else if (auto load = dyn_cast<vector::LoadOp>(op)) {
    values_[load.getResult()] =
        b.CreateAlignedLoad(type(load.getType()), address(load.getBase(), load.getIndices()), alignment(load.getBase()));
  } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
    b.CreateAlignedStore(value(store.getValue()), address(store.getMemRef(), store.getIndices()), alignment(store.getMemRef()));
  } else if (auto store = dyn_cast<vector::StoreOp>(op)) {
    b.CreateAlignedStore(value(store.getValueToStore()), address(store.getBase(), store.getIndices()), alignment(store.getBase()));
  } else if (auto prefetch = dyn_cast<memref::PrefetchOp>(op)) {
    b.CreateIntrinsic(llvm::Intrinsic::prefetch, {b.getPtrTy()},
                      {address(prefetch.getMemref(), prefetch.getIndices()), b.getInt32(prefetch.getIsWrite()),
                       b.getInt32(prefetch.getLocalityHint()), b.getInt32(prefetch.getIsDataCache())});
  } else if (auto local = dyn_cast<memref::AllocaOp>(op)) {
    llvm::IRBuilder<>::InsertPointGuard guard(b);
    b.SetInsertPoint(&function_.getEntryBlock(), function_.getEntryBlock().begin());
    llvm::AllocaInst* array =
        b.CreateAlloca(llvm::ArrayType::get(type(local.getType().getElementType()), local.getType().getNumElements()));
    array->setAlignment(llvm::Align(16));  // that of the stack: no function has to align it
    const size_t rank = local.getType().getRank();
    memories_[local.getResult()] = {array, llvm::SmallVector<llvm::Value*, 4>(rank), llvm::SmallVector<llvm::Value*, 4>(rank)};
  } else if (auto dim = dyn_cast<memref::DimOp>(op)) {
    values_[dim.getResult()] = size(dim.getSource(), *dim.getConstantIndex());
  } else if (auto cast = dyn_cast<memref::CastOp>(op)) {
    memories_[cast.getResult()] = as(cast.getSource(), llvm::cast<MemRefType>(cast.getType()));
  } else if (auto cast = dyn_cast<UnrealizedConversionCastOp>(op)) {  // KernelEmitter::bits
    if (cast.getNumOperands() != 1 || cast.getNumResults() != 1 || !isa<MemRefType>(cast.getOperand(0).getType())) return false;
    memories_[cast.getResult(0)] = Memory(memories_[cast.getOperand(0)]);
  } else if (auto metadata = dyn_cast<memref::ExtractStridedMetadataOp>(op)) {
    Value source = metadata.getSource();
    memories_[metadata.getBaseBuffer()] = {memories_[source].base, {}, {}};
    values_[metadata.getOffset()] = b.getInt64(0);  // the base is the first element already
    for (auto [d, result] : llvm::enumerate(metadata.getSizes())) values_[result] = size(source, d);
    for (auto [d, result] : llvm::enumerate(metadata.getStrides())) values_[result] = stride(source, d);
  } else if (auto view = dyn_cast<memref::ReinterpretCastOp>(op)) {
    if (!view.getSizes().empty() || !view.getStrides().empty()) return false;  // emitters give static ones
    llvm::SmallVector<Value> offset(view.getOffsets());
    llvm::Value* base = memories_[view.getSource()].base;
    Type element = view.getType().getElementType();
    if (offset.empty())
      base = b.CreateConstGEP1_64(type(element), base, view.getStaticOffsets()[0]);
    else
      base = addressOf(base, element, offset, {1}, {nullptr});
    const size_t rank = view.getType().getRank();
    memories_[view.getResult()] = {base, llvm::SmallVector<llvm::Value*, 4>(rank), llvm::SmallVector<llvm::Value*, 4>(rank)};
  } else {
    return false;
  }
  return true;
}

}  // namespace hsa::ir

#include "passes/export/translate.h"

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Matchers.h"
#include "passes/export/function_translator.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

llvm::Type* scalarType(Type type, llvm::LLVMContext& context) {
  if (type.isIndex()) return llvm::Type::getInt64Ty(context);
  if (auto integer = dyn_cast<IntegerType>(type)) return llvm::Type::getIntNTy(context, integer.getWidth());
  if (type.isF16()) return llvm::Type::getHalfTy(context);
  if (type.isBF16()) return llvm::Type::getBFloatTy(context);
  return llvm::Type::getFloatTy(context);
}

llvm::FunctionType* signature(func::FuncOp function, llvm::LLVMContext& context) {
  llvm::Type *pointer = llvm::PointerType::get(context, 0), *number = llvm::Type::getInt64Ty(context);
  llvm::SmallVector<llvm::Type*> arguments;
  if (function.isPublic()) arguments.push_back(pointer);
  for (Type argument : function.isPublic() ? ArrayRef<Type>() : function.getArgumentTypes()) {
    auto type = dyn_cast<MemRefType>(argument);
    arguments.push_back(type ? pointer : scalarType(argument, context));
    if (!type) continue;
    arguments.append(type.getNumDynamicDims(), number);
    arguments.append(llvm::count_if(stridesOf(type), ShapedType::isDynamic), number);
  }
  return llvm::FunctionType::get(llvm::Type::getVoidTy(context), arguments, false);
}

// The function in this module, whether its body comes with it or stands in another part of the image.
llvm::Function* declare(func::FuncOp function, llvm::Module& module) {
  const std::string name = ((function.isPublic() ? kEntryPrefix : "") + function.getName()).str();
  if (llvm::Function* known = module.getFunction(name)) return known;
  auto* declared = llvm::Function::Create(signature(function, module.getContext()), llvm::GlobalValue::ExternalLinkage, name, module);
  declared->setDSOLocal(true);  // called directly: an image has no table of addresses
  declared->addFnAttr(llvm::Attribute::NoUnwind);
  if (auto features = function->getAttrOfType<StringAttr>("hsa.features")) {
    llvm::SmallVector<llvm::StringRef> names;
    features.getValue().split(names, ',');
    std::string wanted;
    for (llvm::StringRef name : names) wanted += (wanted.empty() ? "+" : ",+") + name.str();
    declared->addFnAttr("target-features", wanted);
  }
  if (function.isPrivate()) declared->addFnAttr(llvm::Attribute::NoInline);  // one copy, shared by the entries
  return declared;
}

}  // namespace

// f(memrefs…) as hsa_f(ptr descriptors): each is allocated, aligned, offset, sizes[rank], strides[rank], 64 bits each.
void FunctionTranslator::takeDescriptors(func::FuncOp source) {
  for (auto [index, argument] : llvm::enumerate(source.getArguments())) {
    auto type = cast<MemRefType>(argument.getType());
    const unsigned rank = type.getRank();
    llvm::Value* descriptor = b.CreateLoad(b.getPtrTy(), b.CreateConstGEP1_64(b.getPtrTy(), function_.getArg(0), index));
    auto field = [&](llvm::Type* of, unsigned number) {
      return b.CreateLoad(of, b.CreateConstGEP1_64(b.getInt64Ty(), descriptor, number));
    };
    Memory memory{field(b.getPtrTy(), 1), {}, {}};
    if (hasDynamicOffset(type)) memory.base = b.CreateGEP(this->type(type.getElementType()), memory.base, field(b.getInt64Ty(), 2));
    const auto strides = stridesOf(type);
    for (unsigned d = 0; d < rank; ++d) {
      memory.sizes.push_back(type.isDynamicDim(d) ? field(b.getInt64Ty(), 3 + d) : nullptr);
      memory.strides.push_back(ShapedType::isDynamic(strides[d]) ? field(b.getInt64Ty(), 3 + rank + d) : nullptr);
    }
    memories_[argument] = memory;
  }
}

// The LLVM types of what a private function takes for an argument of this type, and how they are read back.
void FunctionTranslator::takeArguments(func::FuncOp source) {
  llvm::Argument* next = function_.arg_begin();
  for (BlockArgument argument : source.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      values_[argument] = next++;
      continue;
    }
    Memory memory{next++, {}, {}};
    for (int64_t d = 0; d < type.getRank(); ++d) memory.sizes.push_back(type.isDynamicDim(d) ? next++ : nullptr);
    for (int64_t stride : stridesOf(type)) memory.strides.push_back(ShapedType::isDynamic(stride) ? next++ : nullptr);
    memories_[argument] = memory;
  }
}

LogicalResult FunctionTranslator::translate(func::FuncOp source) {
  b.SetInsertPoint(llvm::BasicBlock::Create(function_.getContext(), "", &function_));
  if (source.isPublic())
    takeDescriptors(source);
  else
    takeArguments(source);
  if (failed(translateBlock(source.getBody().front()))) return failure();
  b.CreateRetVoid();
  return success();
}

LogicalResult FunctionTranslator::translateBlock(Block& block) {
  for (Operation& op : block.without_terminator())
    if (failed(translateOp(op))) return failure();
  return success();
}

LogicalResult FunctionTranslator::translateOp(Operation& op) {
  if (isa<arith::ConstantOp>(op)) return success();  // made where it is used
  if (auto loop = dyn_cast<scf::ForOp>(op)) return translateLoop(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op)) return translateBranch(branch);
  if (auto call = dyn_cast<func::CallOp>(op)) return translateCall(call);
  if (translateMemory(op) || translateTile(op)) return success();
  if (llvm::Value* number = translateNumber(op)) {
    values_[op.getResult(0)] = number;
    return success();
  }
  return op.emitOpError("has no translation to LLVM IR; emitters may use what passes/export/translate_*.cpp translate");
}

// The test stands behind the body: one block where the body is one. Whether the body runs at all is known of most loops.
LogicalResult FunctionTranslator::translateLoop(scf::ForOp loop) {
  APInt lo, hi, step;
  const bool known = matchPattern(loop.getLowerBound(), m_ConstantInt(&lo)) && matchPattern(loop.getUpperBound(), m_ConstantInt(&hi));
  if (known && hi.sle(lo)) {
    for (auto [result, init] : llvm::zip_equal(loop.getResults(), loop.getInitArgs())) values_[result] = value(init);
    return success();
  }
  const bool once = known && matchPattern(loop.getStep(), m_ConstantInt(&step)) && (lo + step).sge(hi);
  llvm::Value *first = value(loop.getLowerBound()), *end = value(loop.getUpperBound());
  llvm::SmallVector<llvm::Value*> carried;
  for (Value init : loop.getInitArgs()) carried.push_back(value(init));

  llvm::LLVMContext& context = function_.getContext();
  llvm::BasicBlock *guard = b.GetInsertBlock(), *before = guard, *body = nullptr, *after = nullptr;
  llvm::SmallVector<llvm::PHINode*> phis;
  if (!once) {
    after = llvm::BasicBlock::Create(context, "", &function_);
    body = llvm::BasicBlock::Create(context, "", &function_, after);
    if (!known) {
      before = llvm::BasicBlock::Create(context, "", &function_, body);
      b.CreateCondBr(b.CreateICmpSLT(first, end), before, after);
      b.SetInsertPoint(before);
    }
    b.CreateBr(body);
    b.SetInsertPoint(body);
    for (llvm::Value* start : llvm::concat<llvm::Value* const>(llvm::ArrayRef<llvm::Value*>(first), carried)) {
      phis.push_back(b.CreatePHI(start->getType(), 2));
      phis.back()->addIncoming(start, before);
    }
  }
  values_[loop.getInductionVar()] = once ? first : phis[0];
  for (auto [i, argument] : llvm::enumerate(loop.getRegionIterArgs())) values_[argument] = once ? carried[i] : phis[i + 1];
  if (failed(translateBlock(*loop.getBody()))) return failure();
  llvm::SmallVector<llvm::Value*> yielded;
  for (Value next : loop.getYieldedValues()) yielded.push_back(value(next));
  if (!once) {
    llvm::BasicBlock* latch = b.GetInsertBlock();
    llvm::Value* next = b.CreateAdd(phis[0], value(loop.getStep()));
    b.CreateCondBr(b.CreateICmpSLT(next, end), body, after);
    phis[0]->addIncoming(next, latch);
    for (auto [phi, value] : llvm::zip_equal(llvm::drop_begin(phis), yielded)) phi->addIncoming(value, latch);
    b.SetInsertPoint(after);
    if (!known)
      for (auto [result, start] : llvm::zip_equal(yielded, carried)) {
        llvm::PHINode* either = b.CreatePHI(start->getType(), 2);
        either->addIncoming(start, guard);
        either->addIncoming(result, latch);
        result = either;
      }
  }
  for (auto [result, last] : llvm::zip_equal(loop.getResults(), yielded)) values_[result] = last;
  return success();
}

LogicalResult FunctionTranslator::translateBranch(scf::IfOp branch) {
  llvm::LLVMContext& context = function_.getContext();
  Region* regions[] = {&branch.getThenRegion(), &branch.getElseRegion()};
  llvm::BasicBlock* after = llvm::BasicBlock::Create(context, "", &function_);
  llvm::BasicBlock* starts[2];
  for (int i : {0, 1}) starts[i] = regions[i]->empty() ? after : llvm::BasicBlock::Create(context, "", &function_, after);
  b.CreateCondBr(value(branch.getCondition()), starts[0], starts[1]);
  llvm::SmallVector<llvm::PHINode*> results;  // an if with results has both regions
  b.SetInsertPoint(after);
  for (Type result : branch.getResultTypes()) results.push_back(b.CreatePHI(type(result), 2));
  for (int i : {0, 1}) {
    if (regions[i]->empty()) continue;
    b.SetInsertPoint(starts[i]);
    if (failed(translateBlock(regions[i]->front()))) return failure();
    for (auto [phi, yielded] : llvm::zip_equal(results, regions[i]->front().getTerminator()->getOperands()))
      phi->addIncoming(value(yielded), b.GetInsertBlock());
    b.CreateBr(after);
  }
  b.SetInsertPoint(after);
  for (auto [result, phi] : llvm::zip_equal(branch.getResults(), results)) values_[result] = phi;
  return success();
}

LogicalResult FunctionTranslator::translateCall(func::CallOp call) {
  auto source = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
  if (!source) return call.emitOpError("calls a function that does not exist");
  llvm::Function* callee = declare(source, *function_.getParent());
  llvm::SmallVector<llvm::Value*> arguments;
  for (Value operand : call.getOperands()) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (!type) {
      arguments.push_back(value(operand));
      continue;
    }
    const Memory memory = as(operand, type);
    arguments.push_back(memory.base);
    for (llvm::Value* number : llvm::concat<llvm::Value* const>(memory.sizes, memory.strides))
      if (number) arguments.push_back(number);
  }
  b.CreateCall(callee, arguments);
  return success();
}

llvm::Value* FunctionTranslator::value(Value v) {
  if (auto op = v.getDefiningOp<arith::ConstantOp>()) return constant(op);
  return values_.lookup(v);
}

llvm::Type* FunctionTranslator::type(Type type) {
  llvm::Type* element = scalarType(getElementTypeOrSelf(type), function_.getContext());
  auto vector = dyn_cast<VectorType>(type);
  return vector ? llvm::FixedVectorType::get(element, vector.getNumElements()) : element;
}

llvm::Error translateFunctions(ArrayRef<func::FuncOp> functions, llvm::Module& module) {
  llvm::SmallVector<llvm::Function*> declared;
  for (func::FuncOp function : functions) declared.push_back(declare(function, module));
  for (auto [source, into] : llvm::zip_equal(functions, declared))
    if (func::FuncOp function = source; failed(FunctionTranslator(*into).translate(function)))
      return llvm::createStringError("'" + function.getName() + "' cannot be translated to LLVM IR; run the hsa-cpu pipeline first");
  return llvm::Error::success();
}

}  // namespace hsa::ir

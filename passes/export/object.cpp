#include "passes/export/object.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

namespace hsa::ir {

namespace {

constexpr llvm::StringLiteral kEntryPrefix = "hsa_";

// f(fields of its memref descriptors…) becomes hsa_f(ptr descriptors), which loads the fields that it reads. Its body moves; as a wrapper around a
// call, forty fields were loaded, pushed and loaded again, and compiling that was a sixth of all code generation.
void takeDescriptors(llvm::Function& entry) {
  llvm::Module& module = *entry.getParent();
  llvm::LLVMContext& context = module.getContext();
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {llvm::PointerType::get(context, 0)}, false);
  auto* taker = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, kEntryPrefix + entry.getName(), module);
  taker->splice(taker->end(), &entry);
  llvm::IRBuilder<> b(&taker->getEntryBlock(), taker->getEntryBlock().begin());
  // A descriptor is allocated, aligned, offset, sizes[rank], strides[rank]: after two pointers come i64s, up to the next pointer pair.
  llvm::Value* descriptor = nullptr;
  unsigned field = 0, memref = 0;
  for (unsigned i = 0; i < entry.arg_size(); ++i) {
    llvm::Argument& argument = *entry.getArg(i);
    const bool first = argument.getType()->isPointerTy() && i + 1 < entry.arg_size() && entry.getArg(i + 1)->getType()->isPointerTy();
    if (first) {
      llvm::Value* slot = b.CreateConstInBoundsGEP1_64(b.getPtrTy(), taker->getArg(0), memref++);
      descriptor = b.CreateLoad(b.getPtrTy(), slot);
      field = 0;
    }
    llvm::Value* at = b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), descriptor, field++);
    if (!argument.use_empty()) argument.replaceAllUsesWith(b.CreateLoad(argument.getType(), at));
  }
  entry.eraseFromParent();
}

// Every function is compiled for the features of the level and nothing else, calls no library, and uses whole registers.
void setTargetAttributes(llvm::Module& module, const Target& target) {
  const std::string width = std::to_string(target.tile->lanes * 32);
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", target.baseCpu);
    function.addFnAttr("tune-cpu", target.tuneCpu);
    function.addFnAttr("no-builtins");
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr("min-legal-vector-width", width);
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (!function.hasExternalLinkage()) continue;
    if (!function.getName().starts_with(kEntryPrefix)) function.setLinkage(llvm::GlobalValue::InternalLinkage);
    function.setDSOLocal(true);
  }
}

// The emitters have chosen vectors, tiles and order; what is left is what memref descriptors leave behind and what does not change in a loop. The
// default O2 pipeline takes seven times as long for the same speed of the code (docs/performance.md, "Compile time").
void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager calls;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  llvm::FunctionPassManager clean;
  clean.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  clean.addPass(llvm::SimplifyCFGPass());
  clean.addPass(llvm::InstCombinePass(llvm::InstCombineOptions().setMaxIterations(1).setVerifyFixpoint(false)));
  clean.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  clean.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  llvm::ModulePassManager passes;
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(clean)));
  passes.run(module, modules);
}

}  // namespace

llvm::Expected<std::unique_ptr<llvm::Module>> translateVariant(mlir::ModuleOp variant, const Target& target, llvm::LLVMContext& context) {
  mlir::registerBuiltinDialectTranslation(*variant.getContext());
  mlir::registerLLVMDialectTranslation(*variant.getContext());
  std::unique_ptr<llvm::Module> module = mlir::translateModuleToLLVMIR(variant, context, target.name);
  if (!module) return llvm::createStringError("variant '" + target.name + "' is not in the LLVM dialect; run the hsa-cpu pipeline first");
  auto machine = createTargetMachine(target);
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  llvm::SmallVector<llvm::Function*> entries;
  for (auto function : variant.getOps<mlir::LLVM::LLVMFuncOp>())
    if (function.isPublic() && !function.isExternal()) entries.push_back(module->getFunction(function.getName()));
  for (llvm::Function* entry : entries) takeDescriptors(*entry);
  setTargetAttributes(*module, target);
  optimize(*module, *machine);
  return module;
}

llvm::Expected<std::string> emitCode(llvm::Module& module, const Target& target, CodeKind kind) {
  auto machine = createTargetMachine(target);
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  const auto type = kind == CodeKind::kObject ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type))
    return llvm::createStringError("the target '" + target.triple + "' cannot write this kind of file");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace hsa::ir

#include "passes/export/object.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "passes/export/translate.h"

namespace hsa::ir {

namespace {

// Every function is compiled for the features of the level and nothing else, calls no library, and uses whole registers.
void setTargetAttributes(llvm::Module& module, const Target& target) {
  const std::string width = std::to_string(target.tile.lanes * 32);
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", target.baseCpu);
    function.addFnAttr("tune-cpu", target.tuneCpu);
    function.addFnAttr("no-builtins");
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr("min-legal-vector-width", width);
  }
}

// The emitters have chosen vectors, tiles and order; what is left is what is computed twice, or in a loop that does not change it. The
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
  clean.addPass(llvm::EarlyCSEPass());
  clean.addPass(llvm::InstCombinePass(llvm::InstCombineOptions().setMaxIterations(1).setVerifyFixpoint(false)));
  clean.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  llvm::ModulePassManager passes;
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(clean)));
  passes.run(module, modules);
}

// Passes of the code generator that are not worth their time here (a third of all). Strength reduction of loops and what prepares it: addresses come
// in the form that it would find (translate_memory.cpp). Scheduling behind register allocation: the processors that run this reorder by themselves.
bool isSpared(llvm::StringRef pass) {
  return llvm::is_contained<llvm::StringRef>(
      {"Loop Strength Reduction", "Canonicalize Freeze Instructions in Loops", "Post RA top-down list latency scheduler"}, pass);
}

class SparingPasses : public llvm::legacy::PassManagerBase {
 public:
  void add(llvm::Pass* pass) override {
    if (isSpared(pass->getPassName()))
      delete pass;
    else
      passes_.add(pass);
  }
  void run(llvm::Module& module) { passes_.run(module); }

 private:
  llvm::legacy::PassManager passes_;
};

}  // namespace

llvm::Expected<std::unique_ptr<llvm::Module>> translatePart(llvm::ArrayRef<mlir::func::FuncOp> functions, const Target& target,
                                                            llvm::LLVMContext& context) {
  auto module = std::make_unique<llvm::Module>(target.name, context);
  auto machine = createTargetMachine(target);
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  if (llvm::Error error = translateFunctions(functions, *module)) return std::move(error);
  setTargetAttributes(*module, target);
  optimize(*module, *machine);
  return module;
}

llvm::Expected<std::unique_ptr<llvm::Module>> translateVariant(mlir::ModuleOp variant, const Target& target, llvm::LLVMContext& context) {
  return translatePart(llvm::to_vector(variant.getOps<mlir::func::FuncOp>()), target, context);
}

llvm::Expected<std::string> emitCode(llvm::Module& module, const Target& target, CodeKind kind) {
  auto machine = createTargetMachine(target);
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  SparingPasses passes;
  const auto type = kind == CodeKind::kObject ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type))
    return llvm::createStringError("the target '" + target.triple + "' cannot write this kind of file");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace hsa::ir

// A variant: vector code → LLVM IR → machine code.
#pragma once

#include <string>
#include <vector>

#include "llvm/Support/Error.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/export/target.h"

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm

namespace hsa::ir {

enum class CodeKind { kObject, kAssembly };

// Optimised LLVM IR of a variant: every entry `f` is the function `hsa_f(ptr descriptors)`, the ABI of runtime/plan.h.
llvm::Expected<std::unique_ptr<llvm::Module>> translateVariant(mlir::ModuleOp variant, const Target& target, llvm::LLVMContext& context);

// The same of some of its functions, which call no others. Calls for different parts may run side by side, each with a context of its own.
llvm::Expected<std::unique_ptr<llvm::Module>> translatePart(llvm::ArrayRef<mlir::func::FuncOp> functions, const Target& target,
                                                            llvm::LLVMContext& context);

// An ELF object or its assembly.
llvm::Expected<std::string> emitCode(llvm::Module& module, const Target& target, CodeKind kind);

}  // namespace hsa::ir

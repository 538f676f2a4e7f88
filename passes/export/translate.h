// Vector code of a variant → LLVM IR, in one walk.
#pragma once

#include <memory>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hsa::ir {

// The functions as they are: nothing is optimised. What they call beside each other is declared. A public function f becomes hsa_f(ptr descriptors), the ABI
// of runtime/plan.h; a private one takes a pointer per memref, then those of its sizes and strides that its type does not know.
// An error names the op that has no translation.
llvm::Error translateFunctions(llvm::ArrayRef<mlir::func::FuncOp> functions, llvm::Module& module);

inline constexpr llvm::StringLiteral kEntryPrefix = "hsa_";

}  // namespace hsa::ir

// A module that the hsa-cpu pipeline has lowered → the bytes of a plan file.
#pragma once

#include <string>

#include "llvm/Support/Error.h"
#include "mlir/IR/BuiltinOps.h"

namespace hsa::ir {

// `bytecode` is kept in the plan as what it was compiled from; may be empty.
llvm::Expected<std::string> exportPlan(mlir::ModuleOp module, std::string bytecode);

// MLIR bytecode of a module.
std::string toBytecode(mlir::ModuleOp module);

}  // namespace hsa::ir

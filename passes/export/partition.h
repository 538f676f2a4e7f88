// A variant's functions in parts that are compiled on their own, side by side.
#pragma once

#include <vector>

#include "llvm/ADT/SmallVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hsa::ir {

using Part = llvm::SmallVector<mlir::func::FuncOp>;

// Parts of about one size, whoever calls whom: linkImage joins them. They depend on the module alone, never on the machine that compiles, so a plan has the
// same bytes everywhere. None is empty.
std::vector<Part> partition(mlir::ModuleOp variant);

}  // namespace hsa::ir

// Layer 1 → 2 of scheme routed: affinity, send and receive become one schedule with the entries that its stages call.
#pragma once

#include <string>

#include "dialect/hsa_ops.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hsa::ir {

// What the tensor of an argument or of a result is called, else `otherwise`.
using TensorNamer = llvm::function_ref<std::string(mlir::Value tensor, llvm::StringRef otherwise)>;

// Replaces `function`, whose attention ends in `receive` (hsa.receive or hsa.receive_causal), by its schedule and entries.
mlir::LogicalResult tileRouted(mlir::func::FuncOp function, mlir::Operation* receive, TensorNamer nameOf);

}  // namespace hsa::ir

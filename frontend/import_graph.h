// Graphs as layer 0 of the compiler's IR.
#pragma once

#include "frontend/graph.pb.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace hsa::frontend {

// Arguments and results of a function carry the name of their tensor, as the files spell it, in this attribute.
inline constexpr llvm::StringLiteral kNameAttr = "hsa.name";

// The module of one function that is named like the graph: an hsa.attention with mask, scale and config written out, or an
// hsa.routed_attention, over tensors of f32.
// Results are the output, then the lse, whatever the order of Graph.outputs: they are found by name.
// `graph` has passed CheckGraph; `context` has the dialects of newContext().
mlir::OwningOpRef<mlir::ModuleOp> importGraph(const Graph& graph, mlir::MLIRContext& context);

}  // namespace hsa::frontend

// An hsa.routed_attention written by hand, as a node of a graph.
#pragma once

#include "absl/status/statusor.h"
#include "dialect/hsa_ops.h"
#include "frontend/graph.pb.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hsa::frontend {

// The graph of a function whose body is hsa.routed_attention, the hsa.links that it reads before it where there are links, and return; not checked.
//   module_c3   every operand is an argument of the function, every argument is an operand, and the output is returned
//   module_c80  links come from one hsa.links, of the levels of the attention
//   module_c81  no argument is read twice
// Tensors without hsa.name are called as their field of graph.proto, those of link i link_i_weight, link_i_expand and link_i_compress. Levels have no names.
// INVALID_ARGUMENT  names the constraint
absl::StatusOr<Graph> exportRouted(mlir::func::FuncOp function, ir::RoutedAttentionOp op, mlir::func::ReturnOp done);

}  // namespace hsa::frontend

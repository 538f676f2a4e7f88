// Modules written by hand, as graphs: the inverse of importGraph.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "frontend/graph.pb.h"
#include "mlir/IR/BuiltinOps.h"

namespace hsa::frontend {

// The graph that a layer-0 module says, checked. The module is one function whose body is one attention and a return of its results:
//   module_c1  one function, with a body, and nothing else
//   module_c2  its body is hsa.attention and return, or hsa.routed_attention (frontend/export_routed.h), the hsa.links it reads, and return
//   module_c3  query, key and value are arguments, and every result of the attention is returned
//   module_c4  heads and dims are static, tensors of f32 (inputs of a plan may be bf16 or f16 all the same)
//   module_c5  leafTokens is 16
//   module_c6  hsa.name is a string
//   module_c7  extents and sizes are below 2^31
// Tensors without hsa.name are called q, k, v, o and lse. INVALID_ARGUMENT names the constraint, or that of the graph (frontend/check_graph.h).
absl::StatusOr<Graph> exportGraph(mlir::ModuleOp module);

// The same from text; `path` stands for it in messages. INVALID_ARGUMENT too for what does not parse or verify: "path:line:col: ...".
absl::StatusOr<Graph> ParseMlir(std::string_view text, const std::string& path);

}  // namespace hsa::frontend

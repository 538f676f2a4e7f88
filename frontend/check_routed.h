// The constraints of graph.proto on a node of scheme routed.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// The parameters of the splats beside the inputs that hold the tokens: graph_c24, graph_c25, graph_c62, graph_c65. `key` is the input that the node names so;
// `parameters` are its center, variance and, when there is one, amplitude.
absl::Status CheckSplatParameters(const Routed& routed, const Tensor& key, const std::vector<const Tensor*>& parameters);

}  // namespace hsa::frontend

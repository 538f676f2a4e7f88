// The constraints of graph.proto on what passes between the levels of scheme routed, and on their gate.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// The tensors of the links, in order, and of the gate, as far as they are there: what each is, and its name.
std::vector<std::pair<std::string, std::string>> FlowTensors(const Routed& routed);

// graph_c26, graph_c27 and graph_c28; levels have been checked, and every tensor of FlowTensors is an input. `key` is the input that the node names so.
absl::Status CheckFlow(const Graph& graph, const Routed& routed, const Tensor& key);

}  // namespace hsa::frontend

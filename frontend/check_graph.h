// The one door for graphs: what has passed it is not checked again.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

inline constexpr uint32_t kLeafTokens = 16;  // keys of a leaf: one packed panel

// Every constraint of graph.proto. INVALID_ARGUMENT, one line, begins with the constraint:
// "graph_c11: query 'q' has 5 heads, not a multiple of the 2 of key 'k'; ..."
absl::Status CheckGraph(const Graph& graph);

// The same graph with every default written out, so that graphs of one meaning are equal. `graph` has passed CheckGraph.
Graph WithDefaults(const Graph& graph);

}  // namespace hsa::frontend

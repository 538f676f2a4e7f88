// The constraints of graph.proto on what a token keeps of its splats.
#pragma once

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// graph_c30 and graph_c31. Of a node that is sparse.
absl::Status CheckSparse(const Routed& routed);

}  // namespace hsa::frontend

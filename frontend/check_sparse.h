// The constraints of graph.proto on what a token keeps of its splats.
#pragma once

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// graph_c30, graph_c31.
absl::Status CheckSparse(const Routed::Sparse& sparse);

}  // namespace hsa::frontend

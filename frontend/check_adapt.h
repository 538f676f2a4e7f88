// The constraints of graph.proto on splats that adapt.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// graph_c65, in the words of a run that is given the same limits. Of a node that adapts.
absl::Status CheckAdapt(const Routed& routed);

}  // namespace hsa::frontend

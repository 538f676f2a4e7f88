// The constraints of graph.proto on splats that adapt.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// graph_c65, in the words of a run that is given the same limits. Of a node that adapts; `key` and `parameters` as in CheckSplatParameters.
absl::Status CheckAdapt(const Routed& routed, const Tensor& key, const std::vector<const Tensor*>& parameters);

}  // namespace hsa::frontend

// Whether splats can adapt within some limits.
#pragma once

#include "absl/status/status.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

// INVALID_ARGUMENT  a limit out of range, limits that contradict each other or the graph, a graph that is not causal: names both
absl::Status CheckAdapt(const AdaptLimits& limits, const format::Graph& graph);

}  // namespace hsa

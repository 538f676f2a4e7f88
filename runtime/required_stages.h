// The stages that a run calls by name. A plan's checker proves that every stage of a plan can be called, not that those which a run wants are there.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

// FAILED_PRECONDITION names the first stage that a plan of its scheme lacks; stages that need a processor's own features are found or done without.
absl::Status CheckRequiredStages(const format::PlanHeader& header);

// The stage by which the queries of a plan of scheme routed receive.
std::string_view ReceiveStage(const format::Graph& graph);

}  // namespace hsa

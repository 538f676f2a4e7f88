// The stages that a run calls by name. A plan's checker proves that every stage of a plan can be called, not that those which a run wants are there.
#pragma once

#include "absl/status/status.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

// FAILED_PRECONDITION names the first stage that a plan of its scheme lacks; stages that need a processor's own features are found or done without.
absl::Status CheckRequiredStages(const format::PlanHeader& header);

}  // namespace hsa

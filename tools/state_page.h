// What is in a state file as a page of HTML: inline SVG, no script, nothing fetched.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/describe_state.h"

namespace hsa {

// Of each kv_head whose splats adapted: splats, residual and mass of each level over time, and the life of every splat. Then the text of PrintState.
std::string StatePage(const StateDescription& description);

// The first kv_head's splats, residual and mass of each level over time as one SVG.
// INVALID_ARGUMENT  no segment has ended while splats adapted
absl::StatusOr<std::string> StateDrawing(const StateDescription& description);

}  // namespace hsa

// What --adapt says.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/format/adapt_limits.h"

namespace hsa {

// "off", "on", "observe", or some limits, the others as they are by default: "segment_tokens=1024,memory=0.5".
// INVALID_ARGUMENT  names the flag, what it was given and what it wants; ranges are CheckAdapt's
absl::StatusOr<AdaptLimits> ParseAdapt(const std::string& text);

}  // namespace hsa

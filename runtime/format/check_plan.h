// The one door for plan files: what has passed it is not checked again.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"

namespace hsa::format {

// The header of `file`, a whole plan file, after every constraint of plan.proto and of docs/plan_format.md has been found to hold: sections,
// entries and buffers lie inside what holds them, every stage has its code in every variant and its arguments fit, every name, enum and
// number is one that the runtime knows. `name` stands for the path in messages. What it cannot judge is the machine code itself:
// a plan is trusted code.
// FAILED_PRECONDITION  another plan version: names both and the command that rebuilds the plan
// DATA_LOSS            not a plan, truncated (with byte counts), damaged, or a constraint that does not hold: names its number, plan_cN
absl::StatusOr<PlanHeader> CheckPlan(std::span<const std::byte> file, std::string_view name);

}  // namespace hsa::format

// Layer 2 from the numbers of one attention: its schedule, and beside it one function per entry on tiles of static size.
#pragma once

#include "dialect/hsa_ops.h"

namespace hsa::ir {

// Which inputs are multiplied in the schedule's precision: all, or those that are stored in it.
enum class Narrowed : uint8_t { kAll, kStored };

// Adds the entries of `schedule`, whose body is still empty, to its module and fills the body with its stages.
void buildStages(ScheduleOp schedule, Narrowed narrowed = Narrowed::kAll);

}  // namespace hsa::ir

// A schedule → the graph, stages and buffers of a plan's header.
#pragma once

#include "dialect/hsa_ops.h"
#include "llvm/Support/Error.h"
#include "runtime/format/plan.pb.h"

namespace hsa::ir {

void fillGraph(ScheduleOp schedule, format::Graph& graph);

// Types of the arguments are read from the entries beside the schedule, which are bufferized.
llvm::Error fillStages(ScheduleOp schedule, format::PlanHeader& header);

}  // namespace hsa::ir

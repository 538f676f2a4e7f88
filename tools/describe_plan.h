// What is in a plan, in words and as JSON.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "runtime/format/plan.pb.h"

namespace hsa {

struct PlanDescription {
  std::string path;
  int64_t file_bytes = 0;
  format::PlanHeader header;  // has passed CheckPlan
};

// One page: graph, stages, a chart of buffer lifetimes, variants and the one that this machine takes.
void PrintPlan(std::ostream& out, const PlanDescription& plan);

// One object; docs/plan_format.md lists its names.
void PrintPlanJson(std::ostream& out, const PlanDescription& plan);

}  // namespace hsa

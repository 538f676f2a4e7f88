// What adaptation did, for the report of a run.
#pragma once

#include "runtime/format/level_name.h"
#include "runtime/report.h"
#include "runtime/splat_adapter.h"

namespace hsa {

// Adds a line for each level of a kv_head, by its name; of a long run, what is left in the log.
void ReportAdapted(const SplatAdapter& adapter, const format::SplatLevels& names, int64_t kv_head, RunReport& report);

}  // namespace hsa

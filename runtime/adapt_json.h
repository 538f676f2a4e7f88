// Limits of adaptation as the report and hsa-inspect write them.
#pragma once

#include "nlohmann/json.hpp"
#include "runtime/format/adapt_limits.h"

namespace hsa {

inline nlohmann::ordered_json AdaptLimitsJson(const AdaptLimits& l) {
  return {{"segment_tokens", l.segment_tokens},
          {"most_events", l.most_events},
          {"least_splats", l.least_splats},
          {"history", l.history},
          {"memory", l.memory},
          {"cover", l.cover},
          {"uncovered_share", l.uncovered_share},
          {"idle", l.idle},
          {"gain", l.gain},
          {"asleep", l.asleep},
          {"level_tokens", l.level_tokens},
          {"level_residual", l.level_residual},
          {"level_gain", l.level_gain},
          {"weight_bound", l.weight_bound}};
}

}  // namespace hsa

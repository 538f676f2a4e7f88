#include "runtime/report_adapted.h"

namespace hsa {

void ReportAdapted(const SplatAdapter& adapter, const format::SplatLevels& names, int64_t kv_head, RunReport& report) {
  const size_t first = report.adapted.size(), levels = adapter.pool().shape().levels.size();
  for (size_t level = 0; level < levels; ++level)
    report.adapted.push_back({.kv_head = kv_head,
                              .level = static_cast<int64_t>(level),
                              .name = format::LevelName(names, static_cast<int64_t>(level)),
                              .live = adapter.pool().Live(static_cast<int64_t>(level))});
  const Ring<AdaptSegment>& segments = adapter.log().segments;
  const double count = static_cast<double>(segments.added() - segments.first()) / static_cast<double>(levels);
  for (int64_t i = segments.first(); i < segments.added(); ++i) {
    AdaptReport& level = report.adapted[first + segments[i].level];
    level.residual += segments[i].residual / count, level.spread += segments[i].spread / count;
  }
  const Ring<AdaptEvent>& events = adapter.log().events;
  for (int64_t i = events.first(); i < events.added(); ++i) {
    AdaptReport& level = report.adapted[first + events[i].level];
    switch (events[i].what) {
      case SplatEvent::kBorn:
        ++level.born;
        break;
      case SplatEvent::kSplit:
        ++level.split;
        break;
      case SplatEvent::kMerged:
        ++level.merged;
        break;
      case SplatEvent::kDied:
        ++level.died;
        break;
    }
  }
}

}  // namespace hsa

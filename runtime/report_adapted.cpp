#include "runtime/report_adapted.h"

namespace hsa {

void ReportAdapted(const SplatAdapter& adapter, const format::SplatLevels& names, int64_t kv_head, RunReport& report) {
  const size_t first = report.adapted.size(), levels = adapter.pool().shape().levels.size();
  for (size_t level = 0; level < levels; ++level)
    report.adapted.push_back({.kv_head = kv_head,
                              .level = static_cast<int64_t>(level),
                              .name = format::LevelName(names, static_cast<int64_t>(level)),
                              .live = adapter.pool().Live(static_cast<int64_t>(level)),
                              .weight_factor = adapter.of_levels().weight_factor(static_cast<int64_t>(level))});
  const Ring<AdaptSegment>& segments = adapter.log().segments;
  const double count = static_cast<double>(segments.added() - segments.first()) / static_cast<double>(levels);
  for (int64_t i = segments.first(); i < segments.added(); ++i) {
    AdaptReport& level = report.adapted[first + segments[i].level];
    level.least_residual += segments[i].least / count;
    if (segments[i].live > 0) level.awake += 1;
  }
  for (int64_t i = segments.first(); i < segments.added(); ++i) {
    if (segments[i].live == 0) continue;
    AdaptReport& level = report.adapted[first + segments[i].level];
    level.residual += segments[i].residual / level.awake, level.spread += segments[i].spread / level.awake;
    level.gain += segments[i].gain / level.awake;
  }
  for (size_t level = first; count > 0 && level < report.adapted.size(); ++level) report.adapted[level].awake /= count;
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
      case SplatEvent::kWokeByLength:
      case SplatEvent::kWokeByResidual:
        ++level.woke;
        break;
      case SplatEvent::kSlept:
        ++level.slept;
        break;
    }
  }
}

}  // namespace hsa

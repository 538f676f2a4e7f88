#include "runtime/check_adapt.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/covariance.h"
#include "runtime/observe_chunk.h"

namespace hsa {
namespace {

template <typename T>
absl::Status Refuse(std::string_view limit, T value, std::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("adapt: ", std::string(limit), " is ", value, ", wanted ", std::string(wanted)));
}

absl::Status CheckRanges(const AdaptLimits& l) {
  const auto share = [](double x) { return x >= 0 && x < 1; };
  if (l.segment_tokens < kObservedEvery || l.segment_tokens > 1 << 20 || l.segment_tokens % kObservedEvery != 0)
    return Refuse("segment_tokens", l.segment_tokens, "a multiple of 256, at most 1048576");
  if (l.history < 1 || l.history > 1024) return Refuse("history", l.history, "1..1024 segments");
  if (l.most_events < 0 || l.most_events > 4096) return Refuse("most_events", l.most_events, "0..4096");
  if (l.least_splats < 1) return Refuse("least_splats", l.least_splats, "1 or more");
  if (!share(l.memory)) return Refuse("memory", l.memory, "0 or more, less than 1");
  if (!share(l.idle)) return Refuse("idle", l.idle, "0 or more, less than 1");
  if (!share(l.uncovered_share)) return Refuse("uncovered_share", l.uncovered_share, "0 or more, less than 1");
  if (!(l.cover > 0 && l.cover < 1e4)) return Refuse("cover", l.cover, "more than 0, less than 10000");
  if (!(l.gain >= 1 && l.gain < 1e6))
    return Refuse("gain", l.gain, "1 or more: below it a split and the merge that makes room undo each other");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAdapt(const AdaptLimits& limits, const format::Graph& graph) {
  if (!graph.mask().causal())
    return absl::InvalidArgumentError(
        "adapt: the graph is not causal, whose tokens all send before any receives; compile it with causal: true");
  if (graph.routed().bands() > 0 || StoredRows(graph) > 0)
    return absl::InvalidArgumentError(
        "adapt: the covariances of the graph are bands, of low rank or full, which do not adapt; give it a variance of 1 or D entries "
        "alone");
  if (absl::Status ranges = CheckRanges(limits); !ranges.ok()) return ranges;
  for (int level = 0; level < graph.routed().levels_size(); ++level)
    if (const int64_t splats = graph.routed().levels(level).splats(); limits.least_splats > splats)
      return absl::InvalidArgumentError(absl::StrCat("adapt: least_splats is ", limits.least_splats, ", but level ", level,
                                                     " has room for ", splats, "; keep fewer, or give the level more"));
  return absl::OkStatus();
}

}  // namespace hsa

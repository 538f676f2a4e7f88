#include "runtime/format/adapt_limits.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/format/level_name.h"
#include "runtime/format/plan.pb.h"

namespace hsa {
namespace {

template <typename T>
std::string Wrong(std::string_view limit, T value, std::string_view wanted) {
  return absl::StrCat("adapt: ", std::string(limit), " is ", value, ", wanted ", std::string(wanted));
}

std::string WhyNotInRange(const AdaptLimits& l) {
  constexpr int64_t kObservedEvery = 256;  // segments are whole numbers of observed spans (runtime/observe_chunk.h)
  constexpr int64_t kMostTokens = int64_t{1} << 40;
  const auto share = [](double x) { return x >= 0 && x < 1; };
  if (l.segment_tokens < kObservedEvery || l.segment_tokens > 1 << 20 || l.segment_tokens % kObservedEvery != 0)
    return Wrong("segment_tokens", l.segment_tokens, "a multiple of 256, at most 1048576");
  if (l.history < 1 || l.history > 1024) return Wrong("history", l.history, "1..1024 segments");
  if (l.most_events < 0 || l.most_events > 4096) return Wrong("most_events", l.most_events, "0..4096");
  if (l.least_splats < 1) return Wrong("least_splats", l.least_splats, "1 or more");
  if (!share(l.memory)) return Wrong("memory", l.memory, "0 or more, less than 1");
  if (!share(l.idle)) return Wrong("idle", l.idle, "0 or more, less than 1");
  if (!share(l.uncovered_share)) return Wrong("uncovered_share", l.uncovered_share, "0 or more, less than 1");
  if (!(l.cover > 0 && l.cover < 1e4)) return Wrong("cover", l.cover, "more than 0, less than 10000");
  if (!(l.gain >= 1 && l.gain < 1e6))
    return Wrong("gain", l.gain, "1 or more: below it a split and the merge that makes room undo each other");
  if (l.asleep < 0) return Wrong("asleep", l.asleep, "0 or more levels");
  if (l.level_tokens < 0 || l.level_tokens > kMostTokens) return Wrong("level_tokens", l.level_tokens, "0..1099511627776");
  if (!(l.level_residual > 0 && l.level_residual < 1e6)) return Wrong("level_residual", l.level_residual, "more than 0, less than 1000000");
  if (!share(l.level_gain)) return Wrong("level_gain", l.level_gain, "0 or more, less than 1");
  if (!(l.weight_bound >= 1 && l.weight_bound <= 1024)) return Wrong("weight_bound", l.weight_bound, "1..1024");
  return "";
}

// Of levels that come and go, or whose weights do.
std::string WhyNotOfLevels(const AdaptLimits& l, int64_t levels) {
  if (l.asleep > 0 && l.asleep >= levels)
    return absl::StrCat("adapt: asleep is ", l.asleep, ", wanted less than ", levels, ", the levels of the graph: one stays awake");
  const char* changes = l.asleep > 0 ? "asleep" : l.level_gain > 0 ? "level_gain" : l.weight_bound > 1 ? "weight_bound" : nullptr;
  if (l.what == Adapt::kObserve && changes != nullptr)
    return absl::StrCat("adapt: ", changes, " changes levels, and what is observed stays as it is; leave one of them out");
  return "";
}

}  // namespace

const char* AdaptName(Adapt what) { return what == Adapt::kSplats ? "splats" : what == Adapt::kObserve ? "observe" : "off"; }

AdaptLimits AdaptLimitsOf(const format::Adapt& adapt) {
  AdaptLimits limits = AdaptNumbersOf(adapt);
  if (limits.level_residual == 0 && limits.weight_bound == 0) {  // an older plan, which has neither
    const AdaptLimits defaults;
    limits.level_tokens = defaults.level_tokens, limits.level_residual = defaults.level_residual,
    limits.weight_bound = defaults.weight_bound;
  }
  limits.what = adapt.what() == format::Adapt::OBSERVE ? Adapt::kObserve : Adapt::kSplats;
  return limits;
}

AdaptSubject AdaptSubjectOf(const format::Graph& graph) {
  const format::Routed& routed = graph.routed();
  AdaptSubject subject{.causal = graph.mask().causal(), .plain = routed.factor().empty() && routed.cholesky().empty()};
  for (int level = 0; level < routed.levels_size(); ++level)
    subject.levels.push_back({format::LevelText(routed.levels(), level), routed.levels(level).splats()});
  return subject;
}

std::string WhyNotAdapt(const AdaptLimits& limits, const AdaptSubject& subject) {
  if (!subject.causal) return "adapt: the graph is not causal, whose tokens all send before any receives; compile it with causal: true";
  if (!subject.plain) return "adapt: the covariances of the graph are of low rank or full, which do not adapt; give it a variance alone";
  if (std::string wrong = WhyNotInRange(limits); !wrong.empty()) return wrong;
  for (const AdaptSubject::Level& level : subject.levels)
    if (limits.least_splats > level.splats)
      return absl::StrCat("adapt: least_splats is ", limits.least_splats, ", but ", level.name, " has room for ", level.splats,
                          "; keep fewer, or give the level more");
  return WhyNotOfLevels(limits, static_cast<int64_t>(subject.levels.size()));
}

}  // namespace hsa

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/format/plan_checks.h"

namespace hsa::format {
namespace {

// Positions and windows are added and subtracted in int64: far below its end, far above any sequence.
constexpr uint64_t kMaxTokens = uint64_t{1} << 40;
constexpr uint32_t kMaxSegmentTokens = 1u << 20;
constexpr uint32_t kMaxBands = 64;

absl::Status CheckTensors(const Graph& g, const Refusal& refuse) {
  const std::pair<const char*, const std::string&> names[] = {
      {"query", g.query()}, {"key", g.key()}, {"value", g.value()}, {"output", g.output()}};
  for (const auto& [role, name] : names) {
    if (name.empty()) return refuse(4, absl::StrCat("graph.", role, " is empty, wanted the name of a tensor"));
    for (const auto& [other_role, other] : names)
      if (&name != &other && name == other)
        return refuse(4, absl::StrCat("graph.", role, " and graph.", other_role, " are both '", name, "', wanted different names"));
  }
  if (g.query_heads() < 1 || g.query_heads() > 4096)
    return refuse(5, absl::StrCat("graph.query_heads is ", g.query_heads(), ", wanted 1..4096"));
  if (g.kv_heads() < 1 || g.query_heads() % g.kv_heads() != 0)
    return refuse(5, absl::StrCat("graph.kv_heads is ", g.kv_heads(), ", wanted a divisor of query_heads ", g.query_heads()));
  if (g.head_dim() < 1 || g.head_dim() > 1024) return refuse(6, absl::StrCat("graph.head_dim is ", g.head_dim(), ", wanted 1..1024"));
  if (g.value_dim() < 1 || g.value_dim() > 1024) return refuse(6, absl::StrCat("graph.value_dim is ", g.value_dim(), ", wanted 1..1024"));
  if (!std::isfinite(g.scale()) || g.scale() <= 0)
    return refuse(7, absl::StrCat("graph.scale is ", g.scale(), ", wanted a finite number > 0"));
  return absl::OkStatus();
}

absl::Status CheckLengths(const Graph& g, const Refusal& refuse) {
  if (g.query_tokens() > kMaxTokens)
    return refuse(35, absl::StrCat("graph.query_tokens is ", g.query_tokens(), ", wanted at most ", kMaxTokens));
  if (g.key_tokens() > kMaxTokens) return refuse(35, absl::StrCat("graph.key_tokens is ", g.key_tokens(), ", wanted at most ", kMaxTokens));
  if (g.key_tokens() > 0 && g.query_tokens() > g.key_tokens())
    return refuse(35, absl::StrCat("graph.query_tokens is ", g.query_tokens(), ", wanted at most key_tokens ", g.key_tokens()));
  return absl::OkStatus();
}

absl::Status CheckMask(const Mask& mask, const Refusal& refuse) {
  if (mask.sliding_window() > 0 && !mask.causal())
    return refuse(8, absl::StrCat("graph.mask.sliding_window is ", mask.sliding_window(), " in a mask that is not causal, wanted causal"));
  if (mask.sliding_window() > kMaxTokens)
    return refuse(26, absl::StrCat("graph.mask.sliding_window is ", mask.sliding_window(), ", wanted at most ", kMaxTokens));
  if (mask.sink_tokens() > kMaxTokens)
    return refuse(26, absl::StrCat("graph.mask.sink_tokens is ", mask.sink_tokens(), ", wanted at most ", kMaxTokens));
  return absl::OkStatus();
}

// `divides`: 0 divides nothing here.
bool Divides(uint32_t divisor, uint32_t n) { return divisor > 0 && n > 0 && n % divisor == 0; }

absl::Status CheckUnits(const Splats& s, const Refusal& refuse) {
  if (!Divides(s.leaf_tokens(), s.mini_segment_tokens()) || !Divides(s.mini_segment_tokens(), s.segment_tokens()))
    return refuse(9, absl::StrCat("graph.splats has leaf_tokens ", s.leaf_tokens(), ", mini_segment_tokens ", s.mini_segment_tokens(),
                                  ", segment_tokens ", s.segment_tokens(), ", wanted each to divide the next"));
  if (s.leaf_tokens() != 16) return refuse(23, absl::StrCat("graph.splats.leaf_tokens is ", s.leaf_tokens(), ", wanted 16"));
  if (s.window_tokens() != s.mini_segment_tokens())
    return refuse(
        23, absl::StrCat("graph.splats.window_tokens is ", s.window_tokens(), ", wanted mini_segment_tokens ", s.mini_segment_tokens()));
  // 16: the samples that fit β and τ are a tile of their own.
  if (s.tile_queries() < 16 || s.tile_queries() > 128 || !Divides(s.tile_queries(), s.window_tokens()))
    return refuse(23, absl::StrCat("graph.splats.tile_queries is ", s.tile_queries(), ", wanted 16..128 and a divisor of window_tokens ",
                                   s.window_tokens()));
  if (s.segment_tokens() > kMaxSegmentTokens)
    return refuse(26, absl::StrCat("graph.splats.segment_tokens is ", s.segment_tokens(), ", wanted at most ", kMaxSegmentTokens));
  return absl::OkStatus();
}

absl::Status CheckLevels(const Splats& s, const Refusal& refuse) {
  const auto& levels = s.level_tokens();
  if (levels.size() > kMaxLevels)
    return refuse(28, absl::StrCat("graph.splats has ", levels.size(), " levels, wanted at most ", kMaxLevels));
  const std::string list = absl::StrCat("graph.splats.level_tokens is [", absl::StrJoin(levels, " "), "]");
  // Nodes come in groups of four, and a node has 16 children at most: the rows of the scratch that merges them.
  for (int i = 1; i < levels.size(); ++i) {
    const uint32_t children = Divides(levels[i - 1], levels[i]) ? levels[i] / levels[i - 1] : 0;
    if (children != 4 && children != 8 && children != 16)
      return refuse(11, absl::StrCat(list, ", wanted each 4, 8 or 16 times the one before"));
  }
  // A mini-segment has leaves below it and the segment right above it.
  const int top = levels.size() - 1;
  if (top < 2 || levels[0] != s.leaf_tokens() || levels[top - 1] != s.mini_segment_tokens() || levels[top] != s.segment_tokens())
    return refuse(24, absl::StrCat(list, ", wanted leaf_tokens ", s.leaf_tokens(), " first, mini_segment_tokens ", s.mini_segment_tokens(),
                                   " and segment_tokens ", s.segment_tokens(), " last"));
  return absl::OkStatus();
}

absl::Status CheckSplats(const Splats& s, const Refusal& refuse) {
  if (absl::Status status = CheckUnits(s, refuse); !status.ok()) return status;
  if (s.order() != 0 && s.order() != 2) return refuse(10, absl::StrCat("graph.splats.order is ", s.order(), ", wanted 0 or 2"));
  if (absl::Status status = CheckLevels(s, refuse); !status.ok()) return status;
  if (!std::isfinite(s.theta()) || s.theta() <= 0)
    return refuse(25, absl::StrCat("graph.splats.theta is ", s.theta(), ", wanted a finite number > 0"));
  const auto inside = [](double share) { return share > 0 && share < 1; };
  if (s.tolerance() != 0 && (!inside(s.tolerance()) || !inside(s.confidence())))
    return refuse(
        36, absl::StrCat("graph.splats.tolerance is ", s.tolerance(), " at ", s.confidence(), ", wanted both in (0, 1), or no tolerance"));
  if (!format::QueryOrder_IsValid(s.query_order()))
    return refuse(37, absl::StrCat("graph.splats.query_order is ", static_cast<int>(s.query_order()), ", wanted 0 or 1"));
  if (s.bands() > kMaxBands || (s.order() == 2 && s.bands() == 0))
    return refuse(26, absl::StrCat("graph.splats.bands is ", s.bands(), ", wanted 1..", kMaxBands));
  if (s.near_sink_tokens() > s.mini_segment_tokens())
    return refuse(26, absl::StrCat("graph.splats.near_sink_tokens is ", s.near_sink_tokens(), ", wanted at most mini_segment_tokens ",
                                   s.mini_segment_tokens()));
  return absl::OkStatus();
}

// Links and the gate of scheme routed.
absl::Status CheckFlow(const Routed& r, const Refusal& refuse) {
  constexpr int kMaxLinks = 64;
  constexpr uint32_t kMaxRank = 1024;
  if (r.gate_weight().empty() != r.gate_bias().empty())
    return refuse(41, absl::StrCat("graph.routed.gate_weight is '", r.gate_weight(), "' and gate_bias '", r.gate_bias(),
                                   "', wanted both or neither"));
  if (r.links_size() > kMaxLinks)
    return refuse(42, absl::StrCat("graph.routed has ", r.links_size(), " links, wanted at most ", kMaxLinks));
  const auto levels = static_cast<uint32_t>(r.levels_size());
  for (const Link& link : r.links()) {
    if (link.from() >= levels || link.to() >= levels || link.from() == link.to())
      return refuse(42,
                    absl::StrCat("graph.routed has a link from level ", link.from(), " to level ", link.to(), ", wanted two of ", levels));
    const bool whole = !link.weight().empty() && link.expand().empty() && link.compress().empty();
    const bool narrow = link.weight().empty() && !link.expand().empty() && !link.compress().empty();
    if (link.rank() > kMaxRank || (link.rank() == 0 ? !whole : !narrow))
      return refuse(43, absl::StrCat("graph.routed has a link of rank ", link.rank(), " with weight '", link.weight(), "', expand '",
                                     link.expand(), "' and compress '", link.compress(),
                                     "', wanted a weight for rank 0, and expand and compress for 1..", kMaxRank));
  }
  return absl::OkStatus();
}

absl::Status CheckCovariance(const Graph& g, const Refusal& refuse) {
  constexpr uint32_t kMostRows = 16;
  const Routed& r = g.routed();
  const uint32_t width = r.bands() == 0 ? 0 : (g.head_dim() + r.bands() - 1) / r.bands();
  if (r.bands() != 0 && (r.isotropic() || r.bands() < 2 || r.bands() >= g.head_dim() || (r.bands() - 1) * width >= g.head_dim()))
    return refuse(60, absl::StrCat("graph.routed.bands is ", r.bands(), " of ", g.head_dim(), " dims", r.isotropic() ? ", isotropic" : "",
                                   ", wanted 0, or 2 to ", g.head_dim() - 1, " of which none is empty"));
  if ((r.factor().empty() ? r.rank() != 0 : r.rank() < 1 || r.rank() > kMostRows) ||
      (!r.cholesky().empty() && !(r.factor().empty() && r.variance().empty())))
    return refuse(
        61, absl::StrCat("graph.routed has factor '", r.factor(), "' of rank ", r.rank(), ", variance '", r.variance(), "' and cholesky '",
                         r.cholesky(), "', wanted a rank of 1..", kMostRows, " with a factor, and cholesky alone"));
  return absl::OkStatus();
}

absl::Status CheckRouted(const Graph& g, const Refusal& refuse) {
  constexpr uint64_t kMaxSplats = 65536;
  const Routed& r = g.routed();
  if (absl::Status covariance = CheckCovariance(g, refuse); !covariance.ok()) return covariance;
  if (r.center().empty() || (r.variance().empty() && r.cholesky().empty()) || r.center() == r.variance())
    return refuse(39, absl::StrCat("graph.routed.center is '", r.center(), "' and variance '", r.variance(), "', wanted two names"));
  if (g.mask().sliding_window() > 0 || g.mask().sink_tokens() > 0)
    return refuse(39, absl::StrCat("graph.mask.sliding_window is ", g.mask().sliding_window(), " in scheme routed, wanted 0"));
  if (r.levels().empty() || r.levels_size() > kMaxLevels)
    return refuse(40, absl::StrCat("graph.routed has ", r.levels_size(), " levels, wanted 1..", kMaxLevels));
  uint64_t splats = 0;
  for (const SplatLevel& level : r.levels()) {
    splats += level.splats();
    if (level.splats() < 1 || splats > kMaxSplats)
      return refuse(
          40, absl::StrCat("graph.routed.levels has ", level.splats(), " splats, wanted 1 or more and at most ", kMaxSplats, " together"));
    if (!std::isfinite(level.weight()) || level.weight() <= 0)
      return refuse(40, absl::StrCat("graph.routed.levels has weight ", level.weight(), ", wanted a finite number > 0"));
  }
  if (absl::Status levels = CheckSplatLevels(g, refuse); !levels.ok()) return levels;
  if (absl::Status flow = CheckFlow(r, refuse); !flow.ok()) return flow;
  return r.has_sparse() ? CheckSparse(r, refuse) : absl::OkStatus();
}

}  // namespace

absl::Status CheckGraph(const Graph& graph, const Refusal& refuse) {
  if (absl::Status status = CheckTensors(graph, refuse); !status.ok()) return status;
  if (absl::Status status = CheckLengths(graph, refuse); !status.ok()) return status;
  if (absl::Status status = CheckMask(graph.mask(), refuse); !status.ok()) return status;
  return graph.has_routed() ? CheckRouted(graph, refuse) : CheckSplats(graph.splats(), refuse);
}

}  // namespace hsa::format

#include "runtime/report_reads.h"

#include <algorithm>

namespace hsa {

void ReportReads(const Job& job, std::span<const HeadReads> heads, RunReport& report) {
  const Geometry& g = job.geometry;
  const double visible = g.AllVisibleKeys();  // of one head
  const double all_visible = std::max(visible * static_cast<double>(g.heads), 1.0);
  const auto share = [](double near, const TileCost& cost, double keys) {
    return ReadFractions{near / keys, cost.nodes / keys, cost.leaves / keys, (near + cost.keys()) / keys};
  };
  double near = 0;
  TileCost all;
  for (const HeadReads& head : heads) {
    near += head.near;
    all += head.cost;
    report.heads.push_back(
        {static_cast<int64_t>(report.heads.size()), head.theta, head.dense_blocks, share(head.near, head.cost, std::max(visible, 1.0))});
  }
  report.read = share(near, all, all_visible);
  for (int64_t level = g.levels; level-- > 0;) {
    const auto [scored, opened] = all.levels[level];
    report.levels.push_back(
        {job.plan.graph().splats().level_tokens(static_cast<int>(level)), scored / all_visible, opened / std::max(scored, 1.0)});
  }
  report.seconds.score = all.score_seconds / job.threads;
  report.seconds.leaves = all.leaves_seconds / job.threads;
  report.flop = 2.0 * static_cast<double>(g.head_dim + g.value_dim) * (near + all.keys());
}

int64_t BytesOf(const Job& job, double keys, double nodes) {
  constexpr int64_t kScalars = 5;  // docs/spec.md, "Node": masses, bound of the gain, count, trace
  const Geometry& g = job.geometry;
  const int64_t key = (g.head_dim + g.value_dim) * DTypeBytes(job.inputs.key.dtype);
  const int64_t node = (g.padded_head_dim + g.padded_value_dim + g.bands + kScalars) * int64_t{sizeof(float)};
  return static_cast<int64_t>(keys * static_cast<double>(key) + nodes * static_cast<double>(node));
}

}  // namespace hsa

#include "runtime/group_nodes.h"

#include "oneapi/tbb/parallel_for.h"

namespace hsa {

GroupNodes::GroupNodes(const Job& job, const IndexStore& store, Overlay* overlay)
    : job_(job), store_(store), overlay_(overlay), builder_(job.program, job.geometry, job.inputs) {
  if (overlay != nullptr) return;
  for (int64_t i = 0; i < job.geometry.group(); ++i) nodes_.emplace_back(job.plan.graph(), job.geometry, store.slots());
}

void GroupNodes::Build(Workers& workers, int64_t kv_head, const Block& block, std::span<const Region> regions) {
  if (overlay_ != nullptr) return overlay_->Extend(workers, regions);
  const auto start = std::chrono::steady_clock::now();
  for (SplatNodes& nodes : nodes_) nodes.ClearTilt();
  std::vector<Unit> units;
  for (int64_t s = 0; s < regions.back().segment; ++s) units.push_back(store_.SegmentUnit(kv_head, s));
  for (const Region& region : regions)
    for (int64_t m = 0; m < region.minis; ++m) units.push_back(store_.MiniUnit(kv_head, region.segment, m));
  const auto heads = static_cast<int64_t>(nodes_.size()), count = static_cast<int64_t>(units.size());
  if (count > 0) {
    oneapi::tbb::parallel_for(int64_t{0}, heads, [&](int64_t i) {
      builder_.SetReference(workers.local(), kv_head * heads + i, block.begin, block.end, nodes_[i]);
    });
    // Heads inside: they read the same leaves.
    const int64_t segments = regions.back().segment;
    std::vector<std::vector<TiltSums>> tilt(heads, std::vector<TiltSums>(segments));
    oneapi::tbb::parallel_for(int64_t{0}, count * heads, [&](int64_t i) {
      const TraceScope scope(job_.options.trace, "nodes", "index");
      TiltSums sums = builder_.Build(workers.local(), store_.index(kv_head), units[i / heads], nodes_[i % heads]);
      if (i / heads < segments) tilt[i % heads][i / heads] = std::move(sums);
    });
    oneapi::tbb::parallel_for(int64_t{0}, heads, [&](int64_t i) {
      for (const Region& region : regions)
        nodes_[i].SetTilt(region.segment, std::span(tilt[i]).first(region.segment), job_.plan.graph().scale());
    });
  }
  seconds_ += SecondsSince(start);
}

}  // namespace hsa

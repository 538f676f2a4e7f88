#include "runtime/overlay.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "oneapi/tbb/parallel_for.h"

namespace hsa {

absl::StatusOr<std::unique_ptr<Overlay>> Overlay::Create(const Job& job, const IndexStore& store) {
  std::unique_ptr<Overlay> overlay(new Overlay(job, store));
  const Geometry& g = job.geometry;
  const int64_t each = SplatNodes::Bytes(job.plan.graph(), g, store.slots());
  absl::StatusOr<MemoryBlock> memory =
      store.scratch() ? MemoryBlock::Scratch(each * g.heads, job.options.scratch_dir) : MemoryBlock::Anonymous(each * g.heads);
  if (!memory.ok()) return memory.status();
  overlay->memory_ = *std::move(memory);
  for (int64_t head = 0; head < g.heads; ++head)
    overlay->nodes_.emplace_back(job.plan.graph(), g, store.slots(), overlay->memory_.data() + head * each);
  overlay->heads.resize(g.heads);
  overlay->minis_.resize(store.slots() - store.segments());
  return overlay;
}

void Overlay::SetReferences(Workers& workers, const Block& block) {
  oneapi::tbb::parallel_for(int64_t{0}, job_.geometry.heads,
                            [&](int64_t head) { builder_.SetReference(workers.local(), head, block.begin, block.end, nodes_[head]); });
}

void Overlay::NoteLoaded(int64_t segments, int64_t minis) {
  segments_ = loaded_segments_ = segments;
  if (minis > 0) minis_[store_.mini_slot(segments) - store_.segments()] = {segments, minis};
}

std::vector<Unit> Overlay::MissingUnits(std::span<const Region> regions) {
  std::vector<Unit> units;
  for (; segments_ < regions.back().segment; ++segments_) units.push_back(store_.SegmentUnit(0, segments_));
  for (const Region& region : regions) {
    Minis& held = minis_[store_.mini_slot(region.segment) - store_.segments()];
    if (held.segment != region.segment) held = {region.segment, 0};
    for (; held.count < region.minis; ++held.count) units.push_back(store_.MiniUnit(0, region.segment, held.count));
  }
  return units;
}

void Overlay::Extend(Workers& workers, std::span<const Region> regions) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t group = job_.geometry.group(), first_segment = segments_;
  const std::vector<Unit> units = MissingUnits(regions);
  const int64_t new_segments = segments_ - first_segment, count = static_cast<int64_t>(units.size());
  std::vector<std::vector<TiltSums>> tilt(heads.size(), std::vector<TiltSums>(new_segments));
  const int64_t tasks = static_cast<int64_t>(heads.size()) * count;
  oneapi::tbb::parallel_for(int64_t{0}, tasks, [&](int64_t i) {
    const TraceScope scope(job_.options.trace, "nodes", "index");
    // Heads of a group inside: they read the same leaves.
    const int64_t kv_head = i / (count * group), u = i / group % count, head = kv_head * group + i % group;
    Unit unit = units[u];
    unit.kv_head = kv_head;
    TiltSums sums = builder_.Build(workers.local(), store_.index(kv_head), unit, nodes_[head]);
    if (u < new_segments) tilt[head][u] = std::move(sums);
  });
  oneapi::tbb::parallel_for(size_t{0}, heads.size(), [&](size_t head) {
    int64_t added = 0;
    for (const Region& region : regions) {
      for (; first_segment + added < region.segment; ++added) Add(tilt[head][added], heads[head].tilt);
      if (HasTilt(region.segment) && first_segment + added == region.segment)
        nodes_[head].SetTilt(region.segment, heads[head].tilt, job_.plan.graph().scale());
    }
  });
  seconds_ += SecondsSince(start);
}

absl::StatusOr<std::unique_ptr<Overlay>> OverlayOf(const Job& job, const IndexStore& store, const Block& block) {
  absl::StatusOr<std::unique_ptr<Overlay>> overlay = Overlay::Create(job, store);
  if (!overlay.ok()) return overlay;
  Workers workers([&job] { return Worker(job.program); });
  (*overlay)->SetReferences(workers, block);
  (*overlay)->Extend(workers, std::span(block.regions).last(1));
  return overlay;
}

std::optional<double> Overlay::CarriedTheta(int64_t head, const Tolerance& asked) const {
  const bool fits = tolerance.error > 0 && tolerance.error <= asked.error && tolerance.confidence >= asked.confidence;
  if (!fits || std::isnan(heads[head].theta)) return std::nullopt;
  return heads[head].theta;
}

}  // namespace hsa

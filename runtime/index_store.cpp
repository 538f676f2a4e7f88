#include "runtime/index_store.h"

#include <algorithm>
#include <utility>

#include "oneapi/tbb/parallel_for.h"

namespace hsa {

absl::StatusOr<std::unique_ptr<IndexStore>> IndexStore::Create(const Job& job, int64_t segments, int64_t regions, int64_t memory_bytes) {
  std::unique_ptr<IndexStore> store(new IndexStore(job, segments, regions));
  const int64_t slots = segments + regions;
  const int64_t each = SplatIndex::Bytes(job.geometry, job.inputs.key.dtype, slots);
  const int64_t bytes = each * job.geometry.kv_heads;
  store->scratch_ = memory_bytes > 0 && bytes > memory_bytes;
  absl::StatusOr<MemoryBlock> memory =
      store->scratch_ ? MemoryBlock::Scratch(bytes, job.options.scratch_dir) : MemoryBlock::Anonymous(bytes);
  if (!memory.ok()) return memory.status();
  store->memory_ = *std::move(memory);
  for (int64_t kv_head = 0; kv_head < job.geometry.kv_heads; ++kv_head)
    store->indexes_.push_back(
        std::make_unique<SplatIndex>(job.geometry, job.inputs.key.dtype, slots, store->memory_.data() + kv_head * each));
  store->bad_keys_.resize(job.geometry.kv_heads);
  return store;
}

int64_t IndexStore::mini_slot(int64_t segment) const {
  const auto held = std::find_if(minis_.begin(), minis_.end(), [&](const Minis& minis) { return minis.segment == segment; });
  return segments_ + (held == minis_.end() ? 0 : held - minis_.begin());  // of a segment without mini-segments none is read
}

IndexBuilder& IndexStore::builder() {
  std::unique_ptr<IndexBuilder>& mine = builders_.local();
  if (mine == nullptr) mine = std::make_unique<IndexBuilder>(job_.program, job_.geometry, job_.inputs.key, job_.inputs.value);
  return *mine;
}

void IndexStore::NoteBad(int64_t kv_head, const std::vector<int32_t>& keys) {
  if (keys.empty()) return;
  const std::lock_guard lock(mutex_);
  std::vector<int32_t>& all = bad_keys_[kv_head];
  all.insert(all.end(), keys.begin(), keys.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
}

void IndexStore::BuildSegment(Worker& worker, int64_t kv_head, int64_t segment) {
  const TraceScope scope(job_.options.trace, "segment", "index");
  std::vector<int32_t> bad;
  builder().Build(worker, grams_, *indexes_[kv_head], SegmentUnit(kv_head, segment), bad);
  NoteBad(kv_head, bad);
}

void IndexStore::BuildMini(Worker& worker, int64_t kv_head, int64_t segment, int64_t mini) {
  const TraceScope scope(job_.options.trace, "mini-segment", "index");
  std::vector<int32_t> bad;
  builder().Build(worker, grams_, *indexes_[kv_head], MiniUnit(kv_head, segment, mini), bad);
  NoteBad(kv_head, bad);
}

Unit IndexStore::SegmentUnit(int64_t kv_head, int64_t segment) const {
  const Geometry& g = job_.geometry;
  return {kv_head, segment * g.segment, g.segment, segment, 0};
}
Unit IndexStore::MiniUnit(int64_t kv_head, int64_t segment, int64_t mini) const {
  const Geometry& g = job_.geometry;
  return {kv_head, segment * g.segment + mini * g.mini, g.mini, mini_slot(segment), mini};
}

void IndexStore::BuildSegments(Workers& workers, int64_t segments) {
  const auto start = std::chrono::steady_clock::now();
  const auto build = [&](int64_t first, int64_t last) {
    oneapi::tbb::parallel_for(int64_t{0}, (last - first) * job_.geometry.kv_heads, [&](int64_t i) {
      BuildSegment(workers.local(), i % job_.geometry.kv_heads, first + i / job_.geometry.kv_heads);
    });
  };
  if (built_ < segments) build(built_, segments), built_ = segments;
  seconds_ += SecondsSince(start);
}

// Makes the segment's slot the newest; without one it gets that which was asked for longest ago, so that a block of as many regions as there are slots
// keeps them all. Returns how many of the `minis` it held.
int64_t IndexStore::TakeMinis(int64_t segment, int64_t minis) {
  const int64_t slot = mini_slot(segment) - segments_;
  if (minis_[slot].segment == segment) {
    newest_ = slot;
  } else {
    newest_ = std::ranges::min_element(minis_, {}, &Minis::asked) - minis_.begin();
    minis_[newest_] = {segment, 0, 0};
  }
  Minis& held = minis_[newest_];
  held.asked = ++asked_;
  return std::min(std::exchange(held.count, std::max(held.count, minis)), minis);
}

void IndexStore::BuildRegion(Workers& workers, int64_t segment, int64_t minis) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t kv_heads = job_.geometry.kv_heads, missing = std::max<int64_t>(0, segment - built_);
  const int64_t held = TakeMinis(segment, minis);
  const int64_t units = missing + minis - held;  // whole segments first: they take longest
  oneapi::tbb::parallel_for(
      oneapi::tbb::blocked_range<int64_t>(0, units * kv_heads, 1),
      [&](const auto& range) {
        for (int64_t i = range.begin(); i != range.end(); ++i) {
          const int64_t unit = i / kv_heads, kv_head = i % kv_heads;
          if (unit < missing)
            BuildSegment(workers.local(), kv_head, built_ + unit);
          else
            BuildMini(workers.local(), kv_head, segment, held + unit - missing);
        }
      },
      oneapi::tbb::simple_partitioner());
  built_ += missing;
  if (job_.geometry.causal) grams_.Forget(std::max<int64_t>(0, (segment - 1) * job_.geometry.segment));
  seconds_ += SecondsSince(start);
}

void IndexStore::NoteLoaded(int64_t segments, int64_t minis, std::vector<std::vector<int32_t>> bad_keys) {
  built_ = segments;
  if (minis > 0 && segments == segments_) minis_[0] = {segments, minis, 0};
  bad_keys_ = std::move(bad_keys);
}

std::vector<int32_t> IndexStore::Exceptions(int64_t kv_head, int64_t before) const {
  std::vector<int32_t> keys;
  for (int64_t sink = 0; sink < std::min(job_.geometry.near_sinks, before); ++sink) keys.push_back(static_cast<int32_t>(sink));
  const std::lock_guard lock(mutex_);
  for (int32_t key : bad_keys_[kv_head])
    if (key >= job_.geometry.near_sinks && key < before) keys.push_back(key);
  return keys;
}

}  // namespace hsa

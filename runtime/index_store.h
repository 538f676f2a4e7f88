// The splat indexes of all kv_heads of a run: their memory, and the segments and mini-segments that are built into them as the run goes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/index_builder.h"
#include "runtime/memory_block.h"
#include "runtime/run_state.h"
#include "runtime/splat_index.h"

namespace hsa {

class IndexStore {
 public:
  // Room for `segments` whole segments per kv_head, and for the mini-segments of `regions` segments at a time. In memory when it fits in
  // `memory_bytes` (0: always), else in the scratch folder.
  static absl::StatusOr<std::unique_ptr<IndexStore>> Create(const Job& job, int64_t segments, int64_t regions, int64_t memory_bytes);

  // Builds what is missing of whole segments [0, segments) of every kv_head, in parallel.
  void BuildSegments(Workers& workers, int64_t segments);
  // Builds the first `minis` mini-segments of segment `segment` of every kv_head, and whole segments up to it, in parallel.
  void BuildRegion(Workers& workers, int64_t segment, int64_t minis);

  // The leaves of the first `segments` segments, and of the first `minis` mini-segments of the next one, were put in their place, and these are the
  // non-finite keys of each kv_head among them: they need no building any more.
  void NoteLoaded(int64_t segments, int64_t minis, std::vector<std::vector<int32_t>> bad_keys);

  // Units that were built, the mini-segments being those behind the last segment.
  int64_t segments_built() const { return std::min(built_, segments_); }
  int64_t minis_built() const { return minis_[newest_].segment == segments_built() ? minis_[newest_].count : 0; }
  const std::vector<std::vector<int32_t>>& bad_keys() const { return bad_keys_; }

  // Whole segment `segment`, and mini-segment `mini` of it, as they stand in the index.
  Unit SegmentUnit(int64_t kv_head, int64_t segment) const;
  Unit MiniUnit(int64_t kv_head, int64_t segment, int64_t mini) const;
  int64_t segments() const { return segments_; }  // that there is room for
  int64_t slots() const { return segments_ + static_cast<int64_t>(minis_.size()); }

  const SplatIndex& index(int64_t kv_head) const { return *indexes_[kv_head]; }
  // The slot that holds the mini-segments of a segment, until those of `regions` other segments were built.
  int64_t mini_slot(int64_t segment) const;
  bool scratch() const { return scratch_; }
  int64_t bytes() const { return memory_.bytes(); }
  double seconds() const { return seconds_; }

  // Positions of the sink prefix and of non-finite keys of kv_head among the keys of units built so far, ascending.
  std::vector<int32_t> Exceptions(int64_t kv_head, int64_t before) const;

 private:
  struct Minis {
    int64_t segment = -1, count = 0;
    int64_t asked = 0;  // when last, counted in calls
  };

  IndexStore(const Job& job, int64_t segments, int64_t regions)
      : job_(job), segments_(segments), grams_(job.program, job.geometry, job.inputs.query), minis_(regions) {}
  int64_t TakeMinis(int64_t segment, int64_t minis);
  void BuildSegment(Worker& worker, int64_t kv_head, int64_t segment);
  void BuildMini(Worker& worker, int64_t kv_head, int64_t segment, int64_t mini);
  void NoteBad(int64_t kv_head, const std::vector<int32_t>& keys);
  IndexBuilder& builder();

  const Job& job_;
  const int64_t segments_;
  bool scratch_ = false;
  MemoryBlock memory_;
  std::vector<std::unique_ptr<SplatIndex>> indexes_;
  QueryGrams grams_;
  oneapi::tbb::enumerable_thread_specific<std::unique_ptr<IndexBuilder>> builders_;
  mutable std::mutex mutex_;
  std::vector<std::vector<int32_t>> bad_keys_;  // of each kv_head, under mutex_
  int64_t built_ = 0;                           // whole segments
  std::vector<Minis> minis_;                    // what each slot of mini-segments holds
  int64_t newest_ = 0, asked_ = 0;              // which of them was asked for last, and how often any was
  double seconds_ = 0;
};

}  // namespace hsa

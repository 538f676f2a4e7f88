// What the last block of a prompt leaves behind for those who come after it: of each query head its reference, the nodes that are seen from it, how their
// values lean, and the θ that was calibrated. With it a decode step reads the keys that it opens and no others.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/index_store.h"
#include "runtime/memory_block.h"
#include "runtime/splat_nodes.h"
#include "runtime/splat_run.h"

namespace hsa {

class Overlay {
 public:
  struct Head {
    double theta = std::numeric_limits<double>::quiet_NaN();  // NaN: no block was calibrated; kReadAll: nothing cheaper kept the tolerance
    float error_scale = 0;                                    // c of a query's estimated error; 0: not known
    TiltTotals tilt;                                          // over the whole segments
  };

  // Without units, about the reference 0, with room for those of `store`, which must outlive it.
  static absl::StatusOr<std::unique_ptr<Overlay>> Create(const Job& job, const IndexStore& store);

  // References: of each head the mean of its queries in `block`.
  void SetReferences(Workers& workers, const Block& block);

  // Builds the nodes that are missing of whole segments before the last of `regions`, and of the mini-segments of each, about the references as they are;
  // their leaves are in the store. Regions ascend.
  void Extend(Workers& workers, std::span<const Region> regions);

  // Whether windows whose near field starts in `segment` have a tilt. Those before the segments of the file have none: its sums are over all of them.
  bool HasTilt(int64_t segment) const { return segment >= loaded_segments_; }

  // θ of each head for a tolerance that is asked for: one that was calibrated for no larger an error and no lower a confidence. Empty when there is none.
  std::optional<double> CarriedTheta(int64_t head, const Tolerance& asked) const;

  const SplatNodes& nodes(int64_t head) const { return nodes_[head]; }
  double seconds() const { return seconds_; }

  // What the file holds of it.
  Tolerance tolerance{0, 0};  // that θ was calibrated for; 0: none was
  std::vector<Head> heads;
  SplatNodes& mutable_nodes(int64_t head) { return nodes_[head]; }
  // Nodes of the first `segments` segments, and of the first `minis` mini-segments of the next one, were put in their place.
  void NoteLoaded(int64_t segments, int64_t minis);

 private:
  struct Minis {
    int64_t segment = -1, count = 0;
  };

  Overlay(const Job& job, const IndexStore& store) : job_(job), store_(store), builder_(job.program, job.geometry, job.inputs) {}
  std::vector<Unit> MissingUnits(std::span<const Region> regions);  // of kv_head 0, whole segments first; they count as built then

  const Job& job_;
  const IndexStore& store_;
  NodeBuilder builder_;
  MemoryBlock memory_;
  std::vector<SplatNodes> nodes_;  // of each query head
  int64_t segments_ = 0, loaded_segments_ = 0;
  std::vector<Minis> minis_;  // of each slot behind the segments of the store
  double seconds_ = 0;
};

// The overlay that a prompt leaves whose last block is `block`, of the units that its last window sees; θ is not set.
absl::StatusOr<std::unique_ptr<Overlay>> OverlayOf(const Job& job, const IndexStore& store, const Block& block);

}  // namespace hsa

// The tree of splats of one kv_head: panels of its leaves and the nodes of every level. Slot s holds segment s; the last slot holds the
// mini-segments of the region that is being attended. Position-independent: arrays by strides, saved by writing bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/geometry.h"
#include "runtime/memory_block.h"
#include "runtime/tensor.h"
#include "runtime/worker.h"

namespace hsa {

// Nodes of one level, in groups of four.
struct LevelArrays {
  int64_t tokens = 0;        // slots of a node
  int64_t nodes = 0;         // per segment slot; at the coarsest level 1, so four slots share a group
  int64_t groups = 0;        // of all slots
  int64_t child_groups = 0;  // groups of children of one node; at the finest level 1: the leaf
  float* mean = nullptr;     // [groups, D, 4]
  float* value = nullptr;    // [groups, 4, Dv]
  float* var = nullptr;      // [groups, bands, 4]
  float* scalar = nullptr;   // [groups, 4, 4]
};

class SplatIndex {
 public:
  // Bytes of an index with `slots` segment slots: what Create will allocate.
  static int64_t Bytes(const format::Graph& graph, const Geometry& geometry, DType dtype, int64_t slots);

  // `memory` has at least Bytes() bytes of zeros.
  SplatIndex(const format::Graph& graph, const Geometry& geometry, DType dtype, int64_t slots, std::byte* memory);

  int64_t slots() const { return slots_; }
  int64_t leaves_per_slot() const { return leaves_per_slot_; }
  std::span<const LevelArrays> levels() const { return levels_; }  // finest first; the last is a whole segment
  size_t mini_level() const { return levels_.size() - 2; }         // whose nodes are whole mini-segments

  std::byte* leaf_k() const { return leaf_k_; }
  std::byte* leaf_v() const { return leaf_v_; }
  int32_t* leaf_pos() const { return leaf_pos_; }
  std::span<std::byte> bytes() const { return {memory_, static_cast<size_t>(bytes_)}; }

  // Binds the nodes of a level, all slots or those of one unit: groups [first, first + count).
  void BindNodes(Worker& worker, size_t level, int64_t first, int64_t count) const;
  void BindChildren(Worker& worker, size_t level, int64_t first, int64_t count) const;
  void BindLevel(Worker& worker, size_t level) const { BindNodes(worker, level, 0, levels_[level].groups); }
  void BindLeaves(Worker& worker) const;

  // Copies whole segments [0, segments), or one slot, of an index of the same graph.
  void CopySlots(const SplatIndex& from, int64_t segments);
  void CopySlot(const SplatIndex& from, int64_t from_slot, int64_t slot);

  const float* basis(int64_t near_start) const;  // U for a window whose near field starts there
  std::vector<float> learned_basis;              // U of the first full segment, in panels; empty before it
  std::vector<float> identity_basis;

 private:
  Geometry geometry_;
  int64_t slots_, leaves_per_slot_;
  int64_t leaf_bytes_;  // of one key in a leaf
  std::byte* memory_;
  int64_t bytes_;
  std::vector<LevelArrays> levels_;
  std::byte *leaf_k_, *leaf_v_;
  int32_t* leaf_pos_;
};

}  // namespace hsa

// The tree of one kv_head: the keys and values of its leaves, in the order of the tree. Slot s holds segment s; the slots behind them hold the
// mini-segments of regions that are being attended. Nodes have no pointers: node j of a level covers the slots [j·size, (j+1)·size). Saved by writing bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/geometry.h"
#include "runtime/tensor.h"
#include "runtime/worker.h"

namespace hsa {

// A unit of keys and where it stands in the index.
struct Unit {
  int64_t kv_head = 0;
  int64_t begin = 0, tokens = 0;  // keys [begin, begin + tokens)
  int64_t slot = 0;               // segment slot of the index
  int64_t mini = 0;               // which mini-segment of the slot, when tokens is a mini-segment's
};

class SplatIndex {
 public:
  // Bytes of an index with `slots` segment slots.
  static int64_t Bytes(const Geometry& geometry, DType dtype, int64_t slots);

  // `memory` has at least Bytes() bytes of zeros.
  SplatIndex(const Geometry& geometry, DType dtype, int64_t slots, std::byte* memory);

  int64_t slots() const { return slots_; }
  int64_t leaves_per_slot() const { return leaves_per_slot_; }

  int32_t* leaf_pos() const { return leaf_pos_; }

  // Binds leaves [first, first + count), or all of them.
  void BindLeaves(Worker& worker, int64_t first, int64_t count) const;
  void BindLeaves(Worker& worker) const { BindLeaves(worker, 0, slots_ * leaves_per_slot_); }

  // Keys, values and positions of the first `places` places of the leaves from `slot` on, as they lie in memory: what an index file holds.
  std::array<std::span<std::byte>, 3> Arrays(int64_t slot, int64_t places) const;

 private:
  Geometry geometry_;
  int64_t slots_, leaves_per_slot_;
  int64_t element_bytes_;
  std::byte *leaf_k_ = nullptr, *leaf_v_ = nullptr;
  int32_t* leaf_pos_ = nullptr;
};

}  // namespace hsa

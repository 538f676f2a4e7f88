// The nodes of the tree as one query head sees them in one block: moments of the keys about the block's reference query (docs/spec.md, "Node").
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "kernels/tile_shape.h"
#include "runtime/huge_pages.h"
#include "runtime/rows.h"
#include "runtime/run.h"
#include "runtime/splat_index.h"

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
  float* scalar = nullptr;   // [groups, 5, 4]
};

// How the values of a level lean with its keys: Σ p (k − μ)(v − v̄)ᵀ over some nodes, Σ of their traces, and what their children had of these.
struct TiltSum {
  std::vector<float> matrix;  // [D, Dv]
  std::array<float, 2> traces{};
};
using TiltSums = std::vector<TiltSum>;  // of each level

// TiltSum added up over segments, in their order.
struct TiltTotal {
  std::vector<double> matrix;  // [D, Dv]; empty: of no segment
  std::array<double, 2> traces{};
};
using TiltTotals = std::vector<TiltTotal>;  // of each level

void Add(const TiltSums& segment, TiltTotals& totals);

class SplatNodes {
 public:
  // Bytes of the nodes of `slots` segment slots.
  static int64_t Bytes(const format::Graph& graph, const Geometry& geometry, int64_t slots);

  // In memory of its own, or in `memory`, which has at least Bytes() bytes of zeros at a page and outlives the nodes.
  SplatNodes(const format::Graph& graph, const Geometry& geometry, int64_t slots);
  SplatNodes(const format::Graph& graph, const Geometry& geometry, int64_t slots, std::byte* memory);
  SplatNodes(SplatNodes&&) = default;

  std::span<const LevelArrays> levels() const { return levels_; }  // finest first; the last is a whole segment
  size_t mini_level() const { return levels_.size() - 2; }         // whose nodes are whole mini-segments

  // Binds the nodes of a level, all slots or those of one unit: groups [first, first + count).
  void BindNodes(Worker& worker, size_t level, int64_t first, int64_t count) const;
  void BindChildren(Worker& worker, size_t level, int64_t first, int64_t count) const;
  void BindLevel(Worker& worker, size_t level) const { BindNodes(worker, level, 0, levels_[level].groups); }
  void BindReference(Worker& worker) const { worker.Bind("reference", reference.data(), {geometry_.padded_head_dim}); }

  // The tilt of each level for windows whose near field starts in `segment`, from the sums over each of the segments before it, or over all of them.
  void SetTilt(int64_t segment, std::span<const TiltSums> segments, double scale);
  void SetTilt(int64_t segment, const TiltTotals& totals, double scale);
  void ClearTilt() { tilt_.clear(); }
  // A tile whose near field starts in `segment` reads it; 0 where SetTilt was not called.
  void BindTilt(Worker& worker, int64_t segment, size_t level) const;

  // Mean, value, variances and scalars of each level, finest first, of the units in the first `places` places from `slot` on, as they lie in memory:
  // what an index file holds. Of fewer places than a segment has, without the coarsest level.
  std::vector<std::span<std::byte>> Arrays(int64_t slot, int64_t places) const;

  std::vector<float> reference;  // q₀

 private:
  int64_t tilt_floats() const {
    return (geometry_.padded_value_dim + kBatchKeys - 1) / kBatchKeys * kBatchKeys * geometry_.padded_head_dim;
  }

  Geometry geometry_;
  std::vector<float, HugePages<float>> memory_;
  std::vector<LevelArrays> levels_;
  std::map<int64_t, std::vector<std::vector<float>>> tilt_;  // of each level, by segment
  std::vector<float> no_tilt_;
};

// Fills the nodes of a head, unit by unit. One per thread.
class NodeBuilder {
 public:
  NodeBuilder(const Program& program, const Geometry& geometry, const Inputs& inputs);

  // q₀: the mean of the finite queries of `head` at positions [begin, end).
  void SetReference(Worker& worker, int64_t head, int64_t begin, int64_t end, SplatNodes& nodes) const;
  // Nodes of every level of `unit`, whose leaves are in `index`; returns what they tell of the tilt.
  TiltSums Build(Worker& worker, const SplatIndex& index, const Unit& unit, SplatNodes& nodes) const;

 private:
  void BuildRoot(Worker& worker, const Unit& unit, size_t level, SplatNodes& nodes, TiltSum& tilt) const;
  void BindSum(Worker& worker, TiltSum& tilt) const;

  const Geometry& geometry_;
  const TensorView& query_;
  RowReader reader_;
  Program::Stage add_rows_, leaf_moments_, merge_moments_;
};

}  // namespace hsa

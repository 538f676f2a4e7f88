// Attention of one tile: its near field exactly, the tree from its roots down, opening what the residual asks for, or every key.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "runtime/format/plan_checks.h"
#include "runtime/index_store.h"
#include "runtime/splat_nodes.h"
#include "runtime/tile.h"

namespace hsa {

// Keys of a region that its windows read exactly: [first, first + 9 mini-segments) in their order, and the exceptions before them.
struct RegionKeys {
  int64_t first = 0;
  KeyPanels natural;
  KeyPanels exceptions;
  std::vector<int32_t> exception_positions;
};

// Nodes of one level, summed over the queries: places of groups that were scored, and nodes that were opened.
struct LevelCost {
  double scored = 0, opened = 0;
};

// What the index took: key-equivalents, summed over the queries, and seconds of one thread.
struct TileCost {
  double nodes = 0, leaves = 0;
  double score_seconds = 0, leaves_seconds = 0;
  std::array<LevelCost, format::kMaxLevels> levels{};  // finest first

  double keys() const { return nodes + leaves; }
  double seconds() const { return score_seconds + leaves_seconds; }
  TileCost& operator+=(const TileCost& other) {
    nodes += other.nodes, leaves += other.leaves;
    score_seconds += other.score_seconds, leaves_seconds += other.leaves_seconds;
    for (size_t level = 0; level < levels.size(); ++level)
      levels[level].scored += other.levels[level].scored, levels[level].opened += other.levels[level].opened;
    return *this;
  }
};

// Units of the index that a tile sees entirely, and those that it reads key by key.
struct VisibleUnits {
  int64_t mini_slot = 0;
  int64_t first_segment = 0, end_segment = 0;             // whole segments
  int64_t first_mini = 0, end_mini = 0;                   // mini-segments of mini_slot
  std::vector<std::pair<int64_t, int64_t>> exact_leaves;  // [first, count) of units that are read key by key
};

inline constexpr double kReadAll = -1;  // as θ: no node is scored, every key of the index is read

// Attends a worker's tile: its query and state are in the worker's buffers (TileIo::Load), and every call adds keys to the state.
class TileOpener {
 public:
  TileOpener(const Job& job, const IndexStore& store);

  // The near field of the window whose near field starts at `near_start`.
  void AttendNear(Worker& worker, const Tile& tile, int64_t near_start, const RegionKeys& keys);

  // The index before `near_start` by the nodes of the tile's head, opened at `theta`; `finite` of the tile's queries count. With kProbe leaves are not
  // read, and the state is void.
  enum class Depth { kWhole, kProbe };
  TileCost AttendFar(Worker& worker, const Tile& tile, int64_t finite, int64_t near_start, const SplatNodes& nodes, double theta,
                     Depth depth);

  // Every visible key in f32, for queries that stand anywhere: the index before the region of `keys`, then the region's own keys; or one of `parts` disjoint
  // parts of them, whose partial results merge to the whole.
  void AttendAll(Worker& worker, const Tile& tile, const RegionKeys& keys, int64_t part = 0, int64_t parts = 1);

  // Of each query of the last AttendFar, what its closed nodes may be wrong by: (Σ_closed r²)^½, before any calibration.
  std::span<const float> doubt() const { return doubt_; }

  // Whether the last AttendFar of a tile has lost a row: its estimate of Z was so far above what its keys weigh (2^96) that their weights are 0, or next
  // to it. The tile has to read every key then.
  bool LostRow(const Worker& worker, const Tile& tile) const;

  // Near keys that the query at `position` sees.
  double NearKeys(int64_t position, int64_t near_start, const RegionKeys& keys) const;

  // What the last AttendFar read: [0] leaves, [level + 1] groups of four nodes of that level. Roots, and children of opened nodes.
  const std::vector<std::vector<int32_t>>& worklists() const { return work_; }

 private:
  void AttendPanels(Worker& worker, const KeyPanels& panels, const TileBounds& visible, int64_t first, int64_t end);
  void AttendExceptions(Worker& worker, const TileBounds& bounds, int64_t before, const RegionKeys& keys);
  void ClearWork();
  VisibleUnits UnitsOf(const TileBounds& bounds, int64_t near_start, double theta) const;
  void ScoreTree(Worker& worker, const SplatNodes& nodes, const Tile& tile, const VisibleUnits& units, double threshold, TileCost& cost);
  void RootMass(Worker& worker, const SplatNodes& nodes, const VisibleUnits& units);
  void NoteDoubt(const Worker& worker);
  double ReadLeaves(Worker& worker, const SplatIndex& index, const TileBounds& bounds, const VisibleUnits& units,
                    const Program::Stage* read);

  const Geometry& g_;
  const IndexStore& store_;
  const bool pairs_;  // AttendNear and AttendFar read keys in pairs of bf16
  Program::Stage bands_, attend_, start_mass_, root_mass_, log_mass_, score_, leaves_, pair_query_, attend_pairs_, leaf_pairs_;
  std::vector<float> doubt_;
  std::vector<std::vector<int32_t>> work_;  // groups to score on each level; leaves to read at the front
};

}  // namespace hsa

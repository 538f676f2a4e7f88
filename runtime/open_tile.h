// Splat attention of one tile: the near field exactly, then the tree from its roots down, opening what the residual asks for.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/index_store.h"
#include "runtime/tile.h"

namespace hsa {

// Keys of a region that its windows read exactly: [first, first + 9 mini-segments) in their order, and the exceptions before them.
struct RegionKeys {
  int64_t first = 0;
  KeyPanels natural;
  KeyPanels exceptions;
  std::vector<int32_t> exception_positions;
};

// Key-equivalents of a tile, summed over its queries.
struct TileCost {
  double near = 0, nodes = 0, leaves = 0;
  TileCost& operator+=(const TileCost& other) {
    near += other.near, nodes += other.nodes, leaves += other.leaves;
    return *this;
  }
};

// Where the time of tiles went, over all threads.
struct TileClock {
  Stopwatch near, score, leaves;
};

// Units of the index that a tile sees entirely, and those that it sees in part.
struct VisibleUnits {
  int64_t first_segment = 0, end_segment = 0;  // whole segments
  int64_t first_mini = 0, end_mini = 0;        // mini-segments of the last slot
  std::vector<std::pair<int64_t, int64_t>> exact_leaves;  // [first, count) of units that are read key by key
};

class TileOpener {
 public:
  TileOpener(const Job& job, const IndexStore& store, TileClock& clock);

  // `near_start` of the tile's window. Runs all of it but the output, which TileIo stores; with `probe` the leaves are not read.
  enum class Depth { kWhole, kProbe };
  TileCost Open(Worker& worker, const TileIo& io, const Tile& tile, int64_t near_start, const RegionKeys& keys, double theta, Depth depth);

  // Near keys that the query at `position` sees.
  double NearKeys(int64_t position, int64_t near_start, const RegionKeys& keys) const;

  // What the last tile with an index read: [0] leaves, [level + 1] groups of four nodes of that level. Roots, and children of opened nodes.
  const std::vector<std::vector<int32_t>>& worklists() const { return work_; }

 private:
  void AttendNear(Worker& worker, const TileBounds& bounds, int64_t near_start, const RegionKeys& keys);
  VisibleUnits UnitsOf(const TileBounds& bounds, int64_t near_start) const;
  double ScoreTree(Worker& worker, const SplatIndex& index, const Tile& tile, const VisibleUnits& units, const float* basis, double threshold);
  void RootMass(Worker& worker, const SplatIndex& index, const VisibleUnits& units);
  double ReadLeaves(Worker& worker, const SplatIndex& index, const TileBounds& bounds, const VisibleUnits& units, Depth depth);

  const Geometry& g_;
  const IndexStore& store_;
  TileClock& clock_;
  Program::Stage bands_, attend_, start_mass_, root_mass_, log_mass_, score_, leaves_;
  std::vector<std::vector<int32_t>> work_;  // groups to score on each level; leaves to read at the front
};

}  // namespace hsa

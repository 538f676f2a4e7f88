// The queries of one head in one window: their partial results behind the near field, and the tiles that go on to the index.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "runtime/open_tile.h"
#include "runtime/query_order.h"
#include "runtime/splat_run.h"

namespace hsa {

// What was stored last for a tile.
struct TileDone {
  double theta = std::numeric_limits<double>::quiet_NaN();  // not yet
  TileCost cost;                                            // of the index
  double wasted_seconds = 0;                                // of what was stored before and is void
};

struct Window {
  int64_t head = 0, kv_head = 0;
  int64_t begin = 0, end = 0;  // key positions of its queries
  int64_t near_start = 0;
  int64_t region = 0;                 // which of the block's
  const SplatNodes* nodes = nullptr;  // of the head in the block

  // Once its near field is attended:
  std::vector<Tile> tiles;           // of all its queries
  std::vector<TileDone> done;        // of each tile
  std::vector<float> max, sum, acc;  // of each query, in order of position
  std::vector<float> near_keys;      // of each query, in order of position
  double near_seconds = 0;
};

// The windows of `head` in the regions of a block.
std::vector<Window> WindowsOf(const Geometry& geometry, int64_t head, std::span<const Region> regions, const SplatNodes& nodes);

// Attends windows with a worker's buffers; one per thread.
class WindowAttender {
 public:
  WindowAttender(const Job& job, const IndexStore& store);

  // Reads the near field by tiles of neighbours, which skip what the mask hides, and orders the queries.
  void AttendNear(Worker& worker, const TileIo& io, Window& window, const RegionKeys& keys);

  // The whole tile in the worker's buffers, ready to be finished: near field and index, opened at `theta`.
  TileCost AttendFar(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, double theta, TileOpener::Depth depth);

  // The same for tile `t` of the window, noting in its `done` what was taken and what became void.
  void AttendFar(Worker& worker, const TileIo& io, Window& window, size_t t, double theta);

  TileOpener& opener() { return opener_; }

 private:
  const Geometry& g_;
  QueryOrder order_;
  TileOpener opener_;
};

}  // namespace hsa

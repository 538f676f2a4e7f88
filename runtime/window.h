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

// Partial results (docs/spec.md, "Partial") of queries behind their near field, and how many near keys each of them saw.
struct NearField {
  std::vector<float> max, sum, acc;
  std::vector<float> keys;
};

// What was stored last for a tile.
struct TileDone {
  double theta = std::numeric_limits<double>::quiet_NaN();  // not yet
  TileCost cost;                                            // of the index
};

struct Window {
  int64_t head = 0, kv_head = 0;
  int64_t begin = 0, end = 0;  // key positions of its queries
  int64_t near_start = 0;
  int64_t region = 0;                 // which of the block's
  const SplatNodes* nodes = nullptr;  // of the head in the block

  std::vector<Tile> tiles;     // of all its queries, once they are ordered
  std::vector<TileDone> done;  // of each tile
  NearField near;              // of all its queries by position, once it is attended, until its tiles are
  double near_seconds = 0;     // of one thread: ordering and near field
};

// The windows of `head` in the regions of a block.
std::vector<Window> WindowsOf(const Geometry& geometry, int64_t head, std::span<const Region> regions, const SplatNodes& nodes);

// Attends windows with a worker's buffers; one per thread.
class WindowAttender {
 public:
  WindowAttender(const Job& job, const IndexStore& store);

  // Cuts the window's queries into tiles, unless that is done.
  void Order(Worker& worker, Window& window) const;

  // Reads the near field of the whole window, by tiles of neighbours, which skip what the mask hides; orders the queries.
  void AttendNear(Worker& worker, const TileIo& io, Window& window, const RegionKeys& keys);

  // Reads the near field of one tile, in the order of its rows.
  NearField AttendNear(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, const RegionKeys& keys);

  // The whole tile in the worker's buffers, ready to be finished: its near field, by its rows, and the index, opened at `theta`.
  TileCost AttendFar(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, const NearField& near, double theta,
                     TileOpener::Depth depth);

  // The same from the near field of the window.
  TileCost AttendFar(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, double theta, TileOpener::Depth depth);

  TileOpener& opener() { return opener_; }

 private:
  const Geometry& g_;
  QueryOrder order_;
  TileOpener opener_;
};

}  // namespace hsa

#include "runtime/query_order.h"

#include <algorithm>
#include <numeric>

namespace hsa {

std::vector<Tile> QueryOrder::Tiles(Worker& worker, int64_t head, int64_t begin, int64_t end) const {
  std::vector<int32_t> positions(end - begin);
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(begin));
  const int64_t count = end - begin, tile = geometry_.tile;
  if (geometry_.content_tiles && !geometry_.lone_tiles && count > tile) {
    // The axis is found in rows of D + Dv columns, as that of keys and their values is: the values of a query are 0.
    const int64_t d = geometry_.padded_head_dim, width = d + geometry_.padded_value_dim;
    thread_local WideRows rows;
    rows.Resize(count, width);
    reader_.Read(worker, query_, head, begin - geometry_.first_position(), count, width, rows.rows.data(), rows.bad.data());
    for (int64_t r = 0; r < count; ++r)
      if (rows.bad[r] != 0) std::fill_n(rows.rows.begin() + r * width, width, 0.0f);
    KeyOrder(program_, worker).Group({rows.rows.data(), static_cast<size_t>(count * width)}, width, positions, tile);
  }
  std::vector<Tile> tiles;
  for (int64_t first = 0; first < count;) {
    // Neighbours are cut at multiples of the tile's size, wherever the first query stands.
    const int64_t size = geometry_.lone_tiles ? 1 : geometry_.content_tiles ? tile : tile - (begin + first) % tile;
    tiles.push_back(Tile::Of(head, std::span(positions).subspan(first, std::min(size, count - first))));
    first += size;
  }
  return tiles;
}

}  // namespace hsa

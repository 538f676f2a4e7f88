// Which queries of a window are computed together: neighbours, or those that look at the same keys.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/key_order.h"
#include "runtime/rows.h"
#include "runtime/tile.h"

namespace hsa {

class QueryOrder {
 public:
  QueryOrder(const Program& program, const Geometry& geometry, const TensorView& query)
      : program_(program), geometry_(geometry), query_(query), reader_(program, query.dtype) {}

  // Tiles of the queries at positions [begin, end) of `head`. By content: bisected along principal axes, whole tiles but the last
  // (docs/spec.md, "Query tiles"); non-finite queries count as 0.
  std::vector<Tile> Tiles(Worker& worker, int64_t head, int64_t begin, int64_t end) const;

 private:
  const Program& program_;
  const Geometry& geometry_;
  const TensorView& query_;
  RowReader reader_;
};

}  // namespace hsa

// One tile of queries of one head: where it stands, what it sees, and its way in and out of a worker.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include "runtime/geometry.h"
#include "runtime/rows.h"
#include "runtime/run.h"
#include "runtime/worker.h"

namespace hsa {

inline constexpr int64_t kMaxTileQueries = 128;  // plan format

struct Tile {
  int64_t head = 0;
  int64_t begin = 0, end = 0;  // key positions of its queries
  int64_t rows() const { return end - begin; }
};

// Positions lo..hi that each query of a tile sees; rows behind the last query repeat it, so that they never widen a bound.
struct TileBounds {
  std::array<int32_t, kMaxTileQueries> lo{}, hi{};
  int32_t least_lo = 0, most_lo = 0, least_hi = 0, most_hi = 0;

  static TileBounds Of(const Geometry& geometry, const Tile& tile) {
    TileBounds bounds;
    for (int64_t r = 0; r < geometry.tile; ++r) {
      const int64_t position = std::min(tile.begin + r, tile.end - 1);
      bounds.lo[r] = static_cast<int32_t>(geometry.VisibleLo(position));
      bounds.hi[r] = static_cast<int32_t>(geometry.VisibleHi(position));
    }
    const auto [least_lo, most_lo] = std::minmax_element(bounds.lo.begin(), bounds.lo.begin() + geometry.tile);
    const auto [least_hi, most_hi] = std::minmax_element(bounds.hi.begin(), bounds.hi.begin() + geometry.tile);
    bounds.least_lo = *least_lo, bounds.most_lo = *most_lo, bounds.least_hi = *least_hi, bounds.most_hi = *most_hi;
    return bounds;
  }
  // The same, but nothing from `end` on.
  TileBounds Before(int64_t end) const {
    TileBounds bounds = *this;
    for (int32_t& h : bounds.hi) h = std::min(h, static_cast<int32_t>(end - 1));
    return bounds;
  }
  void Bind(Worker& worker, const Geometry& geometry) const {
    worker.Bind("visible_lo", lo.data(), {geometry.tile});
    worker.Bind("visible_hi", hi.data(), {geometry.tile});
  }
};

// Queries of the run, in and out.
class TileIo {
 public:
  TileIo(const Program& program, const Geometry& geometry, const Inputs& inputs, const Outputs& outputs)
      : geometry_(geometry),
        inputs_(inputs),
        outputs_(outputs),
        reader_(program, inputs.query.dtype),
        load_(program.Find("load_query")),
        finish_(program.Find("finish")),
        store_(program.Find("store_rows", outputs.o.dtype)) {}

  // query, max, sum and acc of the worker's tile; returns how many of its queries are finite.
  int64_t Load(Worker& worker, const Tile& tile) const {
    thread_local WideRows rows;
    rows.Resize(tile.rows(), geometry_.padded_head_dim);
    reader_.Read(worker, inputs_.query, tile.head, tile.begin - geometry_.first_position(), tile.rows(), geometry_.padded_head_dim, rows.rows.data(),
                 rows.bad.data());
    for (int64_t r = 0; r < tile.rows(); ++r) SpreadNaN(rows, r, geometry_.padded_head_dim);
    worker.Bind("q_rows", rows.rows.data(), {tile.rows(), geometry_.padded_head_dim});
    worker.Call(load_);
    return tile.rows() - std::accumulate(rows.bad.begin(), rows.bad.end(), int64_t{0});
  }

  void Store(Worker& worker, const Tile& tile) const {
    thread_local std::vector<float> rows, lse;
    rows.resize(geometry_.tile * geometry_.padded_value_dim);
    lse.resize(geometry_.tile);
    const int64_t first = tile.begin - geometry_.first_position();
    worker.Bind("o_rows", rows.data(), {geometry_.tile, geometry_.padded_value_dim});
    worker.Bind("lse_row", lse.data(), {geometry_.tile});
    worker.Call(finish_);
    worker.BindStrided("rows_out", outputs_.o.Row(tile.head, first), {tile.rows(), geometry_.value_dim}, outputs_.o.strides[1]);
    worker.Call(store_);
    if (outputs_.lse.data == nullptr) return;
    auto* out = reinterpret_cast<float*>(outputs_.lse.data) + tile.head * outputs_.lse.strides[1] + first * outputs_.lse.strides[2];
    std::copy_n(lse.begin(), tile.rows(), out);
  }

 private:
  Geometry geometry_;
  const Inputs& inputs_;
  const Outputs& outputs_;
  RowReader reader_;
  Program::Stage load_, finish_, store_;
};

}  // namespace hsa

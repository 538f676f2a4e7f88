// One tile of queries of one head: where they stand, what they see, and their way in and out of a worker.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/geometry.h"
#include "runtime/rows.h"
#include "runtime/run.h"
#include "runtime/worker.h"

namespace hsa {

inline constexpr int64_t kMaxTileQueries = 128;  // plan format

// Queries of one head that are computed together, in any order: neighbours, or queries that look at the same keys.
struct Tile {
  int64_t head = 0;
  int64_t count = 0;
  std::array<int32_t, kMaxTileQueries> position{};  // key positions of the first `count`

  static Tile Range(int64_t head, int64_t begin, int64_t end) {
    Tile tile{head, end - begin, {}};
    for (int64_t r = 0; r < tile.count; ++r) tile.position[r] = static_cast<int32_t>(begin + r);
    return tile;
  }
  static Tile Of(int64_t head, std::span<const int32_t> positions) {
    Tile tile{head, static_cast<int64_t>(positions.size()), {}};
    std::copy(positions.begin(), positions.end(), tile.position.begin());
    return tile;
  }
  int64_t rows() const { return count; }
  std::span<const int32_t> positions() const { return {position.data(), static_cast<size_t>(count)}; }
};

// Positions lo..hi that each query of a tile sees; rows behind the last query repeat it, so that they never widen a bound.
struct TileBounds {
  std::array<int32_t, kMaxTileQueries> lo{}, hi{};
  int32_t least_lo = 0, most_lo = 0, least_hi = 0, most_hi = 0;

  static TileBounds Of(const Geometry& geometry, const Tile& tile) {
    TileBounds bounds;
    for (int64_t r = 0; r < geometry.tile; ++r) {
      const int64_t position = tile.position[std::min(r, tile.count - 1)];
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

// Where a [1, heads, queries] output of f32 has the number of a query.
inline float* ElementOf(const MutableTensorView& tensor, int64_t head, int64_t query) {
  return reinterpret_cast<float*>(tensor.data) + head * tensor.strides[1] + query * tensor.strides[2];
}

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
    const int64_t d = geometry_.padded_head_dim;
    rows.Resize(tile.rows(), d);
    ForEachRun(tile, [&](int64_t row, int64_t count) {
      reader_.Read(worker, inputs_.query, tile.head, tile.position[row] - geometry_.first_position(), count, d, &rows.rows[row * d],
                   &rows.bad[row]);
    });
    int64_t finite = 0;
    for (int64_t r = 0; r < tile.rows(); ++r) {
      SpreadNaN(rows, r, d);
      finite += rows.bad[r] == 0;
    }
    worker.SetTileRows(tile.rows());
    worker.Bind("q_rows", rows.rows.data(), {tile.rows(), d});
    worker.Call(load_);
    return finite;
  }

  // Ends the worker's tile: its output rows [tile, padded_value_dim] and their logarithms, in f32.
  void Finish(Worker& worker, std::vector<float>& rows, std::vector<float>& lse) const {
    rows.resize(geometry_.tile * geometry_.padded_value_dim);
    lse.resize(geometry_.tile);
    worker.Bind("o_rows", rows.data(), {geometry_.tile, geometry_.padded_value_dim});
    worker.Bind("lse_row", lse.data(), {geometry_.tile});
    worker.Call(finish_);
  }

  // Finishes the worker's tile and writes it to the outputs, each query in its place.
  void Store(Worker& worker, const Tile& tile) const {
    thread_local std::vector<float> rows, lse;
    Finish(worker, rows, lse);
    Store(worker, tile, rows, lse);
  }
  void Store(Worker& worker, const Tile& tile, const std::vector<float>& rows, const std::vector<float>& lse) const {
    const int64_t dv = geometry_.padded_value_dim;
    ForEachRun(tile, [&](int64_t row, int64_t count) {
      const int64_t query = tile.position[row] - geometry_.first_position();
      worker.Bind("o_rows", &rows[row * dv], {geometry_.tile, dv});
      worker.BindStrided("rows_out", outputs_.o.Row(tile.head, query), {count, geometry_.value_dim}, outputs_.o.strides[1]);
      worker.Call(store_);
      if (outputs_.lse.data == nullptr) return;
      std::copy_n(lse.begin() + row, count, ElementOf(outputs_.lse, tile.head, query));
    });
  }

  // Writes what was estimated for the tile's queries to the output `error`, when there is one.
  void StoreError(const Tile& tile, std::span<const float> error) const {
    if (outputs_.error.data == nullptr) return;
    for (int64_t r = 0; r < tile.rows(); ++r)
      *ElementOf(outputs_.error, tile.head, tile.position[r] - geometry_.first_position()) = error[r];
  }

 private:
  // body(first row, rows) for each run of neighbouring positions.
  template <typename Body>
  static void ForEachRun(const Tile& tile, Body body) {
    for (int64_t row = 0; row < tile.count;) {
      int64_t end = row + 1;
      while (end < tile.count && tile.position[end] == tile.position[end - 1] + 1) ++end;
      body(row, end - row);
      row = end;
    }
  }

  Geometry geometry_;
  const Inputs& inputs_;
  const Outputs& outputs_;
  RowReader reader_;
  Program::Stage load_, finish_, store_;
};

}  // namespace hsa

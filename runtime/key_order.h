// Balanced bisection of rows along principal axes: the order of a unit's keys in its tree (docs/spec.md, "Tree of a unit"), and the tiles of a
// window's queries ("Query tiles").
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "runtime/worker.h"

namespace hsa {

// Splits rows of `x` [n, width] (the live keys in the metric of the queries; overwritten, as `rows` is) over `capacity` slots, and writes each
// slot's row into `slots`, -1 for an empty one. `rows` are ascending; capacity is 16 times a power of two, n ≤ capacity. Deterministic: ties go by row.
class KeyOrder {
 public:
  KeyOrder(const Program& program, Worker& worker) : axis_(program.Find("principal_axis")), worker_(worker) {}

  void Bisect(std::span<float> x, int64_t width, std::span<int32_t> rows, std::span<int32_t> slots);

  // Reorders `rows` so that each run of `size` of them is a group of the bisection, cut at the multiple of `size` next above the middle: every
  // group is whole but the last. Rows of a group are ascending.
  void Group(std::span<float> x, int64_t width, std::span<int32_t> rows, int64_t size);

 private:
  // Some rows of x, and the room that a cut moves them to: they go to and fro.
  struct Side {
    float *x, *other_x;
    int32_t *rows, *other_rows;
    int64_t count;
  };
  void Split(const Side& all, int64_t width, int32_t* slots, int64_t capacity);
  void SplitGroup(const Side& all, int64_t width, int32_t* out, int64_t size);
  // What a cut moves: rows of x go along unless neither side is cut again.
  enum class Move { kAll, kNumbers };
  // The `left` smallest projections on the principal axis, and the others, each in the order of their rows; left < count.
  std::pair<Side, Side> Cut(const Side& all, int64_t width, int64_t left, Move move);

  Program::Stage axis_;
  Worker& worker_;
};

}  // namespace hsa

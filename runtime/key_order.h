// Balanced bisection of rows along principal axes: the order of a unit's keys in its tree (docs/spec.md, "Tree of a unit"), and the tiles of a
// window's queries ("Query tiles").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/worker.h"

namespace hsa {

// Splits rows of `x` [n, width] (the live keys in the metric of the queries, reordered in place with `rows`) over `capacity` slots, and
// writes each slot's row into `slots`, -1 for an empty one. capacity is 16 times a power of two, n ≤ capacity. Deterministic: ties go by row.
class KeyOrder {
 public:
  KeyOrder(const Program& program, Worker& worker) : axis_(program.Find("principal_axis")), worker_(worker) {}

  void Bisect(std::span<float> x, int64_t width, std::span<int32_t> rows, std::span<int32_t> slots);

  // Reorders `rows` so that each run of `size` of them is a group of the bisection, cut at the multiple of `size` next above the middle: every
  // group is whole but the last. Rows of a group are ascending.
  void Group(std::span<float> x, int64_t width, std::span<int32_t> rows, int64_t size);

 private:
  void Start(size_t rows, size_t floats);
  void Split(float* x, int64_t width, int32_t* rows, int64_t count, int32_t* slots, int64_t capacity);
  void SplitGroup(float* x, int64_t width, int32_t* rows, int64_t count, int64_t size);
  // The `left` smallest projections on the principal axis first; each side in the order of its rows.
  void Cut(float* x, int64_t width, int32_t* rows, int64_t count, int64_t left);

  Program::Stage axis_;
  Worker& worker_;
  std::vector<float> projection_, moved_;
  std::vector<int32_t> permutation_, moved_rows_;
};

}  // namespace hsa

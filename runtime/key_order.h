// The order of a unit's keys in its tree: balanced bisection along principal axes (docs/spec.md, "Tree of a unit").
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

 private:
  void Split(float* x, int64_t width, int32_t* rows, int64_t count, int32_t* slots, int64_t capacity);

  Program::Stage axis_;
  Worker& worker_;
  std::vector<float> projection_, moved_;
  std::vector<int32_t> permutation_, moved_rows_;
};

}  // namespace hsa

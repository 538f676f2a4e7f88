// Tensors of the reference interpreter: row-major, float64.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace hsa::ir::reference {

struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> values;

  static Tensor filled(std::vector<int64_t> shape, double value) {
    const int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    return {std::move(shape), std::vector<double>(size, value)};
  }

  // The innermost row at the outer indices (a, b) of a rank-3 tensor.
  std::span<const double> row(int64_t a, int64_t b) const { return {values.data() + (a * shape[1] + b) * shape[2], size_t(shape[2])}; }
  std::span<double> row(int64_t a, int64_t b) { return {values.data() + (a * shape[1] + b) * shape[2], size_t(shape[2])}; }

  // An entry of a rank-2 tensor.
  double at(int64_t a, int64_t b) const { return values[a * shape[1] + b]; }
  double& at(int64_t a, int64_t b) { return values[a * shape[1] + b]; }
};

}  // namespace hsa::ir::reference

#include "dialect/reference/kept.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hsa::ir::reference {

static constexpr double kNone = -std::numeric_limits<double>::infinity();

static double logAdd(double a, double b) {
  const double top = std::max(a, b);
  if (top == kNone) return kNone;
  return top + std::log(std::exp(a - top) + std::exp(b - top));
}

static bool hasNaN(std::span<const double> row) {
  return std::any_of(row.begin(), row.end(), [](double x) { return std::isnan(x); });
}

Tensor overlap(const Tensor& left, const Tensor& right) {
  Tensor result = Tensor::filled({left.shape[0], left.shape[2], right.shape[2]}, kNone);
  for (int64_t h = 0; h < left.shape[0]; ++h)
    for (int64_t i = 0; i < left.shape[1]; ++i) {
      const auto a = left.row(h, i), b = right.row(h, i);
      if (hasNaN(a) || hasNaN(b)) continue;
      for (size_t s = 0; s < a.size(); ++s)
        for (size_t t = 0; t < b.size(); ++t) {
          double& sum = result.row(h, static_cast<int64_t>(s))[t];
          sum = logAdd(sum, a[s] + b[t]);
        }
    }
  return result;
}

Tensor unite(const Tensor& left, const Tensor& right) {
  Tensor result = left;
  for (size_t i = 0; i < result.values.size(); ++i) result.values[i] = logAdd(left.values[i], right.values[i]);
  return result;
}

Tensor rescale(const Tensor& affinity, const Tensor& logScale) {
  Tensor result = affinity;
  const bool ofRows = logScale.shape[1] == affinity.shape[1] && logScale.shape[2] == 1;
  for (int64_t h = 0; h < affinity.shape[0]; ++h)
    for (int64_t i = 0; i < affinity.shape[1]; ++i) {
      const auto row = result.row(h, i);
      for (size_t s = 0; s < row.size(); ++s) row[s] += ofRows ? logScale.row(h, i)[0] : logScale.row(h, 0)[s];
    }
  return result;
}

Tensor threshold(const Tensor& affinity, double share) {
  Tensor result = affinity;
  for (int64_t h = 0; h < affinity.shape[0]; ++h)
    for (int64_t i = 0; i < affinity.shape[1]; ++i) {
      const auto row = result.row(h, i);
      if (row.empty() || hasNaN(row)) continue;
      const double least = *std::max_element(row.begin(), row.end()) + std::log(share);
      for (double& x : row) x = x >= least ? x : kNone;
    }
  return result;
}

}  // namespace hsa::ir::reference

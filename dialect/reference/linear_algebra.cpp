#include "dialect/reference/linear_algebra.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hsa::ir::reference {

Matrix Matrix::identity(int64_t size) {
  Matrix m = zero(size);
  for (int64_t i = 0; i < size; ++i) m(i, i) = 1;
  return m;
}

double dot(std::span<const double> a, std::span<const double> b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

std::vector<double> applyTransposed(const Matrix& a, std::span<const double> x) {
  std::vector<double> y(a.size, 0);
  for (int64_t i = 0; i < a.size; ++i)
    for (int64_t j = 0; j < a.size; ++j) y[j] += a(i, j) * x[i];
  return y;
}

Matrix cholesky(const Matrix& a) {
  Matrix l = Matrix::zero(a.size);
  double largest = 0;
  for (int64_t i = 0; i < a.size; ++i) largest = std::max(largest, a(i, i));
  for (int64_t j = 0; j < a.size; ++j) {
    const std::span<const double> rowJ(&l(j, 0), j);
    const double pivot = a(j, j) - dot(rowJ, rowJ);
    if (pivot <= 1e-14 * largest) continue;
    l(j, j) = std::sqrt(pivot);
    for (int64_t i = j + 1; i < a.size; ++i) l(i, j) = (a(i, j) - dot(std::span<const double>(&l(i, 0), j), rowJ)) / l(j, j);
  }
  return l;
}

std::vector<double> principalAxis(std::span<const double> points, int64_t dim) {
  const int64_t count = int64_t(points.size()) / dim;
  std::vector<double> mean(dim, 0);
  for (int64_t n = 0; n < count; ++n)
    for (int64_t d = 0; d < dim; ++d) mean[d] += points[n * dim + d] / count;
  Matrix scatter = Matrix::zero(dim);
  std::vector<double> x(dim);
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t d = 0; d < dim; ++d) x[d] = points[n * dim + d] - mean[d];
    for (int64_t r = 0; r < dim; ++r)
      for (int64_t c = 0; c < dim; ++c) scatter(r, c) += x[r] * x[c];
  }
  // Start at the column with the largest diagonal: it cannot be orthogonal to every direction of large variance.
  int64_t start = 0;
  for (int64_t d = 0; d < dim; ++d)
    if (scatter(d, d) > scatter(start, start)) start = d;
  std::vector<double> axis(dim, 0);
  axis[start] = 1;
  for (int step = 0; step < 500; ++step) {
    std::vector<double> next = applyTransposed(scatter, axis);
    const double norm = std::sqrt(dot(next, next));
    if (norm == 0) break;
    for (double& c : next) c /= norm;
    const double moved = 1 - std::abs(dot(next, axis));
    axis = std::move(next);
    if (moved < 1e-14) break;
  }
  return axis;
}

}  // namespace hsa::ir::reference

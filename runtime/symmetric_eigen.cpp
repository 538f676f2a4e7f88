#include "runtime/symmetric_eigen.h"

#include <cmath>
#include <limits>

namespace hsa {
namespace {

constexpr int kMostSweeps = 64;  // convergence is quadratic: six or so are needed

// Rows p and q of `rows` [n, n] turned by the angle whose cosine and sine are c and s.
void TurnRows(std::vector<double>& rows, int64_t n, int64_t p, int64_t q, double c, double s) {
  for (int64_t i = 0; i < n; ++i) {
    const double x = rows[p * n + i], y = rows[q * n + i];
    rows[p * n + i] = c * x - s * y;
    rows[q * n + i] = s * x + c * y;
  }
}
void TurnColumns(std::vector<double>& rows, int64_t n, int64_t p, int64_t q, double c, double s) {
  for (int64_t i = 0; i < n; ++i) {
    const double x = rows[i * n + p], y = rows[i * n + q];
    rows[i * n + p] = c * x - s * y;
    rows[i * n + q] = s * x + c * y;
  }
}

// Makes entry (p, q) 0. Golub and Van Loan, Matrix Computations, 8.5.
void Rotate(std::vector<double>& a, std::vector<double>& vectors, int64_t n, int64_t p, int64_t q) {
  const double tau = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
  const double t = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::sqrt(1 + tau * tau)), c = 1 / std::sqrt(1 + t * t);
  TurnRows(a, n, p, q, c, t * c);
  TurnColumns(a, n, p, q, c, t * c);
  TurnRows(vectors, n, p, q, c, t * c);
}

}  // namespace

SymmetricEigen EigenOf(std::vector<double> matrix, int64_t n) {
  SymmetricEigen eigen{{}, std::vector<double>(n * n)};
  for (int64_t i = 0; i < n; ++i) eigen.vectors[i * n + i] = 1;
  bool turned = true;
  for (int sweep = 0; turned && sweep < kMostSweeps; ++sweep) {
    turned = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        const double size = std::sqrt(std::abs(matrix[p * n + p] * matrix[q * n + q]));
        if (!(std::abs(matrix[p * n + q]) > std::numeric_limits<double>::epsilon() * size)) continue;
        Rotate(matrix, eigen.vectors, n, p, q);
        turned = true;
      }
  }
  for (int64_t i = 0; i < n; ++i) eigen.values.push_back(matrix[i * n + i]);
  return eigen;
}

}  // namespace hsa

// The linear algebra that the index needs, in float64, written to be read.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hsa::ir::reference {

// A square matrix, row-major.
struct Matrix {
  int64_t size = 0;
  std::vector<double> values;

  static Matrix zero(int64_t size) { return {size, std::vector<double>(size * size, 0)}; }
  static Matrix identity(int64_t size);
  double operator()(int64_t row, int64_t column) const { return values[row * size + column]; }
  double& operator()(int64_t row, int64_t column) { return values[row * size + column]; }
};

double dot(std::span<const double> a, std::span<const double> b);

// Aᵀ x.
std::vector<double> applyTransposed(const Matrix& a, std::span<const double> x);

// L, lower triangular, with LLᵀ = a for positive semi-definite `a`; a direction without variance gets a zero column.
Matrix cholesky(const Matrix& a);

// Unit vector along which the points (rows of length `dim`) vary most. Power iteration to convergence; a coordinate axis when they do not vary.
std::vector<double> principalAxis(std::span<const double> points, int64_t dim);

}  // namespace hsa::ir::reference

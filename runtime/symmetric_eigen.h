// Eigenvectors of a small symmetric matrix.
#pragma once

#include <cstdint>
#include <vector>

namespace hsa {

struct SymmetricEigen {
  std::vector<double> values;   // [n]
  std::vector<double> vectors;  // [n, n]: vector i is row i, of length 1
};

// Of `matrix` [n, n], by Jacobi's rotations until what is left beside the diagonal is nothing to f64. n³ operations a sweep, a handful of them.
// Not a QR solver, as Eigen's: its error is a rounding of the largest value, and rows of a factor may be 1e18 times as long as others.
SymmetricEigen EigenOf(std::vector<double> matrix, int64_t n);

}  // namespace hsa

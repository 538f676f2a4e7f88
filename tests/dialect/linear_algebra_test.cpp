#include "dialect/reference/linear_algebra.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace hsa::ir::reference {
namespace {

// A·Aᵀ of a random [size, rank] matrix A.
Matrix RandomSemiDefinite(int64_t size, int64_t rank, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> a(size * rank);
  for (double& x : a) x = normal(random);
  Matrix m = Matrix::zero(size);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j) m(i, j) = dot(std::span(&a[i * rank], rank), std::span(&a[j * rank], rank));
  return m;
}

// Fewer queries than dimensions leave directions without variance.
TEST(CholeskyTest, ReproducesAlsoASingularMatrix) {
  for (int64_t rank : {3, 12}) {
    const Matrix a = RandomSemiDefinite(12, rank, 7), l = cholesky(a);
    const auto row = [&](int64_t i) { return std::span(l.values).subspan(i * 12, 12); };
    for (int64_t i = 0; i < 12; ++i)
      for (int64_t j = 0; j < 12; ++j) EXPECT_NEAR(dot(row(i), row(j)), a(i, j), 1e-9) << "rank " << rank;
  }
}

TEST(PrincipalAxisTest, FindsTheLongestDirection) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> points;
  for (int n = 0; n < 500; ++n) {
    const double along = 3 * normal(random);
    points.insert(points.end(), {0.6 * along + normal(random), 5 + 0.8 * along + normal(random), normal(random)});
  }
  const std::vector<double> axis = principalAxis(points, 3);
  EXPECT_GT(std::abs(0.6 * axis[0] + 0.8 * axis[1]), 0.99);
  EXPECT_NEAR(dot(axis, axis), 1, 1e-12);
}

TEST(PrincipalAxisTest, PointsThatDoNotVaryHaveSomeAxis) {
  const std::vector<double> axis = principalAxis(std::vector<double>{1, 2, 1, 2}, 2);
  EXPECT_EQ(dot(axis, axis), 1);
}

}  // namespace
}  // namespace hsa::ir::reference

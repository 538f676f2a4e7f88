#include <limits>

#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

using OrderTest = KernelTest;
INSTANTIATE_TEST_SUITE_P(All, OrderTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Matrix = std::vector<std::vector<double>>;

Matrix Symmetric(const Array<float>& gram) {
  const int64_t width = gram.shape()[0];
  Matrix out(width, std::vector<double>(width));
  for (int64_t i = 0; i < width; ++i)
    for (int64_t j = 0; j < width; ++j) out[i][j] = gram(i, j) = static_cast<float>(1 + (i * j) % 5);
  return out;
}

void AddOuter(Matrix& gram, const std::vector<double>& x, double weight) {
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) gram[i][j] += weight * x[i] * x[j];
}

void ExpectGram(const Array<float>& gram, const Matrix& wanted) {
  for (int64_t i = 0; i < gram.shape()[0]; ++i)
    for (int64_t j = 0; j < gram.shape()[0]; ++j)
      ASSERT_NEAR(gram(i, j), wanted[i][j], 3e-6 * std::sqrt(wanted[i][i] * wanted[j][j])) << i << " " << j;
}

TEST_P(OrderTest, GramLeavesBadRowsOut) {
  for (int64_t rows : {0, 1, 63, 64, 200}) {
    Array<float> x = RandomRows(rows, d_, dp_), gram({dp_, dp_});
    Array<int32_t> bad({rows});
    bad.Fill(0);
    if (rows == 200)  // in a block of 64, at both its ends, and among the last eight
      for (int64_t r : {3, 64, 127, 199}) bad(r) = 1, x(r, r % d_) = kNan;
    Matrix wanted = Symmetric(gram);
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<double> row(dp_);
      for (int64_t c = 0; c < dp_; ++c) row[c] = x(r, c);
      if (bad(r) == 0) AddOuter(wanted, row, 1);
    }
    kernels_.Call("gram", {&x, &bad, &gram});
    ExpectGram(gram, wanted);
  }
}

TEST_P(OrderTest, MetricRows) {
  const Array<float> keys = RandomRows(80, d_, dp_), values = RandomRows(80, dv_, dvp_), metric = RandomRows(dp_, dp_, dp_);
  Array<float> alpha({1});
  alpha(0) = 0.3f;
  for (int64_t count : {0, 1, 3, 8, 77}) {
    Array<int32_t> order({count});
    for (int64_t s = 0; s < count; ++s) order(s) = static_cast<int32_t>(s * 37 % 80);
    Array<float> x({count, dp_ + dvp_});
    kernels_.Call("metric_rows", {&keys, &values, &order, &metric, &alpha, &x});
    for (int64_t s = 0; s < count; ++s) {
      for (int64_t c = 0; c < dp_; ++c) {
        double sum = 0, size = 0;
        for (int64_t d = 0; d < dp_; ++d) {
          const double term = static_cast<double>(keys(order(s), d)) * metric(d, c);
          sum += term, size += std::abs(term);
        }
        ASSERT_NEAR(x(s, c), sum, 1e-6 * size) << "row " << s << " of " << count << " column " << c;
      }
      for (int64_t c = 0; c < dvp_; ++c) ASSERT_EQ(x(s, dp_ + c), 0.3f * values(order(s), c));
    }
  }
}

// The algorithm of the entry in float64, with its number of iterations.
std::vector<double> Projections(const Array<float>& x) {
  const int64_t rows = x.shape()[0], width = x.shape()[1];
  std::vector<double> mean(width), variance(width), out(rows);
  for (int64_t c = 0; c < width; ++c) {
    for (int64_t s = 0; s < rows; ++s) mean[c] += x(s, c) / static_cast<double>(rows);
    for (int64_t s = 0; s < rows; ++s) variance[c] += (x(s, c) - mean[c]) * (x(s, c) - mean[c]);
  }
  std::vector<double> axis(width);
  axis[std::max_element(variance.begin(), variance.end()) - variance.begin()] = 1;
  const auto project = [&](int64_t s) {
    double dot = 0;
    for (int64_t c = 0; c < width; ++c) dot += (x(s, c) - mean[c]) * axis[c];
    return dot;
  };
  for (int iteration = 0; iteration < 5; ++iteration) {
    std::vector<double> sum(width);
    double norm2 = 0;
    for (int64_t s = 0; s < rows; ++s) {
      const double weight = project(s);
      for (int64_t c = 0; c < width; ++c) sum[c] += weight * (x(s, c) - mean[c]);
    }
    for (double y : sum) norm2 += y * y;
    if (norm2 > 0)
      for (int64_t c = 0; c < width; ++c) axis[c] = sum[c] / std::sqrt(norm2);
  }
  for (int64_t s = 0; s < rows; ++s) out[s] = project(s);
  return out;
}

TEST_P(OrderTest, PrincipalAxis) {
  const int64_t width = dp_ + dvp_;
  for (int64_t rows : {1, 2, 5, 300}) {
    for (float unit : {1.0f, 1e-18f, 1e15f}) {  // the squares of squares would leave the range of f32
      Array<float> x = RandomRows(rows, d_ + dv_, width), axis({4, width}), projection({rows});
      for (int64_t s = 0; s < rows; ++s) {
        x(s, d_ / 2) *= 3;
        for (int64_t c = 0; c < width; ++c) x(s, c) *= unit;
      }
      const std::vector<double> wanted = Projections(x);
      double largest = unit;
      for (double y : wanted) largest = std::max(largest, std::abs(y));
      kernels_.Call("principal_axis", {&x, &projection, &axis});
      for (int64_t s = 0; s < rows; ++s)
        ASSERT_NEAR(projection(s), wanted[s], 2e-5 * largest) << "row " << s << " of " << rows << ", unit " << unit;
    }
  }
}

TEST_P(OrderTest, PrincipalAxisOfEqualRowsIsFinite) {
  Array<float> x({9, dp_ + dvp_}), axis({4, dp_ + dvp_}), projection({9});
  x.Fill(0.7f);
  kernels_.Call("principal_axis", {&x, &projection, &axis});
  for (int64_t s = 0; s < 9; ++s) EXPECT_NEAR(projection(s), 0, 1e-5);
}

}  // namespace
}  // namespace hsa::ir

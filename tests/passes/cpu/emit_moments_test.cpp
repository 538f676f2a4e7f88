#include <limits>

#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

class MomentsTest : public KernelTest {
 protected:
  // Nodes of one level as an entry stores them.
  struct Level {
    Array<float> mean, value, var, scalar;
  };
  Level MakeLevel(int64_t groups) const {
    return {Array<float>({groups, dp_, 4}), Array<float>({groups, 4, dvp_}), Array<float>({groups, 8, 4}), Array<float>({groups, 4, 4})};
  }
  // Mean over a band of the squared rotated x.
  double BandSquare(const Array<float>& basis, const std::vector<double>& x, int64_t band) const {
    const auto [lo, hi] = Band(band);
    double sum = 0;
    for (int64_t c = lo; c < hi; ++c) {
      double y = 0;
      for (int64_t d = 0; d < d_; ++d) y += x[d] * basis(c / 16, d, c % 16);
      sum += y * y;
    }
    return lo < hi ? sum / static_cast<double>(hi - lo) : 0;
  }
  void ExpectScalars(const Level& level, int64_t group, int64_t place, double n) const {
    if (n == 0)
      EXPECT_EQ(level.scalar(group, 0, place), -std::numeric_limits<float>::infinity());
    else
      EXPECT_NEAR(level.scalar(group, 0, place), std::log2(n), 2e-6);
    EXPECT_EQ(level.scalar(group, 1, place), 1);
    EXPECT_EQ(level.scalar(group, 2, place), 0);
    EXPECT_EQ(level.scalar(group, 3, place), n);
  }
};
INSTANTIATE_TEST_SUITE_P(All, MomentsTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

TEST_P(MomentsTest, Leaves) {
  const int64_t rows = std::accumulate(kLeaves.begin(), kLeaves.end(), int64_t{0}), leaves = static_cast<int64_t>(kLeaves.size());
  const Array<float> keys = RandomRows(rows, d_, dp_, 0.1), values = RandomRows(rows, dv_, dvp_), basis = RandomBasis();
  const Array<int32_t> order = RandomOrder(kLeaves);
  const Level level = MakeLevel(leaves / 4);
  const Array<float> deviation({17, dp_});
  kernels_.Call("leaf_moments", {&keys, &values, &order, &basis, &level.mean, &level.value, &level.var, &level.scalar, &deviation});
  for (int64_t leaf = 0; leaf < leaves; ++leaf) {
    const int64_t group = leaf / 4, place = leaf % 4, n = kLeaves[static_cast<size_t>(leaf)];
    const auto mean_of = [&](const Array<float>& from, int64_t column) {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += from(order(leaf * 16 + i), column);
      return n > 0 ? sum / static_cast<double>(n) : 0;
    };
    ExpectScalars(level, group, place, static_cast<double>(n));
    for (int64_t d = 0; d < dp_; ++d) ASSERT_NEAR(level.mean(group, d, place), mean_of(keys, d), 1e-5) << "leaf " << leaf;
    for (int64_t c = 0; c < dvp_; ++c) ASSERT_NEAR(level.value(group, place, c), mean_of(values, c), 1e-5) << "leaf " << leaf;
    for (int64_t band = 0; band < 8; ++band) {
      double var = 0;
      for (int64_t i = 0; i < n; ++i) {
        std::vector<double> x(dp_);
        for (int64_t d = 0; d < d_; ++d) x[d] = keys(order(leaf * 16 + i), d) - mean_of(keys, d);
        var += BandSquare(basis, x, band) / static_cast<double>(n);
      }
      ASSERT_NEAR(level.var(group, band, place), var, 2e-5 * var + 1e-12) << "leaf " << leaf << " band " << band;
    }
  }
}

TEST_P(MomentsTest, NodesFromTheirChildren) {
  for (int64_t fanout : {1, 2}) {
    const int64_t groups = 2, child_groups = groups * 4 * fanout;
    const Level finer = MakeLevel(child_groups), level = MakeLevel(groups);
    const Array<float> basis = RandomBasis(), deviation({17, dp_});
    Array<int32_t> params({4});
    params(2) = static_cast<int32_t>(fanout);
    for (const Array<float>* array : {&finer.mean, &finer.value, &finer.var, &finer.scalar}) array->Fill(0);
    for (int64_t child = 0; child < child_groups * 4; ++child) {
      const int64_t group = child / 4, place = child % 4;
      const int64_t n = group / fanout == 5 ? 0 : child % 7 == 3 ? 0 : 1 + child * 13 % 64;  // node 5 is empty, others have an empty child
      finer.scalar(group, 3, place) = static_cast<float>(n);
      if (n == 0) continue;
      for (int64_t d = 0; d < d_; ++d) finer.mean(group, d, place) = Normal(static_cast<double>(d % 5));
      for (int64_t c = 0; c < dv_; ++c) finer.value(group, place, c) = Normal();
      for (int64_t band = 0; band < 8; ++band) finer.var(group, band, place) = std::abs(Normal());
    }
    kernels_.Call("merge_moments", {&finer.mean, &finer.value, &finer.var, &finer.scalar, &basis, &params, &level.mean, &level.value,
                                    &level.var, &level.scalar, &deviation});
    for (int64_t node = 0; node < groups * 4; ++node) {
      const int64_t group = node / 4, place = node % 4;
      double n = 0;
      const auto mean_of = [&](auto&& child) {  // weighted by the keys of each child
        double sum = 0;
        for (int64_t c = node * fanout * 4; c < (node + 1) * fanout * 4; ++c) sum += finer.scalar(c / 4, 3, c % 4) * child(c / 4, c % 4);
        return n > 0 ? sum / n : sum;
      };
      n = mean_of([](int64_t, int64_t) { return 1.0; });
      ExpectScalars(level, group, place, n);
      std::vector<double> mean(dp_);
      for (int64_t d = 0; d < dp_; ++d) {
        mean[d] = mean_of([&](int64_t g, int64_t i) { return finer.mean(g, d, i); });
        ASSERT_NEAR(level.mean(group, d, place), mean[d], 1e-5);
      }
      for (int64_t c = 0; c < dvp_; ++c)
        ASSERT_NEAR(level.value(group, place, c), mean_of([&](int64_t g, int64_t i) { return finer.value(g, i, c); }), 1e-5);
      for (int64_t band = 0; band < 8; ++band) {
        const auto [lo, hi] = Band(band);
        const double var = lo == hi ? 0 : mean_of([&](int64_t g, int64_t i) {
          std::vector<double> x(dp_);
          for (int64_t d = 0; d < d_; ++d) x[d] = finer.mean(g, d, i) - mean[d];
          return finer.var(g, band, i) + BandSquare(basis, x, band);
        });
        ASSERT_NEAR(level.var(group, band, place), var, 2e-5 * var) << "node " << node << " band " << band;
      }
    }
  }
}

}  // namespace
}  // namespace hsa::ir

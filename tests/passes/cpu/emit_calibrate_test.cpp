#include <limits>

#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

class CalibrateTest : public KernelTest {
 protected:
  static constexpr int64_t kSamples = 16;

  // Samples in the first rows of a tile of queries.
  Array<float> RandomSamples(int64_t count) {
    Array<float> samples({kTileQueries, dp_});
    samples.Fill(0);
    for (int64_t t = 0; t < count; ++t)
      for (int64_t d = 0; d < d_; ++d) samples(t, d) = Normal(0, 1.4);
    return samples;
  }
};
INSTANTIATE_TEST_SUITE_P(All, CalibrateTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

constexpr float kInf = std::numeric_limits<float>::infinity();

void ExpectMass(float mass, double sum) {
  if (sum == 0)
    EXPECT_EQ(mass, -kInf);
  else
    EXPECT_NEAR(mass, std::log2(sum), 2e-5);
}

TEST_P(CalibrateTest, MassOfLeaves) {
  const auto leaves = static_cast<int64_t>(kLeaves.size()), groups = leaves / 4;
  const Array<float> samples = RandomSamples(kSamples);
  Array<float> panels({leaves, dp_, 16}), scalar({groups, 4, 4}), mass({groups, kSamples, 4}), scores({kTileQueries, 64});
  panels.Fill(0);
  for (int64_t leaf = 0; leaf < leaves; ++leaf) {
    scalar(leaf / 4, 3, leaf % 4) = static_cast<float>(kLeaves[static_cast<size_t>(leaf)]);
    for (int64_t d = 0; d < d_; ++d)
      for (int64_t lane = 0; lane < kLeaves[static_cast<size_t>(leaf)]; ++lane) panels(leaf, d, lane) = Normal(0, 3);
  }
  kernels_.Call("leaf_mass", {&samples, &panels, &scalar, &mass, &scores});
  for (int64_t leaf = 0; leaf < leaves; ++leaf)
    for (int64_t t = 0; t < kSamples; ++t) {
      double sum = 0;
      for (int64_t lane = 0; lane < kLeaves[static_cast<size_t>(leaf)]; ++lane) {
        double score = 0;
        for (int64_t d = 0; d < dp_; ++d) score += static_cast<double>(samples(t, d)) * panels(leaf, d, lane);
        sum += std::exp2(log_scale_ * score);
      }
      ExpectMass(mass(leaf / 4, t, leaf % 4), sum);
    }
}

TEST_P(CalibrateTest, MassOfNodes) {
  for (int64_t fanout : {1, 2}) {
    const int64_t groups = 2, child_groups = groups * 4 * fanout;
    Array<float> child({child_groups, kSamples, 4}), mass({groups, kSamples, 4});
    Array<int32_t> params({4});
    params(2) = static_cast<int32_t>(fanout);
    for (int64_t group = 0; group < child_groups; ++group)
      for (int64_t t = 0; t < kSamples; ++t)
        for (int64_t i = 0; i < 4; ++i) child(group, t, i) = group / fanout == 3 || (group + i) % 5 == 0 ? -kInf : Normal(-100, 40);
    kernels_.Call("merge_mass", {&child, &params, &mass});
    for (int64_t node = 0; node < groups * 4; ++node)
      for (int64_t t = 0; t < kSamples; ++t) {
        double sum = 0;
        for (int64_t c = node * fanout * 4; c < (node + 1) * fanout * 4; ++c) sum += std::exp2(static_cast<double>(child(c / 4, t, c % 4)));
        ExpectMass(mass(node / 4, t, node % 4), sum);
      }
  }
}

struct Gain {
  double beta = 1, tau = 0;
};

// docs/spec.md, "Node": gain h and excess y - h of each sample → β, τ.
Gain Fit(const std::vector<double>& h, const std::vector<double>& excess) {
  const auto count = static_cast<double>(h.size());
  if (h.empty()) return {};
  const double mean_h = std::accumulate(h.begin(), h.end(), 0.0) / count,
               mean_y = std::accumulate(excess.begin(), excess.end(), 0.0) / count;
  double var = 0, cov = 0;
  for (size_t t = 0; t < h.size(); ++t) {
    var += (h[t] - mean_h) * (h[t] - mean_h) / count;
    cov += (h[t] - mean_h) * (excess[t] - mean_y) / count;
  }
  const double b = cov / (var + 0.1 + 0.05 * mean_h * mean_h);
  return {std::clamp(1 + b, 0.0, 2.0), mean_y - b * mean_h};
}

TEST_P(CalibrateTest, FitGain) {
  for (int32_t count : {0, 1, 3, 16}) {
    const int64_t groups = 3;
    const Array<float> samples = RandomSamples(count);
    Array<float> bands({kTileQueries, 8}), truth({groups, kSamples, 4}), mean({groups, dp_, 4}), var({groups, 8, 4}),
        scalar({groups, 4, 4});
    Array<int32_t> counts({2});
    counts(0) = count;
    for (int64_t t = 0; t < kTileQueries; ++t)
      for (int64_t band = 0; band < 8; ++band) bands(t, band) = t < count ? std::abs(Normal(1, 1)) : 0;
    mean.Fill(0);
    for (int64_t node = 0; node < groups * 4; ++node) {
      const int64_t group = node / 4, place = node % 4, n = node == 6 ? 0 : int64_t{1} << node;
      scalar(group, 0, place) = n == 0 ? -kInf : static_cast<float>(std::log2(n));
      scalar(group, 1, place) = scalar(group, 2, place) = 99;
      scalar(group, 3, place) = static_cast<float>(n);
      for (int64_t d = 0; d < d_; ++d) mean(group, d, place) = Normal();
      for (int64_t band = 0; band < 8; ++band) var(group, band, place) = std::abs(Normal(0, node % 3 == 0 ? 0.1 : 2));
      for (int64_t t = 0; t < kSamples; ++t) truth(group, t, place) = n == 0 ? -kInf : scalar(group, 0, place) + Normal(1, 3);
    }
    kernels_.Call("fit_gain", {&samples, &bands, &truth, &mean, &var, &counts, &scalar});
    for (int64_t node = 0; node < groups * 4; ++node) {
      const int64_t group = node / 4, place = node % 4;
      const double n = scalar(group, 3, place), c = n > 0 ? std::sqrt(2 * std::log(n)) : 0;
      std::vector<double> gains, excess;
      for (int64_t t = 0; t < count && n > 0; ++t) {
        double product = 0, s2 = 0;
        for (int64_t d = 0; d < dp_; ++d) product += static_cast<double>(samples(t, d)) * mean(group, d, place);
        for (int64_t band = 0; band < 8; ++band) s2 += static_cast<double>(bands(t, band)) * var(group, band, place);
        const double s = std::sqrt(s2), gain = s <= c ? s2 / 2 : s * c - c * c / 2;
        gains.push_back(gain);
        excess.push_back(std::log(2) * (truth(group, t, place) - (std::log2(n) + log_scale_ * product)) - gain);
      }
      const Gain wanted = Fit(gains, excess);
      EXPECT_NEAR(scalar(group, 1, place), wanted.beta, 2e-5) << "node " << node << ", " << count << " samples";
      EXPECT_NEAR(scalar(group, 2, place), wanted.tau, 1e-4) << "node " << node << ", " << count << " samples";
    }
  }
}

}  // namespace
}  // namespace hsa::ir

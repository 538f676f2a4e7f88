#include <limits>

#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int32_t kEmpty = std::numeric_limits<int32_t>::max();
enum Scalar { kConstant, kLogMass, kGainBound, kCount, kTrace };  // rows of node_scalar

class MomentsTest : public KernelTest {
 protected:
  // Nodes of one level as an entry stores them.
  struct Level {
    Array<float> mean, value, var, scalar;
  };
  Level MakeLevel(int64_t groups) const {
    return {Array<float>({groups, dp_, 4}), Array<float>({groups, 4, dvp_}), Array<float>({groups, 8, 4}), Array<float>({groups, 5, 4})};
  }
  // What a level tells of its tilt, as an entry adds it up.
  struct Lean {
    Array<float> sum, traces, apart_k, apart_v;
  };
  Lean MakeLean() const {
    Lean lean{Array<float>({dp_, dvp_}), Array<float>({2}), Array<float>({dp_, 16}), Array<float>({16, dvp_})};
    lean.sum.Fill(0), lean.traces.Fill(0);
    return lean;
  }
  // A query of some length: it weighs the keys unevenly.
  Array<float> Reference() {
    Array<float> reference({dp_});
    reference.Fill(0);
    for (int64_t d = 0; d < d_; ++d) reference(d) = Normal(0, 1.5);
    return reference;
  }
  // What node (group, place) must be: masses of its parts, each with a mean, a value and variances of bands.
  struct Part {
    double log_mass;
    std::function<double(int64_t)> mean, value, var;
  };
  // Adds what it tells of the tilt to `lean`.
  struct WantedLean {
    std::vector<double> sum;
    double trace = 0, within = 0;
  };
  void ExpectNode(WantedLean* lean, const Level& level, int64_t group, int64_t place, const Array<float>& reference, double n,
                  const std::vector<Part>& parts) const {
    EXPECT_EQ(level.scalar(group, kCount, place), n);
    if (n == 0) {
      EXPECT_EQ(level.scalar(group, kConstant, place), -kInfinity);
      EXPECT_EQ(level.scalar(group, kLogMass, place), -kInfinity);
      return;
    }
    double top = -kInfinity, total = 0;
    for (const Part& part : parts) top = std::max(top, part.log_mass);
    for (const Part& part : parts) total += std::exp2(part.log_mass - top);
    const double log_mass = top + std::log2(total);
    const auto average = [&](auto&& of) {
      double sum = 0;
      for (const Part& part : parts)
        if (std::isfinite(part.log_mass)) sum += std::exp2(part.log_mass - log_mass) * of(part);
      return sum;
    };
    std::vector<double> mean(dp_);
    double product = 0;
    for (int64_t d = 0; d < dp_; ++d) {
      mean[d] = average([&](const Part& part) { return part.mean(d); });
      product += mean[d] * reference(d);
      ASSERT_NEAR(level.mean(group, d, place), mean[d], 2e-5) << "dimension " << d;
    }
    for (int64_t c = 0; c < dvp_; ++c)
      ASSERT_NEAR(level.value(group, place, c), average([&](const Part& part) { return part.value(c); }), 2e-5);
    double trace = 0, within = 0;
    for (int64_t band = 0; band < 8; ++band) {
      const auto [lo, hi] = Band(band);
      double var = average([&](const Part& part) { return part.var(band); });
      within += var * static_cast<double>(hi - lo);
      for (int64_t d = lo; d < hi; ++d)
        var +=
            average([&](const Part& part) { return (part.mean(d) - mean[d]) * (part.mean(d) - mean[d]); }) / static_cast<double>(hi - lo);
      trace += var * static_cast<double>(hi - lo);
      ASSERT_NEAR(level.var(group, band, place), var, 5e-5 * var + 1e-12) << "band " << band;
    }
    EXPECT_NEAR(level.scalar(group, kTrace, place), trace, 5e-5 * trace + 1e-12);
    if (lean != nullptr) {
      lean->sum.resize(dp_ * dvp_);
      lean->trace += trace, lean->within += within;
      std::vector<double> value(dvp_);
      for (int64_t c = 0; c < dvp_; ++c) value[c] = average([&](const Part& part) { return part.value(c); });
      for (int64_t d = 0; d < dp_; ++d)
        for (int64_t c = 0; c < dvp_; ++c)
          lean->sum[d * dvp_ + c] += average([&](const Part& part) { return (part.mean(d) - mean[d]) * (part.value(c) - value[c]); });
    }
    EXPECT_NEAR(level.scalar(group, kLogMass, place), log_mass, 1e-5 * (1 + std::abs(log_mass)));
    EXPECT_NEAR(level.scalar(group, kConstant, place), log_mass - log_scale_ * product, 2e-5 * (1 + std::abs(log_mass)));
    EXPECT_NEAR(level.scalar(group, kGainBound, place), 2 * std::log(n), 1e-5);
  }
  void ExpectLean(const Lean& is, const WantedLean& wanted) const {
    EXPECT_NEAR(is.traces(0), wanted.trace, 1e-4 * wanted.trace);
    EXPECT_NEAR(is.traces(1), wanted.within, 1e-4 * wanted.within);
    double largest = 0;
    for (double x : wanted.sum) largest = std::max(largest, std::abs(x));
    for (int64_t d = 0; d < dp_; ++d)
      for (int64_t c = 0; c < dvp_; ++c) ASSERT_NEAR(is.sum(d, c), wanted.sum[d * dvp_ + c], 1e-4 * largest) << d << " " << c;
  }
};
INSTANTIATE_TEST_SUITE_P(All, MomentsTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

TEST_P(MomentsTest, Leaves) {
  const auto leaves = static_cast<int64_t>(kLeaves.size());
  Array<float> keys({leaves, dp_, 16}), values({leaves, 16, dvp_});
  Array<int32_t> positions({leaves, 16});
  keys.Fill(0), values.Fill(0);
  for (int64_t leaf = 0; leaf < leaves; ++leaf)
    for (int64_t i = 0; i < 16; ++i) {
      const bool live = i < kLeaves[static_cast<size_t>(leaf)];
      positions(leaf, i) = live ? static_cast<int32_t>(leaf * 16 + i) : kEmpty;
      for (int64_t d = 0; d < d_ && live; ++d) keys(leaf, d, i) = Normal(static_cast<double>(d % 3), 0.5);
      for (int64_t c = 0; c < dv_ && live; ++c) values(leaf, i, c) = Normal();
    }
  const Array<float> reference = Reference();
  const Level level = MakeLevel(leaves / 4);
  Lean lean = MakeLean();
  const Array<float> key_batch({4, dp_, 16}), value_batch({4, 16, dvp_});
  kernels_.Call("leaf_moments.f32", {&keys, &values, &positions, &reference, &level.mean, &level.value, &level.var, &level.scalar,
                                     &lean.sum, &lean.traces, &lean.apart_k, &lean.apart_v, &key_batch, &value_batch});
  WantedLean wanted;
  for (int64_t leaf = 0; leaf < leaves; ++leaf) {
    SCOPED_TRACE(leaf);
    const int64_t n = kLeaves[static_cast<size_t>(leaf)];
    std::vector<Part> parts;
    for (int64_t i = 0; i < n; ++i) {
      double product = 0;
      for (int64_t d = 0; d < d_; ++d) product += static_cast<double>(reference(d)) * keys(leaf, d, i);
      parts.push_back({log_scale_ * product, [&, leaf, i](int64_t d) { return keys(leaf, d, i); },
                       [&, leaf, i](int64_t c) { return values(leaf, i, c); }, [](int64_t) { return 0.0; }});
    }
    ExpectNode(leaf % 4 == 0 ? &wanted : nullptr, level, leaf / 4, leaf % 4, reference, static_cast<double>(n), parts);
  }
  ExpectLean(lean, wanted);
}

TEST_P(MomentsTest, NodesFromTheirChildren) {
  for (int64_t fanout : {1, 2, 4}) {
    const int64_t groups = 2, child_groups = groups * 4 * fanout;
    const Level finer = MakeLevel(child_groups), level = MakeLevel(groups);
    const Array<float> reference = Reference();
    Array<float> share({4, 4});
    Lean lean = MakeLean();
    Array<int32_t> params({4});
    params(2) = static_cast<int32_t>(fanout);
    for (const Array<float>* array : {&finer.mean, &finer.value, &finer.var, &finer.scalar}) array->Fill(0);
    for (int64_t child = 0; child < child_groups * 4; ++child) {
      const int64_t group = child / 4, place = child % 4;
      const int64_t n = group / fanout == 5 ? 0 : child % 7 == 3 ? 0 : 1 + child * 13 % 64;  // node 5 is empty, others have an empty child
      finer.scalar(group, kCount, place) = static_cast<float>(n);
      finer.scalar(group, kLogMass, place) = n == 0 ? -kInfinity : Normal(8, 3);
      if (n == 0) continue;
      for (int64_t d = 0; d < d_; ++d) finer.mean(group, d, place) = Normal(static_cast<double>(d % 5));
      for (int64_t c = 0; c < dv_; ++c) finer.value(group, place, c) = Normal();
      for (int64_t band = 0; band < 8; ++band) {
        const auto [lo, hi] = Band(band);
        finer.var(group, band, place) = lo < hi ? std::abs(Normal()) : 0;
      }
    }
    kernels_.Call("merge_moments", {&finer.mean, &finer.value, &finer.var, &finer.scalar, &reference, &params, &level.mean, &level.value,
                                    &level.var, &level.scalar, &lean.sum, &lean.traces, &share, &lean.apart_k, &lean.apart_v});
    WantedLean wanted;
    for (int64_t node = 0; node < groups * 4; ++node) {
      SCOPED_TRACE(node);
      double n = 0;
      std::vector<Part> parts;
      for (int64_t child = node * fanout * 4; child < (node + 1) * fanout * 4; ++child) {
        const int64_t g = child / 4, i = child % 4;
        n += finer.scalar(g, kCount, i);
        parts.push_back({finer.scalar(g, kLogMass, i), [&, g, i](int64_t d) { return finer.mean(g, d, i); },
                         [&, g, i](int64_t c) { return finer.value(g, i, c); }, [&, g, i](int64_t b) { return finer.var(g, b, i); }});
      }
      ExpectNode(&wanted, level, node / 4, node % 4, reference, n, parts);
    }
    ExpectLean(lean, wanted);
  }
}

TEST_P(MomentsTest, BandsOfAQuery) {
  Array<float> query({64, dp_}), bands({64, 8}), apart({64, dp_});
  query.Fill(0);
  for (int64_t r = 0; r < 64; ++r)
    for (int64_t d = 0; d < d_; ++d) query(r, d) = Normal();
  const Array<float> reference = Reference();
  Array<int32_t> rows({1});
  rows.Fill(kTileQueries);
  kernels_.Call("query_bands", {&query, &reference, &rows, &bands, &apart});
  for (int64_t r = 0; r < 64; ++r)
    for (int64_t band = 0; band < 8; ++band) {
      const auto [lo, hi] = Band(band);
      double sum = 0;
      for (int64_t d = lo; d < hi; ++d) sum += std::pow(static_cast<double>(query(r, d)) - reference(d), 2);
      ASSERT_NEAR(bands(r, band), sum / static_cast<double>(d_), 1e-5 * sum) << "row " << r << " band " << band;
    }
}

TEST_P(MomentsTest, SumOfFiniteRows) {
  Array<float> rows = RandomRows(37, d_, dp_), sum({dp_});
  Array<int32_t> bad({37});
  bad.Fill(0), sum.Fill(1);
  bad(5) = 1, rows(5, 0) = std::numeric_limits<float>::quiet_NaN();
  kernels_.Call("add_rows", {&rows, &bad, &sum});
  for (int64_t d = 0; d < dp_; ++d) {
    double wanted = 1;
    for (int64_t r = 0; r < 37; ++r) wanted += r == 5 ? 0 : rows(r, d);
    ASSERT_NEAR(sum(d), wanted, 1e-4);
  }
}

}  // namespace
}  // namespace hsa::ir

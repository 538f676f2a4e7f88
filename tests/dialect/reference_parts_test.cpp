// The parts of the reference one by one: moments, order, calibration, merge.
#include <random>
#include <set>

#include "dialect/reference/partial.h"
#include "dialect/reference/splat_tree.h"
#include "gtest/gtest.h"

namespace hsa::ir::reference {
namespace {

Tensor Random(std::vector<int64_t> shape, uint64_t seed) {
  Tensor tensor = Tensor::filled(std::move(shape), 0);
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  for (double& x : tensor.values) x = normal(random);
  return tensor;
}

class SummarizeTest : public testing::Test {
 protected:
  static constexpr int64_t kHeads = 4, kKvHeads = 2, kQueries = 300, kKeys = 470, kDim = 10, kValueDim = 6;
  static constexpr double kScale = 0.3;

  SummarizeTest() {
    context.loadDialect<HsaDialect>();
    key.values[20 * kDim] = NAN;  // key 20 of kv_head 0 is not live
    config = ConfigAttr::get(&context, /*order=*/2, mlir::FloatAttr(), /*nearSinkTokens=*/4, /*windowTokens=*/64, /*tileQueries=*/16,
                             /*leafTokens=*/4, /*miniSegmentTokens=*/64, /*segmentTokens=*/256, /*bands=*/4,
                             mlir::FloatAttr(), mlir::FloatAttr(), QueryOrder::Position);
    layout.emplace(kQueries, kKeys, MaskAttr::get(&context, true, 0, 0), config);
    index = summarize(query, key, value, *layout, kScale, nullptr);
  }

  mlir::MLIRContext context;
  ConfigAttr config;
  Tensor query = Random({kHeads, kQueries, kDim}, 1), key = Random({kKvHeads, kKeys, kDim}, 2), value = Random({kKvHeads, kKeys, kValueDim}, 3);
  std::optional<Layout> layout;
  SplatIndex index;
};

// A group of n keys leaves ⌈n/2⌉ on the left of every cut, so a leaf never overflows and each live key has one slot.
TEST_F(SummarizeTest, EveryLiveKeyHasOneSlot) {
  for (int64_t kvHead = 0; kvHead < kKvHeads; ++kvHead)
    for (size_t u = 0; u < layout->units().size(); ++u) {
      const Unit& unit = layout->units()[u];
      const Tree& tree = index.trees[kvHead][u];
      if (tree.slots.empty()) continue;
      std::multiset<int64_t> found, wanted;
      for (int64_t j : tree.slots)
        if (j >= 0) found.insert(j);
      for (int64_t j = unit.key.firstToken; j < unit.end(); ++j)
        if (j >= 4 && !(kvHead == 0 && j == 20)) wanted.insert(j);
      EXPECT_EQ(found, wanted);
      EXPECT_EQ(tree.nodes.back().keys, int64_t(wanted.size()));
      for (int64_t n = 0; n + 1 < unit.nodes(0); n += 2) {
        const int64_t left = tree.nodes[n].keys, right = tree.nodes[n + 1].keys;
        EXPECT_TRUE(left == right || left == right + 1) << "leaves of " << left << " and " << right;
      }
    }
}

TEST_F(SummarizeTest, NodesHaveThePlainMomentsOfTheirKeys) {
  const int64_t u = 0, kvHead = 0;  // the first segment, in its own basis
  const Unit& unit = layout->units()[u];
  const Tree& tree = index.trees[kvHead][u];
  ASSERT_EQ(unit.key, (UnitKey{0, 256}));
  for (int64_t level = 0; level < unit.levels(); ++level)
    for (int64_t n = 0; n < unit.nodes(level); ++n) {
      const Node& node = tree.nodes[unit.firstNode[level] + n];
      std::vector<int64_t> keys;
      for (int64_t s = n * unit.levelTokens[level]; s < (n + 1) * unit.levelTokens[level]; ++s)
        if (tree.slots[s] >= 0) keys.push_back(tree.slots[s]);
      ASSERT_EQ(node.keys, int64_t(keys.size()));
      std::vector<double> mean(kDim, 0), rotatedMean(kDim, 0), rotatedSquare(kDim, 0);
      for (int64_t j : keys) {
        const std::vector<double> rotated = applyTransposed(*tree.basis, key.row(kvHead, j));
        for (int64_t d = 0; d < kDim; ++d) {
          mean[d] += key.row(kvHead, j)[d] / double(keys.size());
          rotatedMean[d] += rotated[d] / double(keys.size());
          rotatedSquare[d] += rotated[d] * rotated[d] / double(keys.size());
        }
      }
      for (int64_t d = 0; d < kDim; ++d) ASSERT_NEAR(node.mean[d], mean[d], 1e-12);
      // Bands of ⌈10/4⌉ = 3, 3, 3 and 1 dimensions.
      for (int64_t b = 0; b < 4; ++b) {
        double variance = 0;
        const int64_t begin = 3 * b, end = std::min<int64_t>(begin + 3, kDim);
        for (int64_t d = begin; d < end; ++d) variance += (rotatedSquare[d] - rotatedMean[d] * rotatedMean[d]) / double(end - begin);
        ASSERT_NEAR(node.variance[b], variance, 1e-12);
      }
    }
}

TEST_F(SummarizeTest, BasesAreOrthonormalAndStartWithTheIdentity) {
  const Matrix& basis = *index.trees[0][0].basis;
  for (int64_t a = 0; a < kDim; ++a)
    for (int64_t b = 0; b < kDim; ++b) {
      double product = 0;
      for (int64_t d = 0; d < kDim; ++d) product += basis(d, a) * basis(d, b);
      EXPECT_NEAR(product, a == b, 1e-12);
    }
  for (size_t u = 0; u < layout->units().size(); ++u) {
    const Tree& tree = index.trees[1][u];
    if (tree.slots.empty()) continue;
    const bool isBefore = layout->units()[u].key.tokens == 64 && layout->units()[u].end() <= 256;
    EXPECT_EQ(tree.basis == index.identity.get(), isBefore) << "unit at " << layout->units()[u].key.firstToken;
  }
}

// The fit of a whole segment, written out once more from docs/spec.md.
TEST_F(SummarizeTest, CalibrationIsTheFormula) {
  const int64_t u = 0, kvHead = 1;
  const Tree& tree = index.trees[kvHead][u];
  const Node& root = tree.nodes.back();
  const int64_t offset = kKeys - kQueries, begin = offset, end = 256;  // earlier queries: from the first one to the end of the unit
  std::vector<double> h, rest;
  for (int64_t t = 0; t < 16; ++t) {
    const int64_t position = begin + int64_t(std::floor((double(t) + 0.5) * double(end - begin) / 16));
    const auto q = query.row(2 * kvHead + t % 2, position - offset);
    double mass = 0, first = kScale * dot(q, root.mean) + std::log(double(root.keys));
    for (int64_t j : tree.slots)
      if (j >= 0) mass += std::exp(kScale * dot(q, key.row(kvHead, j)));
    const std::vector<double> rotated = applyTransposed(*tree.basis, q);
    double s2 = 0;
    for (int64_t d = 0; d < kDim; ++d) s2 += kScale * kScale * root.variance[d / 3] * rotated[d] * rotated[d];
    const double s = std::sqrt(s2), c = std::sqrt(2 * std::log(double(root.keys)));
    h.push_back(s <= c ? s2 / 2 : s * c - c * c / 2);
    rest.push_back(std::log(mass) - first - h.back());
  }
  double meanH = 0, meanRest = 0, meanProduct = 0, meanSquare = 0;
  for (int t = 0; t < 16; ++t) meanH += h[t] / 16, meanRest += rest[t] / 16, meanProduct += h[t] * rest[t] / 16, meanSquare += h[t] * h[t] / 16;
  const double b = (meanProduct - meanH * meanRest) / (meanSquare - meanH * meanH + 0.1 + 0.05 * meanH * meanH);
  EXPECT_NEAR(root.beta, std::clamp(1 + b, 0.0, 2.0), 1e-9);
  EXPECT_NEAR(root.tau, meanRest - b * meanH, 1e-9);
}

TEST(GainTest, IsContinuousAndGrowsLinearlyBeyondItsCorner) {
  const double c = std::sqrt(2 * std::log(16.0));
  EXPECT_EQ(gain(0, 16), 0);
  EXPECT_NEAR(gain(c * c, 16), c * c / 2, 1e-12);
  EXPECT_NEAR(gain(9 * c * c, 16), 3 * c * c - c * c / 2, 1e-12);
  EXPECT_EQ(gain(0, 1), 0);  // one key has no spread, and c = 0
}

Partial RandomPartial(uint64_t seed) {
  Partial partial = Partial::empty(2, 3, 4);
  const Tensor scores = Random({2, 3, 5}, seed), values = Random({2, 5, 4}, seed + 100);
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < 5; ++j)
        if ((h + i + j + int64_t(seed)) % 3 != 0) partial.add(h, i, 20 * scores.row(h, i)[j], values.row(h, j));
  return partial;
}

void ExpectSame(const Partial& a, const Partial& b) {
  const auto [oA, lseA] = normalize(a);
  const auto [oB, lseB] = normalize(b);
  for (size_t n = 0; n < oA.values.size(); ++n) EXPECT_NEAR(oA.values[n], oB.values[n], 1e-12);
  for (size_t n = 0; n < lseA.values.size(); ++n) EXPECT_NEAR(lseA.values[n], lseB.values[n], 1e-12);
}

TEST(MergeTest, IsAMonoid) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Partial a = RandomPartial(seed), b = RandomPartial(seed + 1), c = RandomPartial(seed + 2);
    ExpectSame(merge(merge(a, b), c), merge(a, merge(b, c)));
    ExpectSame(merge(a, b), merge(b, a));
    EXPECT_EQ(merge(a, Partial::empty(2, 3, 4)).acc.values, a.acc.values);
    EXPECT_EQ(merge(Partial::empty(2, 3, 4), a).sum.values, a.sum.values);
  }
}

TEST(MergeTest, ANonFiniteRowStaysNonFinite) {
  Partial a = RandomPartial(1), poisoned = Partial::empty(2, 3, 4);
  poisoned.poison(1, 2);
  const auto [o, lse] = normalize(merge(a, merge(poisoned, a)));
  EXPECT_TRUE(std::isnan(o.row(1, 2)[0]) && std::isnan(lse.at(1, 2)));
  EXPECT_TRUE(std::isfinite(o.row(1, 1)[0]));
}

}  // namespace
}  // namespace hsa::ir::reference

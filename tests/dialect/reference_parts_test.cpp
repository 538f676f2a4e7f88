// The parts of the reference one by one: order, moments, gain, merge.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "dialect/reference/linear_algebra.h"
#include "dialect/reference/nodes.h"
#include "dialect/reference/partial.h"
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

class IndexTest : public testing::Test {
 protected:
  static constexpr int64_t kHeads = 4, kKvHeads = 2, kQueries = 300, kKeys = 470, kDim = 10, kValueDim = 6;
  static constexpr double kScale = 0.3;

  IndexTest() {
    context.loadDialect<HsaDialect>();
    key.values[20 * kDim] = NAN;  // key 20 of kv_head 0 is not live
    const ConfigAttr config =
        ConfigAttr::get(&context, /*order=*/2, mlir::FloatAttr(), /*nearSinkTokens=*/4, /*windowTokens=*/64, /*tileQueries=*/16,
                        /*leafTokens=*/4, /*miniSegmentTokens=*/64, /*segmentTokens=*/256, /*bands=*/4, mlir::FloatAttr(),
                        mlir::FloatAttr(), QueryOrder::Position);
    layout.emplace(kQueries, kKeys, MaskAttr::get(&context, true, 0, 0), config);
    index = summarize(query, std::make_shared<Tensor>(key), std::make_shared<Tensor>(value), *layout, nullptr);
  }

  mlir::MLIRContext context;
  Tensor query = Random({kHeads, kQueries, kDim}, 1), key = Random({kKvHeads, kKeys, kDim}, 2),
         value = Random({kKvHeads, kKeys, kValueDim}, 3);
  std::optional<Layout> layout;
  SplatIndex index;
};

// A group of n keys leaves ⌈n/2⌉ on the left of every cut, so a leaf never overflows and each live key has one slot.
TEST_F(IndexTest, EveryLiveKeyHasOneSlot) {
  int64_t seen = 0;
  for (int64_t kvHead = 0; kvHead < kKvHeads; ++kvHead)
    for (size_t u = 0; u < layout->units().size(); ++u) {
      const Unit& unit = layout->units()[u];
      const Tree& tree = index.trees[kvHead][u];
      if (tree.empty()) continue;
      ++seen;
      std::multiset<int64_t> found, wanted;
      for (int64_t j : tree)
        if (j >= 0) found.insert(j);
      for (int64_t j = unit.key.firstToken; j < unit.end(); ++j)
        if (j >= 4 && !(kvHead == 0 && j == 20)) wanted.insert(j);
      EXPECT_EQ(found, wanted);
      const auto keysOfLeaf = [&](int64_t leaf) {
        return std::count_if(&tree[4 * leaf], &tree[4 * leaf] + 4, [](int64_t j) { return j >= 0; });
      };
      for (int64_t n = 0; n + 1 < unit.nodes(0); n += 2) {
        const int64_t left = keysOfLeaf(n), right = keysOfLeaf(n + 1);
        EXPECT_TRUE(left == right || left == right + 1) << "leaves of " << left << " and " << right;
      }
    }
  EXPECT_EQ(seen, kKvHeads * 7);  // the segment, its mini-segments but the last, and three behind it
}

TEST_F(IndexTest, NodesHaveTheTiltedMomentsOfTheirKeys) {
  const int64_t u = 0, head = 1, kvHead = 0;
  const Unit& unit = layout->units()[u];
  ASSERT_EQ(unit.key, (UnitKey{0, 256}));
  const Block& block = layout->blocks().back();
  const Splats splats = splatsOf(query, index, *layout, head, block, kScale);
  std::vector<double> reference(kDim, 0);
  for (int64_t i = block.queries().begin; i < block.queries().end; ++i)
    for (int64_t d = 0; d < kDim; ++d) reference[d] += query.row(head, i)[d] / double(block.queries().end - block.queries().begin);
  for (int64_t d = 0; d < kDim; ++d) ASSERT_NEAR(splats.reference[d], reference[d], 1e-12);

  int64_t number = 0;
  for (int64_t size : {4, 16, 64, 256})
    for (int64_t begin = 0; begin < 256; begin += size) {
      const Node& node = splats.nodes[u][number++];
      double mass = 0, keys = 0;
      std::vector<double> first(kDim, 0), second(kDim, 0), firstValue(kValueDim, 0);
      for (int64_t s = begin; s < begin + size; ++s) {
        const int64_t j = index.trees[kvHead][u][s];
        if (j < 0) continue;
        const auto k = key.row(kvHead, j), v = value.row(kvHead, j);
        const double weight = std::exp(kScale * dot(reference, k));
        ++keys, mass += weight;
        for (int64_t d = 0; d < kDim; ++d) first[d] += weight * k[d], second[d] += weight * k[d] * k[d];
        for (int64_t d = 0; d < kValueDim; ++d) firstValue[d] += weight * v[d];
      }
      ASSERT_EQ(node.keys, keys);
      ASSERT_NEAR(node.logMass, std::log(mass), 1e-12);
      for (int64_t d = 0; d < kDim; ++d) ASSERT_NEAR(node.mean[d], first[d] / mass, 1e-12);
      for (int64_t d = 0; d < kValueDim; ++d) ASSERT_NEAR(node.valueMean[d], firstValue[d] / mass, 1e-12);
      // Bands of ⌈10/4⌉ = 3, 3, 3 and 1 dimensions.
      for (int64_t b = 0; b < 4; ++b) {
        double variance = 0;
        const int64_t end = std::min<int64_t>(3 * b + 3, kDim);
        for (int64_t d = 3 * b; d < end; ++d) variance += (second[d] / mass - first[d] / mass * first[d] / mass) / double(end - 3 * b);
        ASSERT_NEAR(node.variance[b], variance, 1e-12);
      }
    }
  EXPECT_EQ(number, int64_t(splats.nodes[u].size()));
}

TEST_F(IndexTest, TheReferenceIsTheMeanOfFiniteQueries) {
  Tensor some = Random({1, 4, 3}, 5);
  some.row(0, 2)[1] = INFINITY;
  const std::vector<double> mean = referenceOf(some, 0, {1, 4});
  for (int64_t d = 0; d < 3; ++d) EXPECT_DOUBLE_EQ(mean[d], (some.row(0, 1)[d] + some.row(0, 3)[d]) / 2);
  EXPECT_EQ(referenceOf(some, 0, {2, 3}), std::vector<double>(3, 0));
}

// By hand: q − q₀ = (0.2, −0.2), and s² = 2²·0.25·0.08.
TEST(LogMassTest, IsTheExpansionAboutTheReference) {
  const Node node{/*keys=*/2, /*logMass=*/0.7, /*mean=*/{3, 1}, /*valueMean=*/{}, /*variance=*/{0.25}};
  const std::vector<double> q = {0.3, 0.1}, reference = {0.1, 0.3};
  const Offset offset = offsetOf(q, reference, 1);
  EXPECT_NEAR(offset.bandNorms[0], 0.08, 1e-15);
  EXPECT_NEAR(spread(node, offset, 2), 4 * 0.25 * 0.08, 1e-15);
  EXPECT_NEAR(logMass(node, offset, 2, /*order=*/0), 0.7 + 2 * (0.2 * 3 - 0.2 * 1), 1e-14);
  EXPECT_NEAR(logMass(node, offset, 2, /*order=*/2), 0.7 + 2 * (0.2 * 3 - 0.2 * 1) + 0.04, 1e-14);
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

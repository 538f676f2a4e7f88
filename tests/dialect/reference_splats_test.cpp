// The splat path of the reference: where it is exact, and what holds for every cut.
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/dialect/attention_text.h"

namespace hsa::ir {
namespace {

using reference::Candidate;
using reference::GivenIndex;
using reference::NodeKey;
using reference::TileKey;

std::string Config(double theta, int order = 2) {
  return absl::StrCat(kSmallUnits, ", order = ", order, absl::StrFormat(", theta = %.17e : f64", theta));
}

struct Case {
  const char* name;
  oracle::ProblemSpec spec;
};

const Case kCases[] = {
    // name                   H  Hkv  N    M    D   Dv   mask {causal, window, sinks}
    {"near_only", {2, 1, 20, 60, 32, 32, {true, 0, 0}}},  // no unit yet: the near field is everything
    {"one_mini", {2, 1, 30, 150, 32, 32, {true, 0, 0}}},
    {"segments_and_minis", {4, 2, 200, 701, 32, 48, {true, 0, 0}}},  // windows see 1 segment, then 2, with 0 to 3 minis after it
    {"every_position", {2, 2, 390, 390, 32, 32, {true, 0, 0}}},      // N = M: the first tiles see no unit
    {"not_causal", {4, 1, 70, 600, 64, 32}},
    {"not_causal_ragged", {1, 1, 1, 257, 33, 32}},                      // D is a multiple of no band
    {"few_queries", {8, 1, 3, 330, 32, 32, {true, 0, 0}}},              // too few for the metric
    {"sliding", {2, 1, 300, 700, 32, 32, {true, 300, 0}}},              // units seen entirely, partly and not at all
    {"sliding_with_sinks", {2, 1, 300, 700, 32, 32, {true, 150, 70}}},  // the prefix reaches into the second mini-segment
};

class ReferenceSplatsTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, ReferenceSplatsTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(ReferenceSplatsTest, ThetaZeroIsExact) {
  const oracle::Problem p = oracle::RandomProblem(GetParam().spec, /*seed=*/7);
  for (int order : {0, 2}) {
    AttentionModule module(AttentionText(p, Config(0, order)), Form::kDecomposed);
    ExpectAgree(module.Run("attention", Inputs(p)), oracle::Attend(p), 1e-12);
  }
}

TEST_P(ReferenceSplatsTest, FusedIsTheSameToTheBit) {
  const oracle::Problem p = oracle::RandomProblem(GetParam().spec, /*seed=*/7);
  AttentionModule stages(AttentionText(p, Config(0.02)), Form::kDecomposed), fused(AttentionText(p, Config(0.02)), Form::kFused);
  const oracle::Result a = stages.Run("attention", Inputs(p)), b = fused.Run("attention", Inputs(p));
  EXPECT_EQ(a.o, b.o);
  EXPECT_EQ(a.lse, b.lse);
}

// With σ = 0 every key has the same mass, n·v̄ of a node is the sum of its values, and values that are one-hot show how often each key was
// counted, whatever was opened.
TEST_P(ReferenceSplatsTest, AnyCutCountsEachVisibleKeyOnce) {
  oracle::ProblemSpec spec = GetParam().spec;
  spec.Dv = spec.M, spec.D = 8, spec.H = spec.Hkv = 1;
  oracle::Problem p = oracle::RandomProblem(spec, /*seed=*/7);
  p.scale = 0;
  for (int64_t j = 0; j < p.M; ++j)
    for (int64_t c = 0; c < p.Dv; ++c) p.v[j * p.Dv + c] = j == c;
  AttentionModule module(AttentionText(p, Config(0.02)), Form::kFused);

  // Any order will do, and bisecting along hundreds of value dimensions would take minutes: keys stay in the order of the sequence.
  GivenIndex given;
  for (int64_t tokens : {64, 256})
    for (int64_t first = 0; first + tokens <= p.M; first += tokens)
      for (int64_t j = first; j < first + tokens; ++j) given.slots[{0, {first, tokens}}].push_back(j < 4 ? -1 : j);

  // Open three in four at random of the nodes that opening everything shows.
  std::vector<Candidate> all;
  AttentionModule(AttentionText(p, Config(0)), Form::kFused).Run("attention", Inputs(p), &given, &all);
  std::mt19937_64 random(11);
  for (const Candidate& c : all) {
    given.opened[c.tile];  // a tile with nothing opened is given too
    if (random() % 4 != 0) given.opened[c.tile].push_back(c.node);
  }
  const oracle::Result result = module.Run("attention", Inputs(p), &given);
  for (int64_t i = 0; i < p.N; ++i) {
    int64_t visible = 0;
    for (int64_t j = 0; j < p.M; ++j) visible += oracle::Sees(p, i, j);
    for (int64_t j = 0; j < p.M; ++j)
      ASSERT_NEAR(result.o[i * p.Dv + j] * double(visible), oracle::Sees(p, i, j), 1e-9) << "query " << i << " key " << j;
    ASSERT_NEAR(result.lse[i], std::log(double(visible)), 1e-9) << "query " << i;
  }
}

// The future changes no bit: rows before the block of the first changed token stay. Blocks begin at segment 0, 2, 4, 8 and so on.
TEST_P(ReferenceSplatsTest, TheFutureChangesNothing) {
  oracle::Problem p = oracle::RandomProblem(GetParam().spec, /*seed=*/7);
  if (!p.mask.causal) return;  // there is no future
  AttentionModule module(AttentionText(p, Config(0.02)), Form::kFused);
  const oracle::Result before = module.Run("attention", Inputs(p));
  const int64_t changed = p.M - p.N / 3, segment = changed / 256, block = (segment < 2 ? 0 : segment < 4 ? 2 : segment < 8 ? 4 : 8) * 256;
  for (int64_t h = 0; h < p.Hkv; ++h)
    for (int64_t c = changed * p.D; c < p.M * p.D; ++c) p.k[h * p.M * p.D + c] *= -2;
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t i = changed - (p.M - p.N); i < p.N; ++i)
      for (int64_t d = 0; d < p.D; ++d) p.q[(h * p.N + i) * p.D + d] += 1;
  const oracle::Result after = module.Run("attention", Inputs(p));
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t i = 0; i < block - (p.M - p.N); ++i)
      ASSERT_EQ(before.lse[h * p.N + i], after.lse[h * p.N + i]) << "head " << h << " query " << i;
}

// A query that is the reference itself sees the true mass and the true mean of every closed node: nothing is opened, and nothing is lost. Another
// one, not finite, is no part of the reference.
TEST(ReferenceSplatsTest, TheReferenceSeesExactly) {
  for (int order : {0, 2})
    for (bool second : {false, true}) {
      SCOPED_TRACE(testing::Message() << "order " << order << " queries " << 1 + second);
      oracle::Problem p = oracle::RandomProblem({4, 2, second ? 2 : 1, 390, 32, 48, {true, 0, 0}}, /*seed=*/7);
      for (int64_t h = 0; second && h < p.H; ++h) p.q[(h * 2 + 1) * p.D + 3] = NAN;
      std::vector<Candidate> candidates;
      const oracle::Result is =
          AttentionModule(AttentionText(p, Config(1e-6, order)), Form::kFused).Run("attention", Inputs(p), nullptr, &candidates);
      const oracle::Result wanted = oracle::Attend(p);
      for (int64_t h = 0; h < p.H; ++h) {
        const int64_t row = h * p.N;
        EXPECT_LE(oracle::RelL2(std::span(is.o).subspan(row * p.Dv, p.Dv), std::span(wanted.o).subspan(row * p.Dv, p.Dv)), 1e-12)
            << "head " << h;
        EXPECT_NEAR(is.lse[row], wanted.lse[row], 1e-12) << "head " << h;
      }
      ASSERT_EQ(candidates.size(), size_t(4 * 3));  // the roots of a segment and two mini-segments, per head
      for (const Candidate& c : candidates) EXPECT_FALSE(c.opened);
    }
}

// What the interpreter decided, handed back to it, gives the same; and it opens exactly what exceeds θ.
TEST(GivenIndexTest, OwnDecisionsReplay) {
  const oracle::Problem p = oracle::RandomProblem({4, 2, 200, 701, 32, 32, {true, 0, 0}}, /*seed=*/7);
  AttentionModule module(AttentionText(p, Config(0.02)), Form::kFused);
  std::vector<Candidate> own, again;
  const oracle::Result first = module.Run("attention", Inputs(p), nullptr, &own);
  GivenIndex given;
  int64_t opened = 0;
  for (const Candidate& c : own) {
    EXPECT_EQ(c.opened, c.rmsOverTheta > 1);
    given.opened[c.tile];
    if (c.opened) given.opened[c.tile].push_back(c.node), ++opened;
  }
  EXPECT_GT(opened, 0);
  EXPECT_LT(opened, int64_t(own.size()));
  const oracle::Result second = module.Run("attention", Inputs(p), &given, &again);
  EXPECT_EQ(first.o, second.o);
  EXPECT_EQ(own.size(), again.size());
}

// Queries of a tile decide together: dealt out another way, they open other nodes. Any way is exact at θ = 0.
TEST(GivenIndexTest, TilesAreUsed) {
  const oracle::Problem p = oracle::RandomProblem({1, 1, 64, 320, 32, 32, {true, 0, 0}}, /*seed=*/7);
  AttentionModule some(AttentionText(p, Config(0.02)), Form::kFused), all(AttentionText(p, Config(0)), Form::kFused);
  AttentionModule neighbours(AttentionText(p, Config(0.02) + ", queryOrder = position"), Form::kFused);
  GivenIndex given;
  for (int64_t t = 0; t < 4; ++t)
    for (int64_t n = 0; n < 16; ++n) given.tiles[{0, 256}].resize(4), given.tiles[{0, 256}][t].push_back(256 + 16 * t + n);
  const oracle::Result byPosition = neighbours.Run("attention", Inputs(p));
  EXPECT_NE(some.Run("attention", Inputs(p)).o, byPosition.o);
  EXPECT_EQ(some.Run("attention", Inputs(p), &given).o, byPosition.o);
  ExpectAgree(all.Run("attention", Inputs(p), &given), oracle::Attend(p), 1e-12);
}

// A given order is used: in the order of the sequence, leaves are runs of neighbours, and closed nodes mix other keys.
TEST(GivenIndexTest, SlotsAreUsed) {
  const oracle::Problem p = oracle::RandomProblem({1, 1, 64, 320, 32, 32, {true, 0, 0}}, /*seed=*/7);
  GivenIndex given;
  std::vector<int64_t> slots(64, -1);
  for (int64_t j = 4; j < 64; ++j) slots[j - 4] = j;
  given.slots[{0, {0, 64}}] = slots;
  AttentionModule some(AttentionText(p, Config(0.5)), Form::kFused), all(AttentionText(p, Config(0)), Form::kFused);
  ExpectAgree(all.Run("attention", Inputs(p), &given), oracle::Attend(p), 1e-12);
  for (int64_t u = 0; u < 4; ++u)
    for (int64_t s = 0; s < 64; ++s) given.slots[{0, {0, 256}}].push_back(u == 0 && s < 4 ? -1 : u * 64 + s);
  EXPECT_NE(some.Run("attention", Inputs(p), &given).o, some.Run("attention", Inputs(p)).o);
}

// Smaller θ reads more and errs less; at the largest, nothing is opened and the roots alone stay within a tenth on this problem.
TEST(ReferenceSplatsTest, ErrorFallsWithTheta) {
  const oracle::Problem p = oracle::RandomProblem({2, 1, 64, 704, 32, 32, {true, 0, 0}, /*scale=*/0.1}, /*seed=*/7);
  const oracle::Result exact = oracle::Attend(p);
  double last = 1;
  for (double theta : {1.0, 0.02, 0.004, 0.0005}) {
    const oracle::Result o = AttentionModule(AttentionText(p, Config(theta)), Form::kFused).Run("attention", Inputs(p));
    const double error = oracle::RelL2(std::span<const double>(o.o), std::span<const double>(exact.o));
    EXPECT_LT(error, last) << "theta " << theta;
    last = error;
  }
  EXPECT_LT(last, 0.02);
}

// A non-finite key leaves the index, is near to everyone who sees it, and changes no other row.
TEST(ReferenceSplatsTest, NonFiniteKeyIsNear) {
  oracle::Problem p = oracle::RandomProblem({2, 1, 200, 500, 32, 32, {true, 250, 0}}, /*seed=*/7);
  p.k[130 * p.D] = NAN;
  p.v[140 * p.Dv] = INFINITY;
  AttentionModule module(AttentionText(p, Config(0)), Form::kFused);
  const oracle::Result o = module.Run("attention", Inputs(p)), exact = oracle::Attend(p);
  for (int64_t row = 0; row < p.H * p.N; ++row)
    for (int64_t c = 0; c < p.Dv; ++c) {
      const double is = o.o[row * p.Dv + c], wanted = exact.o[row * p.Dv + c];
      ASSERT_EQ(std::isfinite(is), std::isfinite(wanted)) << "row " << row << " column " << c;
      if (std::isfinite(wanted)) {
        ASSERT_NEAR(is, wanted, 1e-12);
      }
    }
}

// The units of the default config: a segment of 8,192 keys and the mini-segments after it.
TEST(ReferenceSplatsTest, DefaultUnitsAreExactAtThetaZero) {
  const oracle::Problem p = oracle::RandomProblem({1, 1, 80, 8192 + 3 * 1024 + 40, 32, 16, {true, 0, 0}}, /*seed=*/7);
  AttentionModule module(AttentionText(p, "theta = 0.0 : f64"), Form::kFused);
  ExpectAgree(module.Run("attention", Inputs(p)), oracle::Attend(p), 1e-12);
}

}  // namespace
}  // namespace hsa::ir

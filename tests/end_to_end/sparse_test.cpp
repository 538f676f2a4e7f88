// Scheme routed where a token keeps a few splats of each level, compiled and run, beside the kernel of every pair of tokens in float64.
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/check_graph.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/affinity_cache.h"
#include "runtime/level_search.h"
#include "runtime/plan.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/run_problem.h"
#include "tests/oracle/routed_oracle.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

constexpr double kRelL2 = 5e-6;
const std::vector<std::string> kNative = {"native"}, kAllIsas = {"x86-64", "x86-64-v3", "x86-64-v4"};

Plan& PlanOf(const RoutedSpec& spec, const std::vector<std::string>& cpus = kNative) {
  return RoutedPlan(RoutedGraph("sparse", spec), cpus);
}

struct Ran {
  std::vector<float> o;
  RunReport report;
};

using Search = std::optional<LevelSearch>;

Ran MustRun(const Plan& plan, const RoutedProblem& p, int threads = 2, DType dtype = DType::kF32, Layout layout = Layout::kHeadsFirst,
            Search search = {}, AffinityCache* cache = nullptr) {
  const RoutedSpec& s = p.spec;
  const auto owned = [](int64_t heads, int64_t tokens, int64_t dim, const std::vector<float>& values, DType type, Layout order) {
    OwnedTensor tensor(heads, tokens, dim, type, order);
    tensor.Fill(values);
    return tensor;
  };
  const auto parameter = [&](int64_t dim, const std::vector<float>& values) {
    return owned(s.Hkv, p.splats(), dim, values, DType::kF32, Layout::kHeadsFirst);
  };
  const OwnedTensor q = owned(s.H, s.N, s.D, p.q, dtype, layout), k = owned(s.Hkv, s.M, s.D, p.k, dtype, layout),
                    v = owned(s.Hkv, s.M, s.Dv, p.v, dtype, layout), center = parameter(s.D, p.center),
                    variance = parameter(p.variance_dim(), p.variance);
  Inputs inputs{q.view(), k.view(), v.view(), {center.view(), variance.view(), {}}};
  std::optional<OwnedTensor> amplitude, factor;
  if (p.factor_rows() > 0) {
    factor.emplace(s.Hkv, p.splats() * p.factor_rows(), s.D, DType::kF32, Layout::kHeadsFirst).Fill(p.factor);
    inputs.splats.factor = factor->view();
  }
  if (s.amplitude) inputs.splats.amplitude = amplitude.emplace(parameter(1, p.amplitude)).view();
  OwnedTensor o(s.H, s.N, s.Dv, DType::kF32, layout);
  absl::StatusOr<RunReport> report =
      Run(plan, inputs, {.o = o.mutable_view()}, {.threads = threads, .search = search, .affinity_cache = cache});
  if (!report.ok()) throw std::runtime_error(report.status().ToString());
  EXPECT_TRUE(o.GapsUntouched());
  return Ran{o.Values(), *report};
}

Ran MustSearch(LevelSearch search, const RoutedProblem& p, int threads = 2) {
  return MustRun(PlanOf(p.spec), p, threads, DType::kF32, Layout::kHeadsFirst, search);
}

double ErrorOf(const std::vector<float>& o, const std::vector<double>& wanted) {
  return oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted));
}

const RoutedSpec kPlain = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {100, 16}, .weights = {1, 0.5}, .amplitude = true, .top = 8};
const RoutedSpec kCausal = {
    .H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {100, 16}, .weights = {1, 0.5}, .amplitude = true, .causal = true, .top = 8};
const RoutedSpec kOdd = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true, .top = 5};
const RoutedSpec kOddCausal = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true, .causal = true, .top = 5};
const RoutedSpec kLowRank = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .bands = 3, .rank = 3, .top = 5};
const RoutedSpec kFullCausal = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9}, .causal = true, .full = true, .top = 5};
const RoutedSpec kWide = {.D = 20, .Dv = 200, .levels = {300}, .causal = true, .top = 33};

struct Case {
  std::string name;
  RoutedSpec spec;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class SparseTest : public testing::TestWithParam<Case> {};
TEST_P(SparseTest, MatchesOracle) {
  const RoutedProblem p = oracle::RandomRouted(GetParam().spec, /*seed=*/7);
  const Ran ran = MustRun(PlanOf(p.spec), p);
  const double error = ErrorOf(ran.o, oracle::AttendRouted(p));
  RecordProperty("rel_l2", absl::StrCat(error));
  EXPECT_LE(error, kRelL2);
}
const Case kCases[] = {
    {"nothing", Of(kPlain, 0, 0)},
    {"no_query", Of(kPlain, 0, 33)},
    {"one_key", Of(kPlain, 1, 1)},  // its value, or 0 where they share no splat
    {"ragged", Of(kPlain, 33, 100)},
    {"two_packs", Of(kPlain, 70, 1100)},
    {"narrow", Of(kPlain, 64, 200, 0.1)},
    {"odd_dims", Of(kOdd, 65, 257)},
    {"threshold", Of(kPlain, 100, 300, 0.1, 0.3)},
    {"low_rank", Of(kLowRank, 65, 257)},
    {"causal_full", Of(kFullCausal, 100, 130)},
    {"causal_one_key", Of(kCausal, 1, 1)},
    {"causal_ragged", Of(kCausal, 100, 257)},  // 157 tokens before the first query
    {"causal_long", Of(kCausal, 1100, 1200)},
    {"causal_odd_dims", Of(kOddCausal, 200, 257)},
    {"causal_threshold", Of(kCausal, 300, 300, 0.1, 0.3)},
    {"causal_wide", Of(kWide, 150, 150)},  // lists of three vectors, rows of more than are kept in registers
};
INSTANTIATE_TEST_SUITE_P(Cases, SparseTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// A token that keeps as many splats as there are computes what it does without lists.
TEST(SparseTest, AllSplatsKeptIsDense) {
  for (bool causal : {false, true}) {
    RoutedSpec spec{.H = 2, .N = 80, .M = 90, .levels = {40, 7}, .causal = causal, .top = 40};
    const RoutedProblem p = oracle::RandomRouted(spec, 3);
    RoutedProblem dense = p;
    dense.spec.top = 0;
    EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(dense)), kRelL2);
  }
}

// Affinities of tokens near the center of a level are products, those of others sums of squares, in one tile; by every search.
TEST(SparseTest, IsotropicSplatsMeetNearAndFarTokens) {
  RoutedSpec spec{.H = 2, .N = 150, .M = 150, .D = 24, .Dv = 8, .levels = {150, 9}, .isotropic = true, .amplitude = true, .top = 8};
  for (double width : {1.0, 0.05}) {  // of the narrow ones, hardly any token is near
    RoutedProblem p = oracle::RandomRouted(Of(spec, 150, 150, width), 79);
    for (std::vector<float>* rows : {&p.q, &p.k, &p.center})
      for (size_t i = 0; i < rows->size(); ++i) (*rows)[i] = (*rows)[i] * (rows != &p.center && i / 24 % 3 == 0 ? 4.0f : 1.0f) + 3;
    const std::vector<double> wanted = oracle::AttendRouted(p);
    for (LevelSearch search : {LevelSearch::kBrute, LevelSearch::kDescent}) EXPECT_LE(ErrorOf(MustSearch(search, p).o, wanted), kRelL2);
  }
}

// Splats at equal distance: the lowest numbers are kept.
TEST(SparseTest, TiesGoToTheLowestSplat) {
  RoutedSpec spec{.H = 1, .N = 20, .M = 20, .D = 16, .Dv = 16, .levels = {90}, .isotropic = true, .top = 3};
  RoutedProblem p = oracle::RandomRouted(spec, 5);
  for (int64_t s = 0; s < 90; ++s) {
    for (int64_t d = 0; d < 16; ++d) p.center[s * 16 + d] = p.center[d] + static_cast<float>(s % 7 == 6);  // six of seven are one
    p.variance[s] = 16;
  }
  EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), kRelL2);
}

TEST(SparseTest, FarTokensAreFinite) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    RoutedProblem p = oracle::RandomRouted(Of(spec, 200, 200, 1e-3), 3);
    EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), 2e-3) << "a float's rounding of logarithms of -6,000";
    for (float& x : p.q) x *= 1e30f;
    for (size_t i = 0; i < p.k.size(); i += 3) p.k[i] *= 1e30f;
    for (float x : MustRun(PlanOf(spec), p).o) ASSERT_LE(std::abs(x), 6) << "values are standard normal";
  }
}

TEST(SparseTest, EveryIsa) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    const RoutedProblem p = oracle::RandomRouted(Of(spec, 130, 200), 11);
    const std::vector<double> wanted = oracle::AttendRouted(p);
    for (const std::string& cpu : kAllIsas) {
      Plan& plan = PlanOf(spec, kAllIsas);
      if (!plan.SelectVariant(cpu).ok()) continue;  // not on this processor
      EXPECT_LE(ErrorOf(MustRun(plan, p).o, wanted), kRelL2) << cpu;
    }
  }
}

TEST(SparseTest, ElementTypesAndLayouts) {
  RoutedProblem p = oracle::RandomRouted(Of(kCausal, 100, 130), 13);
  for (std::vector<float>* tensor : {&p.q, &p.k, &p.v})
    for (float& x : *tensor) x = std::round(x * 16) / 16;  // exact in f16 and bf16
  const std::vector<double> wanted = oracle::AttendRouted(p);
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16})
    for (Layout layout : {Layout::kHeadsFirst, Layout::kTokensFirst, Layout::kGaps})
      EXPECT_LE(ErrorOf(MustRun(PlanOf(kCausal), p, 2, dtype, layout).o, wanted), kRelL2);
}

// A query's bits depend on the tokens up to its own position only.
TEST(SparseTest, CausalNeverSeesTheFuture) {
  const RoutedProblem p = oracle::RandomRouted(Of(kCausal, 1100, 1100, 0.1), 17);
  const std::vector<float> before = MustRun(PlanOf(kCausal), p).o;
  for (int64_t changed : {0, 1, 64, 1023, 1099}) {
    RoutedProblem other = p;
    for (int64_t i = changed * 64; i < 1100 * 64; ++i) other.k[i] *= 0.1f, other.v[i] += 1;
    const std::vector<float> after = MustRun(PlanOf(kCausal), other).o;
    for (int64_t h = 0; h < 3; ++h)
      for (int64_t i = 0; i < changed * 64; ++i) ASSERT_EQ(before[h * 1100 * 64 + i], after[h * 1100 * 64 + i]) << "token " << i / 64;
  }
}

TEST(SparseTest, NonFiniteTokensSendNothing) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    RoutedProblem p = oracle::RandomRouted(Of(spec, 150, 150), 23);
    const float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
    p.k[0] = kNaN, p.k[70 * 64 + 3] = kInfinity, p.v[71 * 64] = kNaN, p.v[149 * 64 + 63] = -kInfinity;
    p.q[(150 + 20) * 64 + 5] = kNaN, p.q[33 * 64] = kInfinity;
    const std::vector<double> wanted = oracle::AttendRouted(p);
    const Ran ran = MustRun(PlanOf(spec), p);
    std::vector<float> is;
    std::vector<double> finite;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (const size_t row = i / 64; row == 33 || row == 170) {
        EXPECT_TRUE(std::isnan(ran.o[i])) << "row " << row;
        continue;
      }
      is.push_back(ran.o[i]), finite.push_back(wanted[i]);
    }
    EXPECT_LE(ErrorOf(is, finite), kRelL2);
    EXPECT_THAT(ran.report.warnings, testing::ElementsAre("4 tokens with a key or value that is not finite sent nothing"));
  }
}

TEST(SparseTest, ThreadsChangeNoBit) {
  for (const RoutedSpec& spec : {Of(kPlain, 40, 40000), Of(kCausal, 5000, 5000)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 29);
    EXPECT_EQ(MustRun(PlanOf(spec), p, 1).o, MustRun(PlanOf(spec), p, 2).o);
  }
}

// A random problem whose tokens and splats are moved to the corners of a box in four dimensions, one after the other: 16 groups far apart.
RoutedProblem InGroups(const RoutedSpec& spec, uint64_t seed) {
  RoutedProblem p = oracle::RandomRouted(spec, seed);
  for (std::vector<float>* rows : {&p.q, &p.k, &p.center})
    for (size_t i = 0; i < rows->size() / spec.D; ++i)
      for (size_t d = 0; d < 4; ++d) (*rows)[i * spec.D + d] += static_cast<float>(40 >> d) * (i >> d & 1 ? 1.0f : -1.0f);
  return p;
}

// Splats in groups of 128: each is two nodes of the tree, so looking into a few nodes finds what looking at every splat does.
TEST(SparseTest, DescentFindsWhatIsInANode) {
  for (bool causal : {false, true}) {
    const RoutedSpec spec{.H = 2, .N = 40, .M = 60, .D = 16, .Dv = 8, .levels = {2048, 5}, .causal = causal, .top = 6};
    const RoutedProblem p = InGroups(spec, 43);
    const Ran ran = MustRun(PlanOf(spec), p);
    EXPECT_LE(ErrorOf(ran.o, oracle::AttendRouted(p)), kRelL2);
    EXPECT_THAT(ran.report.mode, testing::EndsWith("looked at 421 (6 of 32 nodes of level 0 'token'), recall 100 %, of the mass 100 %"));
  }
}

// The numbers in "recall 93.2 %, of the mass 97.1 %".
std::pair<double, double> RecallOf(const RunReport& report) {
  double recall = 0, mass = 0;
  const size_t at = report.mode.find("recall ");
  if (at != std::string::npos) std::sscanf(report.mode.c_str() + at, "recall %lf %%, of the mass %lf", &recall, &mass);
  return {recall, mass};
}

// One cloud is the hardest case for a tree. What is lost is told; more nodes lose less; what is found instead is never nearer.
TEST(SparseTest, RecallIsTold) {
  double before = 0;
  for (int64_t top : {1, 4, 8}) {
    const RoutedSpec spec{.N = 300, .M = 300, .D = 32, .Dv = 8, .levels = {1536}, .top = top};
    const Ran ran = MustRun(PlanOf(spec), oracle::RandomRouted(spec, 47));
    const auto [recall, mass] = RecallOf(ran.report);
    EXPECT_GT(recall, before);
    EXPECT_GE(mass, recall);
    EXPECT_LT(mass, 100);
    before = recall;
  }
  EXPECT_GT(before, 60);  // 8 of 24 nodes
}

TEST(SparseTest, DescentKeepsItsBits) {
  RoutedSpec spec = kCausal;
  spec.levels = {1600, 16}, spec.N = spec.M = 2100;
  const RoutedProblem p = oracle::RandomRouted(spec, 53);
  const std::vector<float> before = MustRun(PlanOf(spec), p, 1).o;
  EXPECT_EQ(before, MustRun(PlanOf(spec), p, 2).o);
  RoutedProblem other = p;
  for (int64_t i = 1500 * 64; i < 2100 * 64; ++i) other.k[i] *= 0.1f;
  const std::vector<float> after = MustRun(PlanOf(spec), other).o;
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 1500 * 64, after.begin())) << "tokens before the change";
}

TEST(SparseTest, SearchesLeaveOutTokensThatAreNotFinite) {
  const RoutedSpec spec{.N = 90, .M = 90, .D = 16, .Dv = 8, .levels = {1030}, .top = 6};
  RoutedProblem p = oracle::RandomRouted(spec, 59);
  p.k[5 * 16] = std::numeric_limits<float>::infinity(), p.q[7 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  for (LevelSearch search : {LevelSearch::kDescent, LevelSearch::kHnsw}) {
    const Ran ran = MustSearch(search, p);
    for (size_t i = 0; i < ran.o.size(); ++i) EXPECT_EQ(std::isfinite(ran.o[i]), i / 8 != 7) << "row " << i / 8;
  }
}

// Levels of one node and of two, into all of which a descent looks, and a graph that names what is in them.
TEST(SparseTest, SearchAsAskedFor) {
  for (const RoutedSpec& spec : {Of(kPlain, 70, 300), Of(kOddCausal, 257, 257)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 61);
    const std::vector<double> wanted = oracle::AttendRouted(p);
    for (LevelSearch search : {LevelSearch::kBrute, LevelSearch::kDescent, LevelSearch::kHnsw}) {
      const Ran ran = MustSearch(search, p);
      EXPECT_THAT(ran.report.search.levels, testing::Each(std::string(LevelSearchName(search))));
      EXPECT_EQ(ran.report.search.levels.size(), spec.levels.size());
      EXPECT_EQ(ran.report.search.recall, 1) << LevelSearchName(search);
      EXPECT_LE(ErrorOf(ran.o, wanted), kRelL2) << LevelSearchName(search);
    }
  }
}

TEST(SparseTest, SearchesGoByTheNumberOfSplats) {
  const RoutedSpec spec{.N = 20, .M = 20, .D = 16, .Dv = 8, .levels = {3000, 20}, .top = 2};
  EXPECT_THAT(MustRun(PlanOf(spec), oracle::RandomRouted(spec, 67)).report.search.levels, testing::ElementsAre("descent", "brute"));
}

// Splats of diagonal covariances and amplitudes of their own, in one cloud of 12 dimensions and in groups. What is found is never nearer than the nearest, and
// recall keeps above a floor 4 points below the least of 40 rounds when it was set.
TEST(SparseTest, RecallHasAFloor) {
  constexpr uint64_t kSeed = 20261127;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 2; ++round) {
    const RoutedSpec spec{.N = 1, .M = 256, .D = 12, .Dv = 8, .levels = {2000}, .amplitude = true, .top = 8};
    const RoutedProblem cloud = oracle::RandomRouted(spec, random()), groups = InGroups(spec, random());
    const struct {
      const RoutedProblem& problem;
      LevelSearch search;
      double floor;
    } kFloors[] = {{cloud, LevelSearch::kDescent, 0.28},
                   {cloud, LevelSearch::kHnsw, 0.70},
                   {groups, LevelSearch::kDescent, 0.90},
                   {groups, LevelSearch::kHnsw, 0.82}};
    for (const auto& [problem, search, floor] : kFloors) {
      const Ran ran = MustSearch(search, problem);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ", ", std::string(LevelSearchName(search))));
      EXPECT_GE(ran.report.search.recall, floor);
      EXPECT_LE(ran.report.search.recall, 1);
      EXPECT_LE(ran.report.search.mass, 1 + 1e-6);
    }
  }
}

TEST(SparseTest, GraphKeepsItsBits) {
  RoutedSpec spec = kCausal;
  spec.levels = {300, 16}, spec.N = spec.M = 1100;
  const RoutedProblem p = oracle::RandomRouted(spec, 71);
  EXPECT_EQ(MustSearch(LevelSearch::kHnsw, p, 1).o, MustSearch(LevelSearch::kHnsw, p, 2).o);
}

Ran MustRunCached(const RoutedProblem& p, AffinityCache& cache) {
  return MustRun(PlanOf(p.spec), p, 1, DType::kF32, Layout::kHeadsFirst, {}, &cache);
}

// Three times the same 1,024 tokens: what they find is looked for once, whatever comes between, and outputs keep their bits.
TEST(AffinityCacheTest, SegmentsThatComeAgainAreReused) {
  for (const RoutedSpec& spec : {Of(kPlain, 3072, 3072, 1, 0.1), Of(kCausal, 3072, 3072, 1, 0.1)}) {
    RoutedProblem p = oracle::RandomRouted(spec, 83);
    for (std::vector<float>* rows : {&p.q, &p.k})
      for (size_t i = 0; i < rows->size(); ++i)
        if (const size_t in_head = i % (3072 * 64); in_head >= 1024 * 64) (*rows)[i] = (*rows)[i - 1024 * 64];
    AffinityCache cache(64 << 20);
    const Ran without = MustRun(PlanOf(spec), p, 1), with = MustRunCached(p, cache), again = MustRunCached(p, cache);
    EXPECT_EQ(without.report.search.segments, 6) << "three of keys, and three of queries of all heads";
    EXPECT_EQ(without.report.search.reused, 0);
    EXPECT_EQ(with.report.search.reused, 4);
    EXPECT_THAT(with.report.mode, testing::HasSubstr(", 4 of 6 segments reused"));
    EXPECT_EQ(again.report.search.reused, 6) << "by another run";
    EXPECT_EQ(without.o, with.o);
    EXPECT_EQ(without.o, again.o);

    RoutedProblem other = p;
    other.variance[70] *= 2;
    const Ran changed = MustRunCached(other, cache);
    EXPECT_EQ(changed.report.search.reused, 4) << "nothing of other splats";
    EXPECT_EQ(changed.o, MustRun(PlanOf(spec), other, 1).o);
  }
}

TEST(AffinityCacheTest, ForgetsWhatWasNotUsedForLongest) {
  constexpr int64_t kListBytes = 80;
  const auto lists = [](float score) { return FoundLists{std::vector<float>(10, score), std::vector<int32_t>(10)}; };
  AffinityCache cache(3 * kListBytes + 1);
  for (uint64_t i = 0; i < 3; ++i) cache.Put({i, 0}, lists(static_cast<float>(i)));
  EXPECT_EQ(cache.bytes(), 3 * kListBytes);
  ASSERT_NE(cache.Find({0, 0}), nullptr);
  cache.Put({3, 0}, lists(3));
  EXPECT_EQ(cache.Find({1, 0}), nullptr);
  EXPECT_EQ(cache.Find({0, 0})->score[0], 0);
  EXPECT_EQ(cache.Find({3, 0})->score[0], 3);
  cache.Put({4, 0}, {std::vector<float>(1000), {}});
  EXPECT_EQ(cache.Find({4, 0}), nullptr) << "larger than the budget";
  EXPECT_EQ(cache.bytes(), 3 * kListBytes);
}

TEST(SparseTest, SearchThatCannotBeIsRefused) {
  for (const auto& [spec, message] : {std::pair(RoutedSpec{.levels = {20}}, "--search, --affinity-cache: the graph is not sparse"),
                                      std::pair(Of(kLowRank, 20, 20), "--search is 'hnsw', but covariances are of low rank")}) {
    try {
      MustSearch(LevelSearch::kHnsw, oracle::RandomRouted(spec, 73));
      ADD_FAILURE() << "it ran, wanted " << message;
    } catch (const std::runtime_error& refused) {
      EXPECT_THAT(refused.what(), testing::HasSubstr(message));
    }
  }
}

// Any lengths, levels, shapes.
TEST(SparseTest, RandomProblems) {
  constexpr uint64_t kSeed = 20241102;
  std::mt19937_64 random(kSeed);
  const auto upTo = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1)); };
  for (int round = 0; round < 4; ++round) {
    RoutedSpec spec{.Hkv = 1 + upTo(2), .D = 1 + upTo(100), .Dv = 1 + upTo(100)};
    spec.H = spec.Hkv * (1 + upTo(2)), spec.levels.clear();
    for (int64_t level = upTo(3); level >= 0; --level)
      spec.levels.push_back(1 + upTo(150)), spec.weights.push_back(0.25 * double(1 + upTo(8)));
    spec.isotropic = upTo(1), spec.amplitude = upTo(1), spec.causal = round % 2, spec.top = 1 + upTo(30);
    spec.threshold = upTo(1) ? 0.05 : 0;
    for (int lengths = 0; lengths < 3; ++lengths) {
      const int64_t M = 1 + upTo(300), N = upTo(M);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ": H ", spec.H, ", Hkv ", spec.Hkv, ", D ", spec.D, ", Dv ", spec.Dv,
                                ", N ", N, ", M ", M, ", levels ", absl::StrJoin(spec.levels, " "), ", top ", spec.top));
      const RoutedProblem p = oracle::RandomRouted(Of(spec, N, M, 1, spec.threshold), random());
      EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), kRelL2);
    }
  }
}

}  // namespace
}  // namespace hsa::end_to_end

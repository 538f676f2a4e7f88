#include "runtime/exact.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <ostream>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "runtime/element.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TensorView View(const std::vector<float>& data, int64_t heads, int64_t tokens, int64_t dim) {
  return {reinterpret_cast<const std::byte*>(data.data()), DType::kF32, {heads, tokens, dim}, {tokens * dim, dim, 1}};
}

// A problem, its oracle's answer rounded to f32, and the views over both.
struct Answered {
  oracle::Problem problem;
  std::vector<float> o, lse;

  explicit Answered(const oracle::ProblemSpec& spec, uint64_t seed = 7) : problem(oracle::RandomProblem(spec, seed)) { Answer(); }
  void Answer() {
    const oracle::Result result = oracle::Attend(problem);
    o.assign(result.o.begin(), result.o.end());
    lse.assign(result.lse.begin(), result.lse.end());
  }
  absl::StatusOr<VerifyStats> Verify(const VerifyOptions& options) const {
    const oracle::Problem& p = problem;
    const AttentionSpec spec{p.scale, p.mask.causal, p.mask.window, p.mask.sinks};
    return hsa::Verify(spec, View(p.q, p.H, p.N, p.D), View(p.k, p.Hkv, p.M, p.D), View(p.v, p.Hkv, p.M, p.Dv), View(o, p.H, p.N, p.Dv),
                       View(lse, 1, p.H, p.N), options);
  }
  VerifyStats All() const { return *Verify({.queries = problem.N}); }
};

struct Case {
  std::string name;
  oracle::ProblemSpec spec;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class VerifyTest : public testing::TestWithParam<Case> {};
TEST_P(VerifyTest, AgreesWithTheOracle) {
  const Answered answered(GetParam().spec);
  const VerifyStats stats = answered.All();
  EXPECT_EQ(stats.n, answered.problem.N * answered.problem.H);
  EXPECT_LE(stats.max, 1e-7);
  EXPECT_LE(stats.lse_max, 2e-6);
}
const Case kCases[] = {
    // The mask and the head grouping are told twice, here and in the oracle: each case is one way to get them wrong.
    {"one_key", {.H = 1, .Hkv = 1, .N = 1, .M = 1, .D = 4, .Dv = 4}},
    {"grouped_heads", {.H = 6, .Hkv = 2, .N = 5, .M = 9, .D = 8, .Dv = 3}},
    {"causal", {.H = 2, .Hkv = 1, .N = 40, .M = 40, .D = 8, .Dv = 8, .mask = {.causal = true}}},
    {"causal_last_queries", {.H = 2, .Hkv = 1, .N = 7, .M = 300, .D = 8, .Dv = 8, .mask = {.causal = true}}},
    {"sliding_window", {.H = 1, .Hkv = 1, .N = 50, .M = 60, .D = 8, .Dv = 8, .mask = {.causal = true, .window = 8}}},
    {"window_of_one", {.H = 1, .Hkv = 1, .N = 9, .M = 9, .D = 8, .Dv = 8, .mask = {.causal = true, .window = 1}}},
    {"window_and_sinks", {.H = 1, .Hkv = 1, .N = 50, .M = 50, .D = 8, .Dv = 8, .mask = {.causal = true, .window = 8, .sinks = 4}}},
    {"sinks_beyond_the_keys", {.H = 1, .Hkv = 1, .N = 20, .M = 20, .D = 8, .Dv = 8, .mask = {.causal = true, .window = 3, .sinks = 99}}},
    {"more_queries_than_keys", {.H = 1, .Hkv = 1, .N = 9, .M = 4, .D = 8, .Dv = 8, .mask = {.causal = true}}},  // the first see no key
    {"no_key", {.H = 1, .Hkv = 1, .N = 4, .M = 0, .D = 8, .Dv = 8}},
    {"no_query", {.H = 1, .Hkv = 1, .N = 0, .M = 4, .D = 8, .Dv = 8}},
    {"many_blocks_of_keys", {.H = 3, .Hkv = 1, .N = 3, .M = 1000, .D = 16, .Dv = 16}},
    {"scale", {.H = 1, .Hkv = 1, .N = 3, .M = 30, .D = 8, .Dv = 8, .mask = {}, .scale = 5}},
};
INSTANTIATE_TEST_SUITE_P(Cases, VerifyTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST(VerifyTest, MeasuresEachRow) {
  Answered answered({.H = 2, .Hkv = 1, .N = 10, .M = 10, .D = 4, .Dv = 4});
  // Head 1, query 3: 10 % too large. Its relative L2 is 0.1.
  for (int d = 0; d < 4; ++d) answered.o[(1 * 10 + 3) * 4 + d] *= 1.1f;
  answered.lse[1 * 10 + 4] += 0.25f;
  const VerifyStats stats = answered.All();
  EXPECT_NEAR(stats.max, 0.1, 1e-6);
  EXPECT_NEAR(stats.lse_max, 0.25, 1e-6);
  EXPECT_LE(stats.p95, 1e-7);  // 19 of 20 rows are right
  EXPECT_NEAR(stats.rows[3 * 2 + 1].rel_l2, 0.1, 1e-6);
  EXPECT_EQ(stats.rows[3 * 2 + 1].head, 1);
  EXPECT_EQ(stats.rows[3 * 2 + 1].query, 3);
}

TEST(VerifyTest, QuantilesAreNearestRank) {
  Answered answered({.H = 1, .Hkv = 1, .N = 10, .M = 1, .D = 1, .Dv = 1});
  for (int i = 0; i < 10; ++i) answered.o[i] *= 1 + 0.125f * static_cast<float>(i);
  const VerifyStats stats = answered.All();
  EXPECT_NEAR(stats.median, 0.125 * 4, 1e-6);
  EXPECT_NEAR(stats.p90, 0.125 * 8, 1e-6);
  EXPECT_NEAR(stats.p95, 0.125 * 9, 1e-6);
}

struct NonFinite {
  std::string name;
  float key;     // put in key 2
  float output;  // put in the rows that see it
  double error;  // of those rows
};
std::ostream& operator<<(std::ostream& out, const NonFinite& c) { return out << c.name; }
class NonFiniteTest : public testing::TestWithParam<NonFinite> {};
TEST_P(NonFiniteTest, ReachesTheRowsThatSeeIt) {
  Answered answered({.H = 1, .Hkv = 1, .N = 6, .M = 6, .D = 4, .Dv = 4, .mask = {.causal = true}});
  answered.problem.k[2 * 4 + 1] = GetParam().key;
  for (int i = 2; i < 6; ++i) {
    answered.o[i * 4] = GetParam().output;
    answered.lse[i] = GetParam().output;
  }
  const VerifyStats stats = answered.All();
  for (int i = 0; i < 6; ++i) {
    if (i < 2) {
      EXPECT_LE(stats.rows[i].rel_l2, 1e-7);
    } else {
      EXPECT_EQ(stats.rows[i].rel_l2, GetParam().error);
      EXPECT_EQ(stats.rows[i].lse_error, GetParam().error);
    }
  }
}
const NonFinite kNonFinite[] = {
    {"nan_for_nan", kNaN, kNaN, 0},        {"inf_for_nan", kNaN, kInf, 0},
    {"nan_for_minus_inf", -kInf, kNaN, 0},  // its weight would be e^-inf: it still makes the row non-finite
    {"finite_for_nan", kNaN, 1, kInf},     {"finite_for_minus_inf", -kInf, 1, kInf},
};
INSTANTIATE_TEST_SUITE_P(Cases, NonFiniteTest, testing::ValuesIn(kNonFinite), [](const auto& info) { return info.param.name; });

TEST(VerifyTest, NonFiniteOutputOfAFiniteRowIsInfinitelyWrong) {
  Answered answered({.H = 1, .Hkv = 1, .N = 3, .M = 3, .D = 4, .Dv = 4});
  answered.o[5] = kNaN;
  answered.lse[0] = kNaN;
  const VerifyStats stats = answered.All();
  EXPECT_EQ(stats.max, kInf);
  EXPECT_EQ(stats.lse_max, kInf);
  EXPECT_EQ(stats.rows[1].rel_l2, kInf);
}

TEST(VerifyTest, NonFiniteQueriesAndValues) {
  Answered answered({.H = 2, .Hkv = 1, .N = 3, .M = 3, .D = 4, .Dv = 4, .mask = {.causal = true}});
  answered.problem.q[1] = kInf;          // head 0, query 0
  answered.problem.v[2 * 4 + 3] = kNaN;  // value 2: seen by query 2 of both heads
  const VerifyStats stats = answered.All();
  for (const VerifiedRow& row : stats.rows)
    EXPECT_EQ(row.rel_l2 == kInf, row.query == 2 || (row.query == 0 && row.head == 0)) << row.head << ' ' << row.query;
}

TEST(VerifyTest, ARowOfZerosMustBeZero) {
  Answered answered({.H = 1, .Hkv = 1, .N = 2, .M = 0, .D = 4, .Dv = 4});
  answered.o[0] = 1e-30f;
  const VerifyStats stats = answered.All();
  EXPECT_EQ(stats.rows[0].rel_l2, kInf);
  EXPECT_EQ(stats.rows[1].rel_l2, 0);
}

TEST(VerifyTest, DrawsWithoutReplacementAndWithItsSeed) {
  const Answered answered({.H = 1, .Hkv = 1, .N = 100, .M = 100, .D = 2, .Dv = 2});
  auto queries = [&](uint64_t seed) {
    std::vector<int64_t> drawn;
    const VerifyStats stats = *answered.Verify({.queries = 10, .seed = seed});
    for (const VerifiedRow& row : stats.rows) drawn.push_back(row.query);
    return drawn;
  };
  EXPECT_EQ(queries(1), queries(1));
  EXPECT_NE(queries(1), queries(2));
  EXPECT_EQ(answered.Verify({.queries = 1000})->n, 100);
}

TEST(VerifyTest, LeavesOutWhatItIsTold) {
  const Answered answered({.H = 1, .Hkv = 1, .N = 10, .M = 10, .D = 2, .Dv = 2});
  for (int64_t wanted : {3, 100}) {
    const VerifyOptions options{.queries = wanted, .exclude = {0, 1, 4, 6}};
    const auto stats = answered.Verify(options);
    ASSERT_TRUE(stats.ok()) << stats.status();
    std::set<int64_t> drawn;
    for (const VerifiedRow& row : stats->rows) drawn.insert(row.query);
    for (int64_t query : options.exclude) EXPECT_FALSE(drawn.contains(query)) << query;
    EXPECT_EQ(drawn.size(), std::min<int64_t>(wanted, 6));
    EXPECT_LT(*drawn.rbegin(), 10);
  }
}

TEST(VerifyTest, CanBeCancelled) {
  const Answered answered({.H = 1, .Hkv = 1, .N = 20, .M = 20, .D = 2, .Dv = 2});
  EXPECT_EQ(answered.Verify({.queries = 20, .progress = [](double) { return false; }}).status().code(), absl::StatusCode::kCancelled);
  double last = 0;
  ASSERT_TRUE(answered.Verify({.queries = 20, .progress = [&](double done) { return (last = done) <= 1; }}).ok());
  EXPECT_EQ(last, 1);
}

TEST(VerifyTest, ShapesThatDisagreeAreNamed) {
  const std::vector<float> data(1000);
  const TensorView q = View(data, 3, 4, 8), k = View(data, 2, 4, 8), v = View(data, 2, 4, 8);
  const auto heads = Verify({}, q, k, v, View(data, 3, 4, 8), {}, {});
  EXPECT_EQ(heads.status(), absl::InvalidArgumentError("verify: query has shape [3,4,8], wanted a multiple of the key's 2 heads"));
  const auto output = Verify({}, q, View(data, 1, 4, 8), View(data, 1, 4, 5), View(data, 3, 4, 8), {}, {});
  EXPECT_EQ(output.status(), absl::InvalidArgumentError("verify: o has shape [3,4,8], wanted [3,4,5]"));
}

TEST(SampleTest, EveryPositionIsDrawnEquallyOften) {
  std::vector<int> drawn(20);
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const std::vector<int64_t> sample = SampleWithoutReplacement(20, 5, seed);
    EXPECT_EQ(std::set<int64_t>(sample.begin(), sample.end()).size(), 5u);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
    for (int64_t position : sample) ++drawn.at(static_cast<std::size_t>(position));
  }
  for (int count : drawn) EXPECT_NEAR(count, 1000, 5 * std::sqrt(4000 * 0.25 * 0.75));  // five standard deviations
}

TEST(ElementTest, DecodesEveryHalf) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half), wanted = static_cast<float>(std::bit_cast<_Float16>(half));
    EXPECT_TRUE(value == wanted || (std::isnan(value) && std::isnan(wanted))) << bits;
  }
  const uint16_t bf16 = 0xc040;
  EXPECT_EQ(LoadElement(reinterpret_cast<const std::byte*>(&bf16), DType::kBF16), -3.0f);
}

}  // namespace
}  // namespace hsa

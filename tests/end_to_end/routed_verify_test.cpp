// --verify of scheme routed: its float64 is that of the oracle, which shares no code with it, and it finds a row that is wrong.
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/exact_routed.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/end_to_end/run_problem.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

struct Case {
  std::string name;
  RoutedSpec spec;
};

// N queries at the end of M keys, in each of the scheme's parts.
const Case kCases[] = {
    {"amplitude_weights", {.H = 3, .Hkv = 1, .N = 40, .M = 90, .levels = {12, 4}, .weights = {1, 0.5}, .amplitude = true}},
    {"flow_gate", {.H = 4, .Hkv = 2, .N = 33, .M = 70, .D = 20, .Dv = 12, .levels = {9, 5, 1}, .link = true, .gate = true}},
    {"causal_flow_gate",
     {.H = 2,
      .Hkv = 2,
      .N = 70,
      .M = 150,
      .D = 20,
      .Dv = 12,
      .levels = {9, 5},
      .isotropic = true,
      .link = true,
      .gate = true,
      .causal = true}},
    {"causal_sparse",
     {.H = 2, .Hkv = 1, .N = 80, .M = 80, .levels = {40, 9}, .amplitude = true, .causal = true, .top = 3, .threshold = 0.3}},
    {"sparse", {.H = 1, .Hkv = 1, .N = 30, .M = 80, .levels = {40, 9}, .weights = {2, 1}, .top = 5, .width = 0.05}},
    {"causal_sparse_flow_gate",
     {.H = 2, .Hkv = 2, .N = 60, .M = 80, .D = 20, .Dv = 12, .levels = {30, 5}, .link = true, .gate = true, .causal = true, .top = 4}},
    {"bands", {.N = 30, .M = 60, .D = 36, .levels = {9}, .bands = 8}},
    {"low_rank", {.N = 30, .M = 60, .D = 36, .levels = {9, 3}, .causal = true, .bands = 3, .rank = 5}},
    {"fewer_values", {.N = 30, .M = 60, .D = 36, .Dv = 48, .levels = {64, 9}, .value_dims = {48, 16}, .gate = true, .causal = true}},
    {"fewer_values_links",
     {.N = 30, .M = 60, .D = 36, .Dv = 48, .levels = {64, 64, 4}, .value_dims = {48, 32, 16}, .link = true, .causal = true}},
    {"fewer_values_sparse_links",
     {.N = 30, .M = 60, .D = 36, .Dv = 48, .levels = {20, 9, 4}, .value_dims = {48, 16, 16}, .link = true, .top = 3}},
    {"full", {.N = 30, .M = 60, .D = 36, .levels = {9, 3}, .link = true, .full = true}},
};

absl::StatusOr<VerifyStats> VerifyStream(const RoutedProblem& p, const std::vector<float>& o, const VerifyOptions& options,
                                         const RunOptions& run = {}) {
  const RoutedSpec& s = p.spec;
  OwnedTensor output(s.H, s.N, s.Dv, DType::kF32, Layout::kHeadsFirst);
  output.Fill(o);
  return VerifyRouted(StreamPlan(s).graph(), StreamInputs(p).inputs(), run, output.view(), options);
}

std::vector<float> Floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

class RoutedVerifyTest : public testing::TestWithParam<Case> {};
TEST_P(RoutedVerifyTest, AgreesWithTheOracle) {
  RoutedProblem p = oracle::RandomRouted(GetParam().spec, 91);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  p.k[7 * p.spec.D] = nan, p.v[20 * p.spec.Dv] = nan, p.q[5 * p.spec.D] = nan;
  const std::vector<float> o = Floats(oracle::AttendRouted(p));
  const absl::StatusOr<VerifyStats> stats = VerifyStream(p, o, {.queries = 1000});
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->n, p.spec.H * p.spec.N);
  EXPECT_LE(stats->max, 2e-7);  // what rounding the oracle's rows to f32 costs
}
INSTANTIATE_TEST_SUITE_P(Cases, RoutedVerifyTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST(RoutedVerify, FindsTheRowThatIsWrong) {
  const RoutedProblem p = oracle::RandomRouted(kCases[2].spec, 92);
  std::vector<float> o = Floats(oracle::AttendRouted(p));
  const int64_t row = 1 * p.spec.N + 33;  // of head 1
  double norm = 0;
  for (int64_t c = 0; c < p.spec.Dv; ++c) norm += std::pow(o[row * p.spec.Dv + c], 2);
  o[row * p.spec.Dv] += 0.5f;
  const absl::StatusOr<VerifyStats> stats = VerifyStream(p, o, {.queries = 1000});
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_NEAR(stats->max, 0.5 / std::sqrt(norm), 1e-6);
  EXPECT_LE(stats->p95, 2e-7);
  EXPECT_NEAR(stats->rows[33 * p.spec.H + 1].rel_l2, stats->max, 0);
}

TEST(RoutedVerify, DrawsSomeQueriesAndCanBeCancelled) {
  const RoutedProblem p = oracle::RandomRouted(kCases[3].spec, 93);
  const std::vector<float> o = Floats(oracle::AttendRouted(p));
  double last = 0;
  const auto some = VerifyStream(p, o, {.queries = 10, .seed = 3, .progress = [&](double done) { return (last = done) <= 1; }});
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->n, 20);
  EXPECT_GT(last, 0.5);
  EXPECT_EQ(VerifyStream(p, o, {.queries = 10, .progress = [](double) { return false; }}).status().code(), absl::StatusCode::kCancelled);
}

// A run that goes on behind states is compared with all tokens: theirs as the files have them.
TEST(RoutedVerify, BehindStates) {
  for (const size_t of : {size_t{2}, size_t{3}}) {
    RoutedSpec spec = kCases[of].spec;
    spec.N = spec.M = 200;
    const RoutedProblem p = oracle::RandomRouted(spec, 94);
    const TestFolder folder;
    MustStream(Piece(p, 0, 120), {.threads = 2, .save_state = folder / "s"});
    const RoutedProblem rest = Piece(p, 120, 200);
    const std::vector<float> o = RowsOf(Floats(oracle::AttendRouted(p)), spec.H, spec.Dv, 120, 200);
    const absl::StatusOr<VerifyStats> stats = VerifyStream(rest, o, {.queries = 1000}, {.load_states = {folder / "s"}});
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_LE(stats->max, 5e-6) << kCases[of].name;
    EXPECT_GT(VerifyStream(rest, o, {.queries = 1000})->max, 1e-3) << "without what came before";
  }
}

TEST(RoutedVerify, Refuses) {
  RunOptions options{.adapt = AdaptLimits()};
  EXPECT_THAT(std::string(CheckVerifiesRouted(options).message()), testing::HasSubstr("--adapt"));
  options.adapt->what = Adapt::kObserve;
  EXPECT_TRUE(CheckVerifiesRouted(options).ok());
  options.load_states = {"s.hsastate"};
  EXPECT_FALSE(CheckVerifiesRouted(options).ok());
  const RoutedProblem p = oracle::RandomRouted(kCases[0].spec, 95);
  const OwnedTensor narrow(p.spec.H, p.spec.N, 8, DType::kF32, Layout::kHeadsFirst);
  const auto stats = VerifyRouted(StreamPlan(p.spec).graph(), StreamInputs(p).inputs(), {}, narrow.view(), {.queries = 1});
  EXPECT_EQ(std::string(stats.status().message()), "verify: o has shape [3,40,8], wanted [3,40,64]");
}

}  // namespace
}  // namespace hsa::end_to_end

// Windows of a causal stream that slide by panes: what a query sees, that nothing else leaves a trace, and what does not go with them.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/exact_routed.h"
#include "runtime/format/token_window.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;
using testing::HasSubstr;

constexpr int64_t kWindow = 512;

struct Case {
  std::string name;
  RoutedSpec spec;
};

// N queries at the end of M keys.
const Case kCases[] = {
    {"plain", {.H = 2, .Hkv = 1, .N = 240, .M = 890, .D = 20, .Dv = 12, .levels = {9, 3}, .amplitude = true, .causal = true}},
    {"isotropic_gate", {.N = 300, .M = 700, .D = 16, .Dv = 8, .levels = {9, 3}, .isotropic = true, .gate = true, .causal = true}},
    {"flow", {.N = 120, .M = 833, .D = 16, .Dv = 8, .levels = {9, 3}, .link = true, .causal = true}},
    {"low_rank", {.N = 120, .M = 641, .D = 12, .Dv = 8, .levels = {7}, .causal = true, .rank = 2}},
    {"sparse", {.H = 2, .Hkv = 1, .N = 240, .M = 890, .D = 16, .Dv = 8, .levels = {12, 4}, .causal = true, .top = 3}},
    {"sparse_flow_gate", {.N = 120, .M = 833, .D = 16, .Dv = 8, .levels = {12, 4}, .link = true, .gate = true, .causal = true, .top = 3}},
};

RoutedProblem Windowed(RoutedSpec spec, uint64_t seed) {
  spec.window = kWindow;
  return oracle::RandomRouted(spec, seed);
}

double ErrorOf(const std::vector<float>& o, const std::vector<double>& wanted) {
  return oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted));
}

class RoutedWindowTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, RoutedWindowTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(RoutedWindowTest, AgreesWithTheOracle) {
  RoutedProblem p = Windowed(GetParam().spec, 31);
  p.k[(p.spec.M - 70) * p.spec.D] = std::numeric_limits<float>::quiet_NaN();  // a query's window, and more than one pane's state
  const std::vector<double> wanted = oracle::AttendRouted(p);
  const StreamRun run = MustStream(p, {.threads = 1, .window_tokens = kWindow});
  EXPECT_LE(ErrorOf(run.o, wanted), 5e-6);
  EXPECT_THAT(run.report.mode, HasSubstr(", window 513 to 576 tokens in 9 states of "));
  EXPECT_THAT(run.report.warnings, testing::ElementsAre(HasSubstr("1 tokens with a key or value that is not finite")));
  EXPECT_GT(ErrorOf(MustStream(p, {.threads = 1}).o, wanted), 1e-3) << "a run that sees all would pass as well";
  EXPECT_EQ(MustStream(p, {.threads = 3, .window_tokens = kWindow}).o, run.o);
  // --verify says the same, of the formula.
  OwnedTensor output(p.spec.H, p.spec.N, p.spec.Dv, DType::kF32, Layout::kHeadsFirst);
  output.Fill(run.o);
  const auto verified = [&](std::optional<int64_t> window) {
    return VerifyRouted(StreamPlan(p.spec).graph(), StreamInputs(p).inputs(), {.window_tokens = window}, output.view(), {.queries = 64});
  };
  ASSERT_TRUE(verified(kWindow).ok()) << verified(kWindow).status();
  EXPECT_LE(verified(kWindow)->max, 5e-6);
  EXPECT_GT(verified(std::nullopt)->max, 1e-3);
}

// Rows are those of a run that begins later, or ends earlier: nothing but what is seen counts, to the last bit where the first pane is the same.
TEST_P(RoutedWindowTest, WhatIsForgottenLeavesNoTrace) {
  RoutedSpec spec = GetParam().spec;
  spec.N = spec.M = 1200;
  const RoutedProblem p = Windowed(spec, 32);
  RoutedProblem other = p;
  for (int64_t i = 0; i < 128 * spec.D; ++i) other.k[i] *= 3;
  for (int64_t i = 0; i < 128 * spec.Dv; ++i) other.v[i] = 1e9f;
  const int64_t begin = 128 + kWindow;  // whose queries see token 128 first
  const RunOptions options{.threads = 2, .window_tokens = kWindow};
  const std::vector<float> o = MustStream(p, options).o, with = MustStream(other, options).o;
  EXPECT_EQ(RowsOf(o, spec.H, spec.Dv, begin, spec.M), RowsOf(with, spec.H, spec.Dv, begin, spec.M));
  EXPECT_NE(RowsOf(o, spec.H, spec.Dv, begin - 1, begin), RowsOf(with, spec.H, spec.Dv, begin - 1, begin));
  RoutedProblem tail = p;  // the last 90 queries alone
  tail.spec.N = 90;
  tail.q = RowsOf(p.q, spec.H, spec.D, spec.M - 90, spec.M);
  const std::vector<float> late = MustStream(tail, options).o, wanted = RowsOf(o, spec.H, spec.Dv, spec.M - 90, spec.M);
  EXPECT_LE(ErrorOf(late, {wanted.begin(), wanted.end()}), 2e-6);
}

TEST(RoutedWindow, LengthsAboutPanes) {
  for (const int64_t tokens : {0, 1, 63, 64, 511, 512, 513, 576, 577}) {
    RoutedSpec spec{.N = std::min<int64_t>(tokens, 70), .M = tokens, .D = 8, .Dv = 4, .levels = {5}, .causal = true};
    for (spec.top = 0; spec.top <= 2; spec.top += 2) {
      const RoutedProblem p = Windowed(spec, 33);
      const StreamRun run = MustStream(p, {.threads = 2, .window_tokens = kWindow});
      EXPECT_LE(ErrorOf(run.o, oracle::AttendRouted(p)), 5e-6) << tokens << " tokens, top " << spec.top;
    }
  }
}

TEST(RoutedWindow, OfThePlanOrTheRun) {
  const RoutedProblem p = Windowed(kCases[0].spec, 34);
  frontend::Graph graph = StreamGraph(p.spec);
  graph.mutable_nodes(0)->mutable_routed()->set_window(kWindow);
  const Plan& plan = RoutedPlan(graph);
  EXPECT_EQ(TryStream(plan, p, {.threads = 1})->o, MustStream(p, {.threads = 1, .window_tokens = kWindow}).o);
  EXPECT_EQ(TryStream(plan, p, {.threads = 1, .window_tokens = 0})->o, MustStream(p, {.threads = 1}).o);
  const std::vector<float> all =
      MustStream(p, {.threads = 1}).o;  // longer than the stream: the same tokens, whose sums are rounded elsewhere
  EXPECT_LE(ErrorOf(TryStream(plan, p, {.threads = 1, .window_tokens = 1024})->o, {all.begin(), all.end()}), 2e-6);
}

// Panes are held beside the state, and counted.
TEST(RoutedWindow, CountsItsMemory) {
  const RoutedProblem p = Windowed(kCases[0].spec, 35);
  const auto least = [&](std::optional<int64_t> window) {
    const absl::Status refused = TryStream(p, {.threads = 1, .memory_budget_bytes = 1, .window_tokens = window}).status();
    const std::string text(refused.message());
    return std::stoll(text.substr(text.rfind(' ')));
  };
  const int64_t state = (16 + 16 + 3) * 4 * 64;  // 64 splats: dims of values, lanes of sums, and three numbers
  EXPECT_EQ(least(kWindow) - least(std::nullopt), 9 * state);
}

TEST(RoutedWindow, Refuses) {
  RoutedSpec spec = kCases[0].spec;
  const auto message = [&](RunOptions options) {
    if (!options.window_tokens) options.window_tokens = kWindow;
    return std::string(TryStream(oracle::RandomRouted(spec, 36), options).status().message());
  };
  EXPECT_THAT(message({.window_tokens = 100}), HasSubstr("window is 100, wanted a multiple of 512"));
  EXPECT_THAT(message({.adapt = AdaptLimits()}), HasSubstr("leave window or adapt out"));
  EXPECT_THAT(message({.token_error = 0.1}), HasSubstr("--token-error"));
  EXPECT_THAT(message({.save_state = "s.hsastate"}), HasSubstr("give --window 0"));
  EXPECT_THAT(message({.load_states = {"s.hsastate"}}), HasSubstr("give --window 0"));
  spec.top = 3, spec.threshold = 0.5;
  EXPECT_THAT(message({}), HasSubstr("sparse { threshold }"));
  spec = kCases[0].spec, spec.causal = false;
  EXPECT_THAT(message({}), HasSubstr("the graph is not causal"));
}

}  // namespace
}  // namespace hsa::end_to_end

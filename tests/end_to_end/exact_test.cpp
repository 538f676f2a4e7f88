// Exact attention, compiled and run, beside the oracle.
#include <ostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/exact_case.h"
#include "tests/end_to_end/float64.h"

namespace hsa::end_to_end {
namespace {

constexpr double kRelL2 = 5e-6, kLse = 1e-4;
constexpr double kRelL2Bf16 = 3e-3;  // an output in bf16 keeps eight bits: 2^-9 at most, per element

const oracle::Mask kNone = {}, kCausal = {.causal = true};

// Each is compiled once; lengths and element types vary below.
const GraphSpec kCausal64 = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .mask = kCausal, .cpus = {"x86-64", "x86-64-v3", "x86-64-v4"}};
const GraphSpec kNone32 = {.H = 2, .Hkv = 2, .D = 32, .Dv = 48, .mask = kNone};
const GraphSpec kSliding36 = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .mask = {.causal = true, .window = 100}};
const GraphSpec kSinks80 = {.H = 8, .Hkv = 1, .D = 80, .Dv = 80, .mask = {.causal = true, .window = 70, .sinks = 9}};
const GraphSpec kCausal128 = {.H = 2, .Hkv = 1, .D = 128, .Dv = 128, .mask = kCausal};
const GraphSpec kNone256 = {.H = 1, .Hkv = 1, .D = 256, .Dv = 256, .mask = kNone};

using Case = ExactCase;

class ExactTest : public testing::TestWithParam<Case> {};
TEST_P(ExactTest, MatchesOracle) {
  const Case& c = GetParam();
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.storage.input);
  const Attended is = Attend(PlanOf(c.graph), p, Exact(), c.storage);
  ExpectClose(is, Attend64(p), c.storage.output == DType::kF32 ? kRelL2 : kRelL2Bf16, kLse);
}
const Case kCases[] = {
    // name                  graph        N     M
    {"nothing", kCausal64, 0, 0},
    {"no_query", kCausal64, 0, 33},
    {"one_key", kCausal64, 1, 1},       // softmax of a single score is exactly 1
    {"one_query", kCausal64, 1, 1025},  // decoding
    {"less_than_a_panel", kCausal64, 5, 5},
    {"ragged_tiles", kCausal64, 33, 100},  // multiples of no tile
    {"tile_and_a_bit", kCausal64, 100, 257},
    {"window_and_one", kCausal64, 1025, 1025},
    {"three_windows", kCausal64, 2500, 2500},
    {"none_one_key", kNone32, 1, 1},
    {"none_no_query", kNone32, 0, 5},
    {"none_ragged", kNone32, 33, 257},
    {"none_all", kNone32, 257, 257},  // every query sees keys behind it
    {"none_few_of_many", kNone32, 5, 2500},
    {"none_long", kNone32, 1000, 1025},
    {"sliding_inside", kSliding36, 33, 33},  // the window is wider than the sequence
    {"sliding_as_wide", kSliding36, 100, 100},
    {"sliding_leaves_keys", kSliding36, 257, 1000},
    {"sliding_long", kSliding36, 2500, 2500},
    {"sinks_inside", kSinks80, 5, 5},  // fewer keys than sinks
    {"sinks_leave_a_gap", kSinks80, 100, 257},
    {"sinks_far_behind", kSinks80, 33, 2500},  // sinks and window lie in different panels
    {"sinks_long", kSinks80, 1000, 1025},
    {"wide_ragged", kCausal128, 33, 257},
    {"wide_long", kCausal128, 1000, 2500},
    {"widest_ragged", kNone256, 5, 33},
    {"widest_long", kNone256, 100, 1025},
    {"bf16_ragged", kCausal64, 33, 257, {.input = DType::kBF16}},
    {"bf16_long", kSinks80, 257, 1025, {.input = DType::kBF16}},
    {"bf16_odd_dim", kSliding36, 100, 257, {.input = DType::kBF16}},
    {"f16_ragged", kCausal64, 33, 257, {.input = DType::kF16}},
    {"f16_widest", kNone256, 33, 100, {.input = DType::kF16}},
    {"f16_odd_dim", kSliding36, 100, 257, {.input = DType::kF16}},
    {"bf16_out", kCausal64, 100, 257, {.output = DType::kBF16}},
    {"bf16_in_and_out", kNone32, 33, 100, {.input = DType::kBF16, .output = DType::kBF16}},
    {"bf16_out_odd_dim", kSliding36, 33, 100, {.output = DType::kBF16, .layout = Layout::kGaps}},
    {"tokens_first", kSinks80, 100, 257, {.layout = Layout::kTokensFirst}},
    {"tokens_first_bf16", kCausal64, 100, 257, {.input = DType::kBF16, .output = DType::kBF16, .layout = Layout::kTokensFirst}},
    {"gaps", kSliding36, 100, 257, {.layout = Layout::kGaps}},
    {"gaps_f16", kNone32, 100, 257, {.input = DType::kF16, .layout = Layout::kGaps}},
};
INSTANTIATE_TEST_SUITE_P(Cases, ExactTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// The fast form of the oracle is the oracle.
TEST(Attend64Test, IsTheOracle) {
  for (const GraphSpec& graph : {kCausal64, kNone32, kSinks80}) {
    const oracle::Problem p = RandomProblem(graph, 21, 150, /*seed=*/3);
    const oracle::Result fast = Attend64(p), plain = oracle::Attend(p);
    EXPECT_LE(oracle::RelL2(std::span<const double>(fast.o), std::span<const double>(plain.o)), 1e-13);
    for (size_t i = 0; i < plain.lse.size(); ++i) EXPECT_NEAR(fast.lse[i], plain.lse[i], 1e-12);
  }
}

class IsaTest : public testing::TestWithParam<const char*> {};
TEST_P(IsaTest, MatchesOracle) {
  if (!RunsHere(kCausal64, GetParam())) GTEST_SKIP() << "this processor has not all of " << GetParam();
  const Plan& plan = PlanOf(kCausal64, GetParam());
  EXPECT_EQ(plan.variant().name(), GetParam());
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    SCOPED_TRACE(DTypeName(dtype));
    const oracle::Problem p = Rounded(RandomProblem(kCausal64, 130, 700, /*seed=*/5), dtype);
    ExpectClose(Attend(plan, p, Exact(), {.input = dtype}), Attend64(p), kRelL2, kLse);
  }
}
INSTANTIATE_TEST_SUITE_P(Cpus, IsaTest, testing::Values("x86-64", "x86-64-v3", "x86-64-v4"), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// Any cut of the keys gives the same output, up to rounding.
TEST(SegmentTokensTest, AreFree) {
  for (const GraphSpec& graph : {kCausal64, kNone32, kSinks80}) {
    const oracle::Problem p = RandomProblem(graph, 257, 2500, /*seed=*/11);
    const Attended whole = Attend(PlanOf(graph), p, Exact(8192));
    const std::vector<double> o(whole.o.begin(), whole.o.end());
    for (int64_t segment : {64, 1000, 2500}) {
      const Attended cut = Attend(PlanOf(graph), p, Exact(segment));
      EXPECT_LE(oracle::RelL2(std::span<const float>(cut.o), std::span<const double>(o)), 1e-6) << "segments of " << segment;
    }
  }
}

// Scores far from 0: what is subtracted before exp decides whether sums overflow or vanish.
TEST(ExactTest, LargeScores) {
  oracle::Problem p = RandomProblem(kCausal64, 100, 1025, /*seed=*/13);
  for (float& q : p.q) q *= 40;  // scores of ±150: most weights underflow
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact()), Attend64(p), 1e-4, 1e-3);
  for (int64_t j = 0; j < p.M; ++j)
    for (int64_t d = 0; d < p.D; ++d) p.k[j * p.D + d] *= static_cast<float>(j) / 1024;  // the maximum keeps rising
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact()), Attend64(p), 1e-4, 1e-3);
}

// Any lengths, data and layouts of these plans.
TEST(ExactTest, RandomProblems) {
  constexpr uint64_t kSeed = 20240607;
  std::mt19937_64 random(kSeed);
  const auto upTo = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1)); };
  const GraphSpec graphs[] = {kCausal64, kNone32, kSliding36, kSinks80, kCausal128};
  for (int round = 0; round < 60; ++round) {
    const GraphSpec& graph = graphs[upTo(4)];
    const int64_t M = upTo(upTo(3) == 0 ? 1500 : 300), N = upTo(M);
    const Storage storage = {.input = static_cast<DType>(upTo(2)), .layout = static_cast<Layout>(upTo(2))};
    const int64_t segment = upTo(2) == 0 ? 0 : 16 * (1 + upTo(30));
    SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ": D ", graph.D, ", N ", N, ", M ", M, ", segments of ", segment, ", ",
                              std::string(DTypeName(storage.input)), ", layout ", static_cast<int>(storage.layout)));
    const oracle::Problem p = Rounded(RandomProblem(graph, N, M, random()), storage.input);
    ExpectClose(Attend(PlanOf(graph), p, Exact(segment), storage), Attend64(p), kRelL2, kLse);
    if (HasFailure()) return;
  }
}

// Graphs that no other test has: dims that are multiples of nothing, a scale of their own.
TEST(ExactTest, RandomGraphs) {
  constexpr uint64_t kSeed = 20240608;
  std::mt19937_64 random(kSeed);
  const auto between = [&](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
  };
  for (int round = 0; round < 4; ++round) {
    GraphSpec graph{.Hkv = between(1, 3), .D = between(1, 100), .Dv = between(1, 100), .scale = 0.05 * static_cast<double>(between(1, 6))};
    graph.H = graph.Hkv * between(1, 4);
    graph.mask.causal = between(0, 3) != 0;
    if (graph.mask.causal && between(0, 1) == 0) graph.mask.window = between(1, 300), graph.mask.sinks = between(0, 40);
    SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ": H ", graph.H, ", Hkv ", graph.Hkv, ", D ", graph.D, ", Dv ", graph.Dv,
                              ", causal ", graph.mask.causal, ", window ", graph.mask.window, ", sinks ", graph.mask.sinks));
    for (int lengths = 0; lengths < 4; ++lengths) {
      const int64_t M = between(1, 500), N = between(0, M);
      const oracle::Problem p = RandomProblem(graph, N, M, random());
      ExpectClose(Attend(PlanOf(graph), p, Exact()), Attend64(p), kRelL2, kLse);
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace hsa::end_to_end

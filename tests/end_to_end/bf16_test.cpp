// Plans compiled for products in bf16, beside float64: on AMX where this machine has it, by AVX512-BF16 where it has that, else in f32.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <ostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kernels/machine.h"
#include "kernels/peak.h"
#include "kernels/tile_permission.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/exact_case.h"
#include "tests/end_to_end/float64.h"

namespace hsa::end_to_end {
namespace {

// A weight keeps eight bits: 2^-9 at most of each, about 1.7e-3 of a row of many.
constexpr double kRelL2 = 4e-3, kLse = 1e-3;
constexpr double kRelL2F32 = 5e-6;  // without AMX

constexpr auto kBf16 = frontend::Precision::kBf16;
const oracle::Mask kNone = {}, kCausal = {.causal = true};
const GraphSpec kCausal64 = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .mask = kCausal, .precision = kBf16};
const GraphSpec kNone64 = {.H = 2, .Hkv = 2, .D = 64, .Dv = 64, .mask = kNone, .precision = kBf16};
const GraphSpec kNone32 = {.H = 2, .Hkv = 2, .D = 32, .Dv = 48, .mask = kNone, .precision = kBf16};
const GraphSpec kSliding36 = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .mask = {.causal = true, .window = 100}, .precision = kBf16};
const GraphSpec kSinks80 = {.H = 8, .Hkv = 1, .D = 80, .Dv = 80, .mask = {.causal = true, .window = 70, .sinks = 9}, .precision = kBf16};
const GraphSpec kCausal80 = {.H = 4, .Hkv = 2, .D = 80, .Dv = 80, .mask = kCausal, .precision = kBf16};
const GraphSpec kCausal128 = {.H = 2, .Hkv = 1, .D = 128, .Dv = 128, .mask = kCausal, .precision = kBf16};
const GraphSpec kNone128 = {.H = 1, .Hkv = 1, .D = 128, .Dv = 128, .mask = kNone, .precision = kBf16};
const GraphSpec kNone256 = {.H = 1, .Hkv = 1, .D = 256, .Dv = 256, .mask = kNone, .precision = kBf16};
const GraphSpec kTiles16 = {.H = 1, .Hkv = 1, .D = 64, .Dv = 64, .mask = kCausal, .units = {.tile = 16}, .precision = kBf16};

bool OnAmx() { return ThisMachine().Has("amx-bf16") && MayUseTiles(); }

struct Case {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  Storage storage = {.input = DType::kBF16};
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class Bf16Test : public testing::TestWithParam<Case> {};
TEST_P(Bf16Test, MatchesOracle) {
  const Case& c = GetParam();
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.storage.input);
  const Attended is = Attend(PlanOf(c.graph), p, Exact(), c.storage);
  const bool rounded = OnAmx() && c.storage.input != DType::kBF16;  // so scores are off by 2^-8 of what they are made of
  ExpectClose(is, Attend64(p), OnAmx() || c.storage.output == DType::kBF16 ? kRelL2 : kRelL2F32, rounded ? 4 * kLse : kLse);
}
const Case kCases[] = {
    // name               graph       N     M
    {"nothing", kCausal64, 0, 0},
    {"no_query", kCausal64, 0, 33},
    {"one_key", kCausal64, 1, 1},
    {"one_query", kCausal64, 1, 1025},  // decoding
    {"less_than_a_panel", kCausal64, 5, 5},
    {"ragged_tiles", kCausal64, 33, 100},  // multiples of no tile
    {"tile_and_a_bit", kCausal64, 100, 257},
    {"window_and_one", kCausal64, 1025, 1025},
    {"three_windows", kCausal64, 2500, 2500},  // several chunks, and half a segment
    {"tiles", kNone64, 64, 128},
    {"all", kNone64, 257, 257},
    {"few_of_many", kNone64, 5, 2500},
    {"none_ragged", kNone32, 33, 257},  // columns of values in one and a half blocks
    {"sliding_inside", kSliding36, 33, 33},
    {"sliding_leaves_keys", kSliding36, 257, 1000},
    {"sinks_leave_a_gap", kSinks80, 100, 257},
    {"sinks_far_behind", kSinks80, 33, 2500},
    {"padded_dim", kCausal80, 257, 1025},
    {"wide_ragged", kCausal128, 33, 257},
    {"wide_long", kCausal128, 1000, 2500},
    {"wide_none", kNone128, 100, 1000},
    {"widest", kNone256, 100, 1025},
    {"half_a_block_of_rows", kTiles16, 100, 257},
    {"bf16_out", kCausal64, 100, 257, {.input = DType::kBF16, .output = DType::kBF16}},
    {"tokens_first", kSinks80, 100, 257, {.input = DType::kBF16, .layout = Layout::kTokensFirst}},
    {"gaps", kSliding36, 100, 257, {.input = DType::kBF16, .layout = Layout::kGaps}},
    {"f32_in", kCausal64, 257, 1025, {.input = DType::kF32}},  // rounded to bf16 on the way: error of rounded scores on top
    {"f16_in", kNone32, 33, 257, {.input = DType::kF16}},
};
INSTANTIATE_TEST_SUITE_P(Cases, Bf16Test, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// The same code for processors that multiply pairs in vectors, whether that is fast here or not.
GraphSpec InVectors(GraphSpec graph) {
  graph.cpus = {"znver4"};
  return graph;
}
RunOptions InBf16(RunOptions options) {
  options.products = Products::kBf16;
  return options;
}

class DotTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!ThisMachine().Has("avx512bf16")) GTEST_SKIP() << "this processor has no AVX512-BF16";
  }
};
TEST_P(DotTest, MatchesOracle) {
  const Case& c = GetParam();
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.storage.input);
  const Attended is = Attend(PlanOf(InVectors(c.graph)), p, InBf16(Exact()), c.storage);
  EXPECT_EQ(is.report.variant, "avx512 (znver4) with avx512bf16");
  ExpectClose(is, Attend64(p), kRelL2, c.storage.input == DType::kBF16 ? kLse : 4 * kLse);
}
INSTANTIATE_TEST_SUITE_P(Cases, DotTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// Vectors of pairs are twice as fast as f32 on one vendor's processors and half as fast on another's; tiles are the fastest of all.
TEST(Bf16Test, TakesWhatIsFast) {
  if (!ThisMachine().Has("avx512bf16")) GTEST_SKIP() << "this processor has no AVX512-BF16";
  GraphSpec graph = kCausal64;
  graph.cpus = {"znver4", "sapphirerapids"};
  const oracle::Problem p = Rounded(RandomProblem(graph, 130, 700, /*seed=*/5), DType::kBF16);
  EXPECT_EQ(PlanOf(graph).variant().name(), OnAmx() ? "sapphirerapids" : "znver4");
  const bool faster = MeasureDotPeak().gflops > 1.25 * MeasurePeak().gflops;
  const Attended is = Attend(PlanOf(graph, "znver4"), p, Exact(), {.input = DType::kBF16});
  EXPECT_EQ(is.report.variant, faster ? "avx512 (znver4) with avx512bf16" : "avx512 (znver4)");
  EXPECT_EQ(is.report.warnings.empty(), faster);
}

TEST(Bf16Test, ReportSaysWhatRan) {
  const oracle::Problem p = RandomProblem(kCausal64, 100, 257, /*seed=*/3);
  const Attended is = Attend(PlanOf(kCausal64), p, Exact(), {.input = DType::kBF16});
  EXPECT_EQ(is.report.variant.ends_with(" with amx"), OnAmx()) << is.report.variant;
  EXPECT_EQ(is.report.warnings.empty(), OnAmx());
  if (!OnAmx()) EXPECT_TRUE(is.report.warnings[0].starts_with("attention runs in f32, the plan asks for bf16: "));
}

// The query sees one key: its row is that value, up to the error of 2^0.
TEST(Bf16Test, OneKey) {
  const oracle::Problem p = Rounded(RandomProblem(kCausal64, 1, 1, /*seed=*/7), DType::kBF16);
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact(), {.input = DType::kBF16}), Attend64(p), 1e-4, 1e-4);
}

// A plan is for any processor: code without AMX, beside code that has it.
TEST(Bf16Test, RunsWithoutAmx) {
  GraphSpec graph = kCausal64;
  graph.cpus = {"x86-64-v3", "sapphirerapids"};
  if (!RunsHere(graph, "x86-64-v3")) GTEST_SKIP() << "this processor has not all of x86-64-v3";
  const oracle::Problem p = Rounded(RandomProblem(graph, 130, 700, /*seed=*/5), DType::kBF16);
  const Attended is = Attend(PlanOf(graph, "x86-64-v3"), p, Exact(), {.input = DType::kBF16});
  ExpectClose(is, Attend64(p), kRelL2F32, kLse);
  EXPECT_EQ(is.report.variant, "avx2 (x86-64-v3)");
  EXPECT_EQ(is.report.warnings.size(), 1u);
}

// Refuses the permission to use tiles from here on.
void RefuseTiles() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1023, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {std::size(program), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) std::exit(77);
}

// Where the system refuses, f32 does the work and the report says why.
TEST(Bf16DeathTest, SystemRefusesTiles) {
  if (!ThisMachine().Has("amx-bf16")) GTEST_SKIP() << "this processor has no AMX";
  testing::FLAGS_gtest_death_test_style = "threadsafe";  // a process of its own, which has not asked yet
  EXPECT_EXIT(
      {
        RefuseTiles();
        const oracle::Problem p = Rounded(RandomProblem(kCausal64, 100, 257, /*seed=*/7), DType::kBF16);
        const Attended is = Attend(PlanOf(kCausal64), p, Exact(), {.input = DType::kBF16});
        const double error = oracle::RelL2(std::span<const float>(is.o), std::span<const double>(Attend64(p).o));
        std::cerr << is.report.variant << ", " << (is.report.warnings.empty() ? "no warning" : is.report.warnings[0]);
        std::exit(error <= kRelL2F32 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "avx512 \\(native\\), attention runs in f32, .*the system refuses the tiles of AMX");
}

// Any cut of the keys gives the same output, up to rounding.
TEST(Bf16Test, SegmentsAreFree) {
  for (const GraphSpec& graph : {kCausal64, kNone64, kSinks80, kCausal128}) {
    const oracle::Problem p = Rounded(RandomProblem(graph, 100, 2500, /*seed=*/11), DType::kBF16);
    const oracle::Result wanted = Attend64(p);
    for (int64_t segment : {64, 1000, 2500}) {
      SCOPED_TRACE(absl::StrCat("segments of ", segment));
      ExpectClose(Attend(PlanOf(graph), p, Exact(segment), {.input = DType::kBF16}), wanted, kRelL2, kLse);
    }
  }
}

// Scores far from 0, with a maximum that keeps rising: every batch rescales.
TEST(Bf16Test, LargeScores) {
  oracle::Problem p = RandomProblem(kCausal64, 100, 1025, /*seed=*/13);
  for (float& q : p.q) q *= 40;
  p = Rounded(p, DType::kBF16);
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact(), {.input = DType::kBF16}), Attend64(p), kRelL2, kLse);
  for (int64_t j = 0; j < p.M; ++j)
    for (int64_t d = 0; d < p.D; ++d) p.k[j * p.D + d] *= static_cast<float>(j) / 1024;
  p = Rounded(p, DType::kBF16);
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact(), {.input = DType::kBF16}), Attend64(p), kRelL2, kLse);
}

// The future changes no bit of a row.
TEST(Bf16Test, FutureChangesNoBit) {
  for (int64_t changed : {1, 31, 32, 1111, 1499}) {
    SCOPED_TRACE(absl::StrCat("from token ", changed));
    const oracle::Problem before = RandomProblem(kCausal64, 1500, 1500, /*seed=*/7);
    oracle::Problem after = before;
    ChangeTokens(after, changed, 1500);
    const Storage storage = {.input = DType::kBF16};
    const Attended was = Attend(PlanOf(kCausal64), before, Exact(), storage), is = Attend(PlanOf(kCausal64), after, Exact(), storage);
    EXPECT_TRUE(SameRows(before, was, after, is, 0, changed));
  }
}

// A number that is not finite reaches the rows that see it, whole, and no other.
TEST(Bf16Test, NonFinite) {
  const float kNumbers[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  for (const GraphSpec& graph : {kCausal64, kNone32, kSinks80, kCausal128}) {
    const oracle::Problem p = Rounded(RandomProblem(graph, 301, 301, /*seed=*/7), DType::kBF16);
    const oracle::Result clean = Attend64(p);
    for (int64_t position : {0, 18, 127, 300})
      for (const char* where : {"query", "key", "value"}) {
        const float number = kNumbers[position % 3];
        SCOPED_TRACE(absl::StrCat("D ", graph.D, ": ", number, " in the ", where, " at ", position));
        oracle::Problem poisoned = p;
        if (where[0] == 'q') QueryAt(poisoned, 0, position)[3] = number;
        if (where[0] == 'k') KeyAt(poisoned, 0, position)[p.D - 1] = number;
        if (where[0] == 'v') ValueAt(poisoned, 0, position)[p.Dv / 3] = number;
        const Attended is = Attend(PlanOf(graph), poisoned, Exact(), {.input = DType::kBF16});
        std::vector<float> o;
        std::vector<double> wanted;
        for (int64_t h = 0; h < p.H; ++h)
          for (int64_t i = 0; i < p.N; ++i) {
            const bool reached = where[0] == 'q' ? h == 0 && i == position : h * p.Hkv / p.H == 0 && oracle::Sees(p, i, position);
            const auto row = is.o.begin() + (h * p.N + i) * p.Dv;
            const bool finite = std::all_of(row, row + p.Dv, [](float x) { return std::isfinite(x); });
            ASSERT_NE(finite, reached) << "head " << h << " query " << i;
            if (reached) continue;
            o.insert(o.end(), row, row + p.Dv);
            const auto is_clean = clean.o.begin() + (h * p.N + i) * p.Dv;
            wanted.insert(wanted.end(), is_clean, is_clean + p.Dv);
          }
        EXPECT_LE(oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted)), kRelL2);
      }
  }
}

// Any lengths, data and layouts.
TEST(Bf16Test, RandomProblems) {
  constexpr uint64_t kSeed = 20261127;
  std::mt19937_64 random(kSeed);
  const auto upTo = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1)); };
  const GraphSpec graphs[] = {kCausal64, kNone64, kNone32, kSliding36, kSinks80, kCausal80, kCausal128, kTiles16};
  for (int round = 0; round < 60; ++round) {
    const GraphSpec& graph = graphs[upTo(7)];
    const int64_t M = upTo(upTo(3) == 0 ? 1500 : 300), N = upTo(M);
    const Storage storage = {.input = DType::kBF16, .layout = static_cast<Layout>(upTo(2))};
    const int64_t segment = upTo(2) == 0 ? 0 : 16 * (1 + upTo(30));
    SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ": D ", graph.D, ", N ", N, ", M ", M, ", segments of ", segment));
    const oracle::Problem p = Rounded(RandomProblem(graph, N, M, random()), DType::kBF16);
    ExpectClose(Attend(PlanOf(graph), p, Exact(segment), storage), Attend64(p), kRelL2, kLse);
    if (HasFailure()) return;
  }
}

// A run with a tolerance takes exact attention for longer where that is fast, and f32 where the tolerance is smaller than the error of bf16.
TEST(Bf16Test, TolerancesChooseWhatMeetsThem) {
  const oracle::Problem p = Rounded(RandomProblem(kCausal64, 8192, 8192, /*seed=*/7), DType::kBF16);
  const auto run = [&](double error) {
    return Attend(PlanOf(kCausal64), p, {.mode = Mode::kTolerance, .tolerance = {error, 0.95}, .threads = 2}, {.input = DType::kBF16})
        .report;
  };
  const RunReport wide = run(0.05), narrow = run(0.004);
  EXPECT_EQ(wide.mode.ends_with("exact, too short to gain"), OnAmx()) << wide.mode;
  EXPECT_EQ(wide.variant.ends_with(" with amx"), OnAmx()) << wide.variant;
  EXPECT_FALSE(narrow.variant.ends_with(" with amx")) << narrow.variant;
}

// Splats and what they open, in pairs too.
GraphSpec OfSmallUnits(GraphSpec graph, frontend::Precision precision = kBf16) {
  graph.units = {.segment = kSmallUnits.segment, .mini = kSmallUnits.mini, .window = kSmallUnits.window, .tile = graph.units.tile};
  graph.precision = precision;
  return graph;
}
RunOptions AtTheta(double theta) { return {.mode = Mode::kTheta, .theta = theta, .threads = 2}; }

// A plan that was compiled without a word about it: bf16 for inputs in bf16, and f32 to the bit for others.
TEST(Bf16Test, AutoGoesByTheInputs) {
  GraphSpec stored = OfSmallUnits(kCausal64), wide = stored;
  stored.precision = frontend::Precision::kStored, wide.precision = frontend::Precision::kF32;
  const oracle::Problem p = Rounded(RandomProblem(stored, 257, 1025, /*seed=*/7), DType::kBF16);
  for (const RunOptions& options : {Exact(), AtTheta(0.01)}) {
    for (const DType input : {DType::kF32, DType::kF16}) {
      const Attended is = Attend(PlanOf(stored), p, options, {.input = input});
      EXPECT_EQ(is.o, Attend(PlanOf(wide), p, options, {.input = input}).o);
      EXPECT_TRUE(is.report.warnings.empty());
    }
    const Attended is = Attend(PlanOf(stored), p, options, {.input = DType::kBF16});
    EXPECT_EQ(is.report.variant.ends_with(" with amx"), OnAmx()) << is.report.variant;
    EXPECT_TRUE(is.report.warnings.empty());
    if (OnAmx()) EXPECT_EQ(is.o, Attend(PlanOf(OfSmallUnits(kCausal64)), p, options, {.input = DType::kBF16}).o);
  }
}

class Bf16SplatsTest : public testing::TestWithParam<Case> {
 protected:
  const Case& c = GetParam();
  const GraphSpec graph = OfSmallUnits(c.graph);
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.storage.input);
  const double scores_off = OnAmx() && c.storage.input != DType::kBF16 ? 4 * kLse : kLse;
};

// Every leaf is opened: the near field and the leaves are all there is.
TEST_P(Bf16SplatsTest, OpenedWhole) {
  ExpectClose(Attend(PlanOf(graph), p, AtTheta(0), c.storage), Attend64(p), OnAmx() ? kRelL2 : kRelL2F32, scores_off);
}

// No node is opened: what is left is the nodes, which f32 computes as well.
TEST_P(Bf16SplatsTest, ClosedWhole) {
  const Attended is = Attend(PlanOf(graph), p, AtTheta(1e9), c.storage);
  const Attended f32 = Attend(PlanOf(OfSmallUnits(c.graph, frontend::Precision::kF32)), p, AtTheta(1e9), c.storage);
  ExpectClose(is, {.o = {f32.o.begin(), f32.o.end()}, .lse = {f32.lse.begin(), f32.lse.end()}}, kRelL2, scores_off);
}

// Between the two, what is lost is what f32 loses.
TEST_P(Bf16SplatsTest, OpenedInPart) {
  const oracle::Result exact = Attend64(p);
  const auto error = [&](frontend::Precision precision) {
    const Attended is = Attend(PlanOf(OfSmallUnits(c.graph, precision)), p, AtTheta(0.01), c.storage);
    return oracle::RelL2(std::span<const float>(is.o), std::span<const double>(exact.o));
  };
  EXPECT_LE(error(kBf16), 1.05 * error(frontend::Precision::kF32) + kRelL2);
}

const Case kSplatCases[] = {
    // name            graph       N     M
    {"causal", kCausal64, 1500, 1500, {.input = DType::kBF16}},
    {"few_of_many", kCausal64, 5, 1500, {.input = DType::kBF16}},
    {"none", kNone64, 257, 1300, {.input = DType::kBF16}},
    {"half_a_block_of_dims", kCausal80, 700, 1300, {.input = DType::kBF16}},
    {"ragged_values", kNone32, 300, 1025, {.input = DType::kBF16}},
    {"sliding", kSliding36, 1200, 1200, {.input = DType::kBF16}},  // leaves that are read under the mask
    {"wide", kCausal128, 600, 1100, {.input = DType::kBF16}},
    {"tiles_of_16", kTiles16, 600, 1100, {.input = DType::kBF16}},
    {"f32_in", kCausal64, 900, 1300, {.input = DType::kF32}},
    {"f16_in", kCausal64, 900, 1300, {.input = DType::kF16}},
};
INSTANTIATE_TEST_SUITE_P(Cases, Bf16SplatsTest, testing::ValuesIn(kSplatCases), [](const auto& info) { return info.param.name; });

// The two ends of it in vectors.
class DotSplatsTest : public DotTest {};
TEST_P(DotSplatsTest, OpenedAndClosedWhole) {
  const Case& c = GetParam();
  const GraphSpec graph = InVectors(OfSmallUnits(c.graph));
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.storage.input);
  const double scores_off = c.storage.input != DType::kBF16 ? 4 * kLse : kLse;
  ExpectClose(Attend(PlanOf(graph), p, InBf16(AtTheta(0)), c.storage), Attend64(p), kRelL2, scores_off);
  const Attended is = Attend(PlanOf(graph), p, InBf16(AtTheta(1e9)), c.storage);
  const Attended f32 = Attend(PlanOf(OfSmallUnits(c.graph, frontend::Precision::kF32)), p, AtTheta(1e9), c.storage);
  ExpectClose(is, {.o = {f32.o.begin(), f32.o.end()}, .lse = {f32.lse.begin(), f32.lse.end()}}, kRelL2, scores_off);
}
INSTANTIATE_TEST_SUITE_P(Cases, DotSplatsTest, testing::ValuesIn(kSplatCases), [](const auto& info) { return info.param.name; });

// Mini-segments smaller than what pairs are met in: the near field starts within.
TEST(Bf16Test, SplatsOfSmallMiniSegments) {
  GraphSpec graph = kCausal128;
  graph.units = {.segment = 512, .mini = 64, .window = 64};
  const oracle::Problem p = Rounded(RandomProblem(graph, 1000, 1666, /*seed=*/7), DType::kBF16);
  ExpectClose(Attend(PlanOf(graph), p, AtTheta(0), {.input = DType::kBF16}), Attend64(p), OnAmx() ? kRelL2 : kRelL2F32, kLse);
}

// What is not finite is kept out of the index, and reaches the rows that see it.
TEST(Bf16Test, SplatsAndNonFinite) {
  const GraphSpec graph = OfSmallUnits(kCausal64);
  oracle::Problem p = Rounded(RandomProblem(graph, 1500, 1500, /*seed=*/7), DType::kBF16);
  const Attended clean = Attend(PlanOf(graph), p, AtTheta(0.01), {.input = DType::kBF16});
  ValueAt(p, 0, 1100)[3] = std::numeric_limits<float>::infinity();
  const Attended is = Attend(PlanOf(graph), p, AtTheta(0.01), {.input = DType::kBF16});
  for (int64_t row = 0; row < p.H * p.N; ++row) ASSERT_EQ(std::isfinite(is.o[row * p.Dv + 3]), row % p.N < 1100) << "row " << row;
  EXPECT_TRUE(std::equal(is.o.begin(), is.o.begin() + 1024 * p.Dv, clean.o.begin()));
}

// Later tokens change no bit of the blocks before them: the first one is of two segments.
TEST(Bf16Test, SplatsAndTheFuture) {
  const GraphSpec graph = OfSmallUnits(kCausal64);
  const oracle::Problem before = Rounded(RandomProblem(graph, 2500, 2500, /*seed=*/7), DType::kBF16);
  oracle::Problem after = before;
  ChangeTokens(after, 2111, 2500);
  const Storage storage = {.input = DType::kBF16};
  const Attended was = Attend(PlanOf(graph), before, AtTheta(0.01), storage), is = Attend(PlanOf(graph), after, AtTheta(0.01), storage);
  EXPECT_TRUE(SameRows(before, was, after, is, 0, 2 * graph.units.segment));
}

}  // namespace
}  // namespace hsa::end_to_end

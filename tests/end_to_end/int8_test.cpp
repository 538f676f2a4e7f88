// Plans compiled for scores of 8-bit integers, beside float64 and beside what hsa.quantize means: by AVX512-VNNI where this machine has it, else in f32.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kernels/machine.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/exact_case.h"
#include "tests/end_to_end/float64.h"

namespace hsa::end_to_end {
namespace {

constexpr auto kInt8 = frontend::Precision::kInt8;
constexpr double kRelL2 = 3e-2, kLse = 3e-2;  // of random keys: a score errs by 0.01
constexpr double kCoded = 2e-3;               // beside attention over the numbers that are coded: another rounding of one in some thousands
constexpr double kRelL2F32 = 5e-6;            // without AVX512-VNNI

const oracle::Mask kNone = {}, kCausal = {.causal = true};
const GraphSpec kCausal64 = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .mask = kCausal, .precision = kInt8};
const GraphSpec kNone64 = {.H = 2, .Hkv = 2, .D = 64, .Dv = 64, .mask = kNone, .precision = kInt8};
const GraphSpec kNone32 = {.H = 2, .Hkv = 2, .D = 32, .Dv = 48, .mask = kNone, .precision = kInt8};
const GraphSpec kSliding36 = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .mask = {.causal = true, .window = 100}, .precision = kInt8};
const GraphSpec kSinks80 = {.H = 8, .Hkv = 1, .D = 80, .Dv = 80, .mask = {.causal = true, .window = 70, .sinks = 9}, .precision = kInt8};
const GraphSpec kCausal128 = {.H = 2, .Hkv = 1, .D = 128, .Dv = 128, .mask = kCausal, .precision = kInt8};
const GraphSpec kTiles16 = {.H = 1, .Hkv = 1, .D = 16, .Dv = 64, .mask = kCausal, .units = {.tile = 16}, .precision = kInt8};

constexpr int64_t kSegment = 1024;  // keys that share a first center

bool OnVnni() { return ThisMachine().Has("avx512vnni"); }

// hsa.quantize to i8, written down again: rows of one head become the numbers that are kept of them.
void Hadamard(std::vector<double>& x, int64_t first, int64_t size) {
  if (size == 1) return;
  for (int64_t i = 0; i < size / 2; ++i) {
    const double a = x[first + i], b = x[first + size / 2 + i];
    x[first + i] = a + b, x[first + size / 2 + i] = a - b;
  }
  Hadamard(x, first, size / 2);
  Hadamard(x, first + size / 2, size / 2);
}

// What is kept of a row behind its center.
std::vector<float> Kept(const float* row, int64_t dims, const std::vector<double>& center) {
  std::vector<double> x((dims + 15) / 16 * 16);
  for (int64_t d = 0; d < dims; ++d) x[d] = row[d] - center[d];
  const auto padded = static_cast<int64_t>(x.size());
  int64_t size = 16;
  while (padded % (2 * size) == 0) size *= 2;
  const auto turn = [&] {
    for (int64_t first = 0; first < padded; first += size) Hadamard(x, first, size);
  };
  turn();
  double most = 0;
  for (double value : x) most = std::max(most, std::abs(value));
  if (most > 0)
    for (double& value : x) value = std::round(value * 127 / most) * most / 127;
  turn();
  std::vector<float> kept(dims);
  for (int64_t d = 0; d < dims; ++d) kept[d] = static_cast<float>(x[d] / static_cast<double>(size));
  return kept;
}

// The same attention over the numbers that are kept. Queries meet centers, and the first 64 keys of a segment, as they are, and the rest in 8 bits: so a row is
// twice as long, first what is met as it is, then what is kept.
oracle::Problem Coded(const oracle::Problem& p, int64_t segment_tokens) {
  oracle::Problem coded = p;
  coded.D = 2 * p.D;
  coded.q.assign(2 * p.q.size(), 0), coded.k.assign(2 * p.k.size(), 0);
  for (int64_t i = 0; i < p.H * p.N; ++i) {
    const float* row = &p.q[i * p.D];
    std::copy_n(row, p.D, &coded.q[i * coded.D]);
    std::ranges::copy(Kept(row, p.D, std::vector<double>(p.D)), &coded.q[i * coded.D + p.D]);
  }
  for (int64_t head = 0; head < p.Hkv; ++head)
    for (int64_t segment = 0; segment < p.M; segment += segment_tokens) {
      std::vector<double> center(p.D);  // middle of the 64 keys before
      for (int64_t first = segment; first < std::min(segment + segment_tokens, p.M); first += 64) {
        std::vector<std::vector<double>> sums(p.D, std::vector<double>(16));
        for (int64_t j = first; j < std::min({first + 64, segment + segment_tokens, p.M}); ++j) {
          const float* row = &p.k[(head * p.M + j) * p.D];
          float* to = &coded.k[(head * p.M + j) * coded.D];
          for (int64_t d = 0; d < p.D; ++d)
            sums[d][(j - first) % 16] += row[d], to[d] = first == segment ? row[d] : static_cast<float>(center[d]);
          if (first > segment) std::ranges::copy(Kept(row, p.D, center), to + p.D);
        }
        for (int64_t d = 0; d < p.D; ++d) {
          std::ranges::sort(sums[d]);
          center[d] = std::accumulate(sums[d].begin() + 1, sums[d].end() - 1, 0.0) / 56;
        }
      }
    }
  return coded;
}

using Case = ExactCase;

class Int8Test : public testing::TestWithParam<Case> {};
TEST_P(Int8Test, MatchesOracle) {
  const Case& c = GetParam();
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.storage.input);
  const Attended is = Attend(PlanOf(c.graph), p, Exact(kSegment), c.storage);
  EXPECT_EQ(is.report.variant.ends_with(" with avx512vnni"), OnVnni()) << is.report.variant;
  ExpectClose(is, Attend64(p), OnVnni() ? kRelL2 : kRelL2F32, OnVnni() ? kLse : 1e-3);
  if (OnVnni()) ExpectClose(is, Attend64(Coded(p, kSegment)), kCoded, kCoded);
}
const Case kCases[] = {
    // name               graph       N     M
    {"nothing", kCausal64, 0, 0},
    {"one_key", kCausal64, 1, 1},
    {"one_query", kCausal64, 1, 1025},
    {"less_than_a_panel", kCausal64, 5, 5},
    {"ragged_tiles", kCausal64, 33, 100},
    {"window_and_one", kCausal64, 1025, 1025},
    {"three_windows", kCausal64, 2500, 2500},
    {"all", kNone64, 257, 257},
    {"more_than_a_batch_of_centers", kNone64, 5, 4500},
    {"several_segments", kNone64, 65, 9000},
    {"none_ragged", kNone32, 33, 257},
    {"sliding_leaves_keys", kSliding36, 257, 1000},
    {"sinks_leave_a_gap", kSinks80, 100, 257},
    {"sinks_far_behind", kSinks80, 33, 2500},
    {"wide", kCausal128, 300, 1000},
    {"one_block", kTiles16, 100, 257},
    {"bf16", kCausal64, 100, 257, {.input = DType::kBF16, .output = DType::kF32}},
    {"tokens_first", kSinks80, 100, 257, {.input = DType::kF32, .layout = Layout::kTokensFirst}},
};
INSTANTIATE_TEST_SUITE_P(Cases, Int8Test, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// Keys that are far from 0 and near each other: what a center is for.
TEST(Int8Test, KeysFarFromZero) {
  oracle::Problem p = RandomProblem(kCausal64, 100, 700, /*seed=*/3);
  for (size_t i = 0; i < p.k.size(); ++i) p.k[i] += i % 64 == 5 ? 300.0f : 20.0f;
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact()), Attend64(p), OnVnni() ? kRelL2 : 1e-4, 0.2);
}

// Any cut of the keys: centers start anew, errors stay what they are.
TEST(Int8Test, SegmentsAreFree) {
  const oracle::Problem p = RandomProblem(kCausal64, 100, 2500, /*seed=*/11);
  for (int64_t segment : {64, 1000, 2500})
    ExpectClose(Attend(PlanOf(kCausal64), p, Exact(segment)), Attend64(p), OnVnni() ? kRelL2 : kRelL2F32, kLse);
}

// A key far from all others, in a window that has passed it, spoils no later row.
TEST(Int8Test, OneKeyFarAway) {
  GraphSpec graph = kCausal64;
  graph.mask = {.causal = true, .window = 32};
  for (float factor : {1e3f, 1e6f, 1e30f}) {
    oracle::Problem p = RandomProblem(graph, 512, 512, /*seed=*/3);
    for (int64_t d = 0; d < 64; ++d) KeyAt(p, 0, 90)[d] *= factor;
    const Attended is = Attend(PlanOf(graph), p, Exact());
    const oracle::Result wanted = Attend64(p);
    const auto rows = [](const auto& all) { return std::vector<double>(all.begin() + 130 * 64, all.begin() + 256 * 64); };
    EXPECT_LE(oracle::RelL2(std::span<const float>(is.o).subspan(130 * 64, 126 * 64), std::span<const double>(rows(wanted.o))), kRelL2)
        << factor;
  }
}

TEST(Int8Test, RowsOfZeros) {
  oracle::Problem p = RandomProblem(kCausal64, 100, 300, /*seed=*/5);
  std::fill_n(p.q.begin(), 64 * 3, 0.0f);
  std::fill_n(p.k.begin(), 64 * 100, 0.0f);
  ExpectClose(Attend(PlanOf(kCausal64), p, Exact()), Attend64(p), OnVnni() ? kRelL2 : kRelL2F32, kLse);
}

// A number that is not finite reaches the rows that see it, whole, and no other.
TEST(Int8Test, NonFinite) {
  const oracle::Problem p = RandomProblem(kCausal64, 301, 301, /*seed=*/7);
  const float kNumbers[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  for (int64_t position : {0, 18, 127, 300})
    for (const char* where : {"query", "key", "value"}) {
      SCOPED_TRACE(absl::StrCat(where, " at ", position));
      oracle::Problem poisoned = p;
      const float number = kNumbers[position % 2];
      if (where[0] == 'q') QueryAt(poisoned, 0, position)[3] = number;
      if (where[0] == 'k') KeyAt(poisoned, 0, position)[63] = number;
      if (where[0] == 'v') ValueAt(poisoned, 0, position)[20] = number;
      const Attended is = Attend(PlanOf(kCausal64), poisoned, Exact());
      for (int64_t row = 0; row < p.H * p.N; ++row) {
        const bool reached = where[0] == 'q' ? row == position : row % p.N >= position;
        const auto first = is.o.begin() + row * p.Dv;
        ASSERT_NE(std::all_of(first, first + p.Dv, [](float x) { return std::isfinite(x); }), reached) << "row " << row;
      }
    }
}

// The future changes no bit of a row.
TEST(Int8Test, FutureChangesNoBit) {
  const oracle::Problem before = RandomProblem(kCausal64, 1500, 1500, /*seed=*/7);
  oracle::Problem after = before;
  ChangeTokens(after, 1111, 1500);
  const Attended was = Attend(PlanOf(kCausal64), before, Exact()), is = Attend(PlanOf(kCausal64), after, Exact());
  EXPECT_TRUE(SameRows(before, was, after, is, 0, 1111));
}

// Scores of 8 bits are for those who ask: a tolerance is held against f32, and --precision f32 is always there.
TEST(Int8Test, OnlyInExactMode) {
  const oracle::Problem p = RandomProblem(kCausal64, 100, 700, /*seed=*/9);
  RunOptions f32 = Exact(), int8 = Exact(), bf16 = Exact();
  f32.products = Products::kF32, int8.products = Products::kInt8, bf16.products = Products::kBf16;
  ExpectClose(Attend(PlanOf(kCausal64), p, f32), Attend64(p), kRelL2F32, 1e-4);
  const Attended tolerant = Attend(PlanOf(kCausal64), p, {.mode = Mode::kTolerance, .threads = 2});
  ExpectClose(tolerant, Attend64(p), kRelL2F32, 1e-4);
  EXPECT_EQ(tolerant.report.warnings.size(), 1u);
  if (OnVnni()) EXPECT_TRUE(Attend(PlanOf(kCausal64), p, int8).report.variant.ends_with("vnni"));
  EXPECT_THROW(Attend(PlanOf(kCausal64), p, bf16), std::exception);
}

}  // namespace
}  // namespace hsa::end_to_end

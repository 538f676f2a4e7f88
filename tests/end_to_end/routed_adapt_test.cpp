// Splats that adapt while a stream runs: what they may change, what it costs in error, and that a stream can be cut.
#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/format/state_file.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/oracle/attention_oracle.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

constexpr AdaptLimits kLimits = {.segment_tokens = 512, .history = 4, .memory = 0.5};
constexpr AdaptLimits kObserving = {.what = Adapt::kObserve, .segment_tokens = 512, .history = 4};

// A stream that drifts: 16 groups with centers N(0, 4²) per dimension; each moves along a direction of its own, by 1.5 a dimension over every 1,024 tokens, and its
// tokens stand N(0, 0.5²) around it. Splats are those of the groups where they begin, and two wide ones.
RoutedProblem Drifting(int64_t tokens, bool isotropic = false) {
  constexpr int64_t kGroups = 16, kDim = 32;
  RoutedSpec spec{
      .H = 2, .Hkv = 1, .D = kDim, .Dv = 16, .levels = {kGroups, 2}, .weights = {1, 0.25}, .isotropic = isotropic, .causal = true};
  spec.N = spec.M = tokens;
  RoutedProblem p = oracle::RandomRouted(spec, 71);
  std::mt19937_64 random(72);
  const auto normal = [&] {  // of 12 uniform numbers: the same in every standard library
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random() >> 11) * 0x1p-53;
    return sum;
  };
  std::vector<double> center, direction;
  for (int64_t i = 0; i < kGroups * kDim; ++i) center.push_back(4 * normal()), direction.push_back(normal());
  const auto token = [&](int64_t j, int64_t d) {
    const int64_t at = j * 7 % kGroups * kDim + d;
    return static_cast<float>(center[at] + 1.5 * direction[at] * static_cast<double>(j) / 1024 + 0.5 * normal());
  };
  for (int64_t j = 0; j < tokens; ++j)
    for (int64_t d = 0; d < kDim; ++d) p.k[j * kDim + d] = token(j, d), p.q[j * kDim + d] = token(j + 3, d);
  for (int64_t j = 0; j < tokens; ++j)
    for (int64_t d = 0; d < kDim; ++d) p.q[(tokens + j) * kDim + d] = token(j + 5, d);
  for (int64_t i = 0; i < kGroups * kDim; ++i) p.center[i] = static_cast<float>(center[i]);
  for (int64_t s = 0; s < kGroups; ++s)
    for (int64_t d = 0; d < p.variance_dim(); ++d) p.variance[s * p.variance_dim() + d] = 0.25f * kDim / 4;
  for (int64_t s = kGroups; s < kGroups + 2; ++s) {
    for (int64_t d = 0; d < kDim; ++d) p.center[s * kDim + d] = s == kGroups ? 1.0f : -1.0f;
    for (int64_t d = 0; d < p.variance_dim(); ++d) p.variance[s * p.variance_dim() + d] = 16.0f * kDim / 4;
  }
  return p;
}

StreamRun Adapting(const RoutedProblem& p, const AdaptLimits& limits = kLimits, int threads = 2) {
  return MustStream(p, {.threads = threads, .adapt = limits});
}

TEST(RoutedAdaptTest, ResidualOfADriftingStreamIsHalved) {
  const RoutedProblem p = Drifting(8192);
  const StreamRun fixed = MustStream(p, {.threads = 2, .adapt = kObserving}), adapted = Adapting(p);
  const AdaptReport &before = fixed.report.adapted[0], &after = adapted.report.adapted[0];
  RecordProperty("fixed", absl::StrCat(before.residual));
  RecordProperty("adapted", absl::StrCat(after.residual));
  EXPECT_LE(after.live, 16) << "at equal splat count";
  EXPECT_NEAR(after.spread, before.spread, 1e-3 * before.spread) << "of the same tokens";
  EXPECT_LE(2 * after.residual, before.residual);
  EXPECT_EQ(before.born + before.split + before.merged + before.died, 0);
}

// Their affinities are products about a center that adaptation would move.
TEST(RoutedAdaptTest, IsotropicSplatsAreRefused) { EXPECT_THROW(Adapting(Drifting(1500, /*isotropic=*/true)), std::exception); }

// To rounding: a chunk ends where a segment does.
TEST(RoutedAdaptTest, ObservingChangesNothing) {
  const RoutedProblem p = Drifting(1500);
  const std::vector<float> plain = MustStream(p, {.threads = 2}).o;
  const std::vector<double> wanted(plain.begin(), plain.end());
  const StreamRun observed = MustStream(p, {.threads = 2, .adapt = kObserving});
  EXPECT_LE(oracle::RelL2(std::span<const float>(observed.o), std::span<const double>(wanted)), 5e-6);
}

TEST(RoutedAdaptTest, TheFirstSegmentIsAsGiven) {
  const RoutedProblem p = Drifting(1500);
  const std::vector<float> fixed = MustStream(p, {.threads = 2}).o, adapted = Adapting(p).o;
  EXPECT_EQ(RowsOf(fixed, 2, 16, 0, 512), RowsOf(adapted, 2, 16, 0, 512));
  EXPECT_NE(RowsOf(fixed, 2, 16, 512, 1500), RowsOf(adapted, 2, 16, 512, 1500));
}

TEST(RoutedAdaptTest, NeverSeesTheFuture) {
  const RoutedProblem p = Drifting(1500);
  const std::vector<float> before = Adapting(p).o;
  for (const int64_t changed : {100, 511, 512, 1100}) {
    RoutedProblem other = p;
    for (int64_t i = changed * 32; i < 1500 * 32; ++i) other.k[i] *= -2;
    EXPECT_EQ(RowsOf(before, 2, 16, 0, changed), RowsOf(Adapting(other).o, 2, 16, 0, changed)) << "token " << changed;
  }
}

TEST(RoutedAdaptTest, ThreadsChangeNoBit) {
  const RoutedProblem p = Drifting(2100);
  EXPECT_EQ(Adapting(p, kLimits, 1).o, Adapting(p, kLimits, 2).o);
}

// Queries that are the last of the tokens see splats that have adapted to all tokens before them.
TEST(RoutedAdaptTest, TokensBeforeTheFirstQueryCount) {
  const RoutedProblem p = Drifting(1500);
  const std::vector<float> all = Adapting(p).o;
  RoutedProblem last = p;
  last.spec.N = 300, last.q = RowsOf(p.q, 2, 32, 1200, 1500);
  const std::vector<float> rows = RowsOf(all, 2, 16, 1200, 1500);
  const std::vector<double> wanted(rows.begin(), rows.end());
  EXPECT_LE(oracle::RelL2(std::span<const float>(Adapting(last).o), std::span<const double>(wanted)), 5e-6);
}

// A stream that is cut and goes on from its file, in a segment or between two, gives what it gives whole.
TEST(RoutedAdaptTest, GoesOnFromAFile) {
  const RoutedProblem p = Drifting(2200);
  const StreamRun whole = Adapting(p);
  for (const int64_t cut : {512, 1024, 1216}) {
    const TestFolder folder;
    MustStream(Piece(p, 0, cut), {.threads = 2, .save_state = folder / "s", .adapt = kLimits});
    const StreamRun rest =
        MustStream(Piece(p, cut, 2200), {.threads = 2, .load_states = {folder / "s"}, .adapt = kLimits}, SplatsFrom::kState);
    const std::vector<float> rows = RowsOf(whole.o, 2, 16, cut, 2200);
    const std::vector<double> wanted(rows.begin(), rows.end());
    EXPECT_LE(oracle::RelL2(std::span<const float>(rest.o), std::span<const double>(wanted)), 5e-6) << cut;
    for (size_t level = 0; level < 2; ++level) {
      EXPECT_EQ(rest.report.adapted[level].split, whole.report.adapted[level].split) << "the log goes on, too";
      EXPECT_EQ(rest.report.adapted[level].merged, whole.report.adapted[level].merged);
      EXPECT_NEAR(rest.report.adapted[level].residual, whole.report.adapted[level].residual, 1e-3);
    }
  }
}

// Behind a segment's end tokens receive, by the formula, from the state and through the splats that the file of that moment holds.
TEST(RoutedAdaptTest, OutputsAreThoseOfTheSplatsOfTheMoment) {
  const RoutedProblem p = Drifting(1024 + 300);
  const TestFolder folder;
  MustStream(Piece(p, 0, 1024), {.threads = 2, .save_state = folder / "s", .adapt = kLimits});
  const std::string bytes = ReadText(folder / "s");
  std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto file = std::as_bytes(std::span(aligned)).first(bytes.size());
  const absl::StatusOr<format::StateFile> state = format::CheckState(file, "s");
  ASSERT_TRUE(state.ok()) << state.status();
  const auto row = [&](const char* name, int64_t s) { return state->Find(file, name).Row(0, s); };
  const auto phi = [&](int64_t s, const float* x) {
    const float *center = row("center", s), *variance = row("variance", s);
    double square = 0;
    for (int64_t d = 0; d < 32; ++d) square += (double{x[d]} - center[d]) * (double{x[d]} - center[d]) / variance[d];
    return std::exp(-square / 2);
  };
  std::vector<double> of_keys;  // [18, 300]
  for (int64_t s = 0; s < 18; ++s)
    for (int64_t j = 1024; j < 1324; ++j) of_keys.push_back(phi(s, &p.k[j * 32]));
  std::vector<double> wanted;
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t i = 1024; i < 1324; ++i) {
      std::vector<double> o(16);
      double total = 0;
      for (int64_t s = 0; s < 18; ++s) {
        const double weight = (s < 16 ? 1 : 0.25) * phi(s, &p.q[(h * 1324 + i) * 32]), carried = std::exp2(*row("max", s));
        total += weight * carried * *row("sum", s);
        for (int64_t c = 0; c < 16; ++c) o[c] += weight * carried * row("acc", s)[c];
        for (int64_t j = 1024; j <= i; ++j) {
          const double pair = weight * of_keys[s * 300 + j - 1024];
          total += pair;
          for (int64_t c = 0; c < 16; ++c) o[c] += pair * p.v[j * 16 + c];
        }
      }
      for (const double x : o) wanted.push_back(x / total);
    }
  EXPECT_LE(oracle::RelL2(std::span<const float>(RowsOf(Adapting(p).o, 2, 16, 1024, 1324)), std::span<const double>(wanted)), 5e-6);
}

std::string MessageOf(const RoutedProblem& p, AdaptLimits limits) {
  return std::string(TryStream(p, {.threads = 1, .adapt = limits}).status().message());
}

TEST(RoutedAdaptErrorsTest, Limits) {
  const RoutedProblem p = Drifting(10);
  EXPECT_EQ(MessageOf(p, {.least_splats = 3}), "adapt: least_splats is 3, but level 1 has room for 2; keep fewer, or give the level more");
  EXPECT_EQ(MessageOf(p, {.segment_tokens = 1000}), "adapt: segment_tokens is 1000, wanted a multiple of 256, at most 1048576");
  EXPECT_EQ(MessageOf(p, {.history = 0}), "adapt: history is 0, wanted 1..1024 segments");
  EXPECT_EQ(MessageOf(p, {.memory = 1}), "adapt: memory is 1, wanted 0 or more, less than 1");
  EXPECT_EQ(MessageOf(p, {.cover = NAN}), "adapt: cover is nan, wanted more than 0, less than 10000");
  EXPECT_EQ(MessageOf(p, {.gain = 0.5}),
            "adapt: gain is 0.5, wanted 1 or more: below it a split and the merge that makes room undo each other");
  RoutedProblem plain = p;
  plain.spec.causal = false;
  EXPECT_EQ(MessageOf(plain, {}),
            "adapt: the graph is not causal, whose tokens all send before any receives; compile it with causal: true");
}

TEST(RoutedAdaptErrorsTest, States) {
  const RoutedProblem p = Drifting(600);
  const TestFolder folder;
  const std::string path = folder / "s";
  MustStream(p, {.threads = 1, .save_state = path, .adapt = kLimits});
  const auto message = [&](const RunOptions& options) { return std::string(TryStream(p, options, SplatsFrom::kState).status().message()); };
  EXPECT_EQ(message({.threads = 1, .load_states = {path}}),
            path + ": its splats have adapted, of which some may be gone; go on with --adapt");
  AdaptLimits other = kLimits;
  other.history = 5;
  EXPECT_EQ(message({.threads = 1, .load_states = {path}, .adapt = other}),
            path + ": adapted in segments of 512 tokens with a history of 4, the run has 512 and 5; go on with the same --adapt");
  EXPECT_EQ(message({.threads = 1, .load_states = {path, path}, .adapt = kLimits}),
            "--adapt goes on from one state, 2 are given; merge them first, without --adapt");
}

}  // namespace
}  // namespace hsa::end_to_end

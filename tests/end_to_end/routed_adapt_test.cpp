// Splats that adapt while a stream runs: what they may change, what it costs in error, and that a stream can be cut.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/format/plan_file.h"
#include "runtime/format/state_file.h"
#include "runtime/splat_pool.h"
#include "tests/end_to_end/routed_graph.h"
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
// What a graph of this scheme may have besides.
struct Kind {
  const char* name;
  bool isotropic = false, links = false, gate = false;
  int64_t top = 0;
  int64_t bands = 0;
  bool fewer_values = false;  // of the coarse level, and 64 fine splats in place of 16
};
constexpr Kind kPlain{"plain"};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

RoutedProblem Drifting(int64_t tokens, const Kind& kind = kPlain) {
  constexpr int64_t kGroups = 16, kDim = 32;
  RoutedSpec spec{.H = 2,
                  .Hkv = 1,
                  .D = kDim,
                  .Dv = kind.fewer_values ? 32 : 16,
                  .levels = {kind.fewer_values ? 4 * kGroups : kGroups, 2},
                  .weights = {1, 0.25},
                  .isotropic = kind.isotropic,
                  .link = kind.links,
                  .gate = kind.gate,
                  .causal = true,
                  .bands = kind.bands,
                  .top = kind.top};
  if (kind.fewer_values) spec.value_dims = {32, 16};
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
  const int64_t fine = spec.levels[0];
  for (int64_t i = 0; i < fine * kDim; ++i)
    p.center[i] = static_cast<float>(center[i % (kGroups * kDim)] + (i < kGroups * kDim ? 0 : 0.3 * normal()));
  for (int64_t s = 0; s < fine; ++s)
    for (int64_t d = 0; d < p.variance_dim(); ++d) p.variance[s * p.variance_dim() + d] = 0.25f * kDim / 4;
  for (int64_t s = fine; s < fine + 2; ++s) {
    for (int64_t d = 0; d < kDim; ++d) p.center[s * kDim + d] = s == fine ? 1.0f : -1.0f;
    for (int64_t d = 0; d < p.variance_dim(); ++d) p.variance[s * p.variance_dim() + d] = 16.0f * kDim / 4;
  }
  return p;
}

StreamRun Adapting(const RoutedProblem& p, const AdaptLimits& limits = kLimits, int threads = 2) {
  return MustStream(p, {.threads = threads, .adapt = limits});
}

class RoutedAdaptTest : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, RoutedAdaptTest,
                         testing::Values(kPlain, Kind{"isotropic", true}, Kind{"links", false, true},
                                         Kind{"links_and_gate_isotropic", true, true, true}, Kind{"sparse", false, false, false, 3},
                                         Kind{"sparse_isotropic", true, false, false, 2},
                                         Kind{"sparse_links_and_gate", false, true, true, 3}, Kind{.name = "bands", .bands = 5}),
                         [](const auto& test) { return test.param.name; });

TEST_P(RoutedAdaptTest, ResidualOfADriftingStreamIsHalved) {
  const RoutedProblem p = Drifting(8192, GetParam());
  const StreamRun fixed = MustStream(p, {.threads = 2, .adapt = kObserving}), adapted = Adapting(p);
  const AdaptReport &before = fixed.report.adapted[0], &after = adapted.report.adapted[0];
  RecordProperty("fixed", absl::StrCat(before.residual));
  RecordProperty("adapted", absl::StrCat(after.residual));
  EXPECT_LE(after.live, 16) << "at equal splat count";
  EXPECT_NEAR(after.spread, before.spread, 1e-3 * before.spread) << "of the same tokens";
  EXPECT_LE(2 * after.residual, before.residual);
  EXPECT_EQ(before.born + before.split + before.merged + before.died, 0);
}

// To rounding: a chunk ends where a segment does.
TEST_P(RoutedAdaptTest, ObservingChangesNothing) {
  const RoutedProblem p = Drifting(1500, GetParam());
  const std::vector<float> plain = MustStream(p, {.threads = 2}).o;
  const std::vector<double> wanted(plain.begin(), plain.end());
  const StreamRun observed = MustStream(p, {.threads = 2, .adapt = kObserving});
  EXPECT_LE(oracle::RelL2(std::span<const float>(observed.o), std::span<const double>(wanted)), 5e-6);
}

TEST_P(RoutedAdaptTest, TheFirstSegmentIsAsGiven) {
  const RoutedProblem p = Drifting(1500, GetParam());
  const std::vector<float> fixed = MustStream(p, {.threads = 2}).o, adapted = Adapting(p).o;
  EXPECT_EQ(RowsOf(fixed, 2, 16, 0, 512), RowsOf(adapted, 2, 16, 0, 512));
  EXPECT_NE(RowsOf(fixed, 2, 16, 512, 1500), RowsOf(adapted, 2, 16, 512, 1500));
}

TEST_P(RoutedAdaptTest, NeverSeesTheFuture) {
  const RoutedProblem p = Drifting(1500, GetParam());
  const std::vector<float> before = Adapting(p).o;
  for (const int64_t changed : {100, 511, 512, 1100}) {
    RoutedProblem other = p;
    for (int64_t i = changed * 32; i < 1500 * 32; ++i) other.k[i] *= -2;
    EXPECT_EQ(RowsOf(before, 2, 16, 0, changed), RowsOf(Adapting(other).o, 2, 16, 0, changed)) << "token " << changed;
  }
}

TEST_P(RoutedAdaptTest, ThreadsChangeNoBit) {
  const RoutedProblem p = Drifting(2100, GetParam());
  EXPECT_EQ(Adapting(p, kLimits, 1).o, Adapting(p, kLimits, 2).o);
}

// Queries that are the last of the tokens see splats that have adapted to all tokens before them.
TEST_P(RoutedAdaptTest, TokensBeforeTheFirstQueryCount) {
  const RoutedProblem p = Drifting(1500, GetParam());
  const std::vector<float> all = Adapting(p).o;
  RoutedProblem last = p;
  last.spec.N = 300, last.q = RowsOf(p.q, 2, 32, 1200, 1500);
  const std::vector<float> rows = RowsOf(all, 2, 16, 1200, 1500);
  const std::vector<double> wanted(rows.begin(), rows.end());
  EXPECT_LE(oracle::RelL2(std::span<const float>(Adapting(last).o), std::span<const double>(wanted)), 5e-6);
}

// A stream that is cut and goes on from its file, in a segment or between two, gives what it gives whole.
TEST_P(RoutedAdaptTest, GoesOnFromAFile) {
  const RoutedProblem p = Drifting(2200, GetParam());
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

// What a state file says of the splats of the moment, and attention by the formula of docs/spec.md in float64: nothing else is taken from what is tested.
class Moment {
 public:
  Moment(const RoutedProblem& p, const std::string& path, const AdaptLimits& limits = kLimits) : p_(p), splats_(p.splats()) {
    const std::string bytes = ReadText(path);
    std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    const auto file = std::as_bytes(std::span(aligned)).first(bytes.size());
    const absl::StatusOr<format::StateFile> state = format::CheckState(file, "s");
    if (!state.ok()) throw std::runtime_error(state.status().ToString());
    const auto copy = [&](const char* name, std::vector<float>& to) {
      const format::StateRows rows = state->Find(file, name);
      to.assign(rows.values.begin(), rows.values.end());
    };
    copy("center", center_), copy("variance", variance_), copy("max", max_), copy("sum", sum_);
    const format::StateValues values(*state, file);
    for (int64_t s = 0; s < splats_; ++s) {
      const std::span<const float> row = values.Row(0, s);
      std::ranges::copy(row, std::back_inserter(acc_));
      acc_.resize((s + 1) * p.spec.Dv);  // what the level does not keep is 0
    }
    const format::StateRows words = state->Find(file, "adapt");
    std::vector<double> numbers(words.dim / 2);
    std::memcpy(numbers.data(), words.values.data(), numbers.size() * sizeof(double));
    const PoolShape shape{p.spec.D, p.spec.levels, limits.history, p.variance_dim()};
    for (int64_t s = 0; s < splats_; ++s) live_.push_back(numbers[s * SplatPool::Numbers(shape) / splats_] > 0);
    flow_.assign(splats_ * splats_, 0);
    for (int64_t s = 0; s < splats_; ++s) flow_[s * splats_ + s] = 1;
    const int64_t fine = p.spec.levels[0], coarse = p.spec.levels[1];
    const double* of_levels = numbers.data() + numbers.size() - 2 * kLevelNumbers;
    if (p.spec.link) of_levels -= splats_ + 2 * fine * coarse;
    for (int level = 0; level < 2; ++level)
      factor_[level] = std::clamp(of_levels[level * kLevelNumbers + kWorth], 1 / limits.weight_bound, limits.weight_bound);
    if (!p.spec.link) return;
    // The last numbers: fine from coarse, then coarse from fine.
    const double* links = numbers.data() + numbers.size() - 2 * fine * coarse;
    for (int64_t s = 0; s < fine; ++s)
      for (int64_t t = 0; t < coarse; ++t) flow_[s * splats_ + fine + t] = links[s * coarse + t];
    for (int64_t s = 0; s < coarse; ++s)
      for (int64_t t = 0; t < fine; ++t) flow_[(fine + s) * splats_ + t] = links[fine * coarse + s * fine + t];
  }

  // φ of every splat that the token keeps, else 0.
  std::vector<double> Near(const float* x) const {
    std::vector<double> phi(splats_);
    const int64_t D = p_.spec.D, dims = p_.variance_dim();
    for (int64_t s = 0; s < splats_; ++s) {
      double square = 0;
      for (int64_t d = 0; d < D; ++d) {
        const double apart = double{x[d]} - center_[s * D + d];
        square += apart * apart / variance_[s * dims + d / ((D + dims - 1) / dims)];
      }
      if (live_[s]) phi[s] = std::exp(-square / 2);
    }
    for (int64_t level = 0, first = 0; p_.spec.top > 0 && level < 2; first += p_.spec.levels[level++]) {
      std::vector<double> sorted(phi.begin() + first, phi.begin() + first + p_.spec.levels[level]);
      std::ranges::sort(sorted, std::greater());
      const double least = sorted[std::min<size_t>(p_.spec.top, sorted.size()) - 1];
      for (int64_t s = first; s < first + p_.spec.levels[level]; ++s) phi[s] = phi[s] >= least ? phi[s] : 0;
    }
    return phi;
  }
  std::vector<double> Sent(const float* key) const {
    const std::vector<double> phi = Near(key);
    std::vector<double> psi(splats_);
    for (int64_t s = 0; s < splats_; ++s)
      for (int64_t t = 0; t < splats_; ++t) psi[s] += flow_[s * splats_ + t] * phi[t];
    return psi;
  }
  std::vector<double> Weights(const float* query) const {
    std::vector<double> weights = Near(query);
    for (int64_t s = 0; s < splats_; ++s) {
      const int64_t level = p_.level_of(s);
      double gate = p_.spec.gate ? p_.gate_bias[level] : 0;
      for (int64_t d = 0; p_.spec.gate && d < p_.spec.D; ++d) gate += double{p_.gate_weight[level * p_.spec.D + d]} * query[d];
      weights[s] *= p_.spec.weights[level] * factor_[level] * std::exp(gate);
    }
    return weights;
  }
  // Rows [begin, N) of every head.
  std::vector<double> Attend(int64_t begin) const {
    const int64_t N = p_.spec.N, D = p_.spec.D, Dv = p_.spec.Dv;
    std::vector<std::vector<double>> sent;
    for (int64_t j = begin; j < N; ++j) sent.push_back(Sent(&p_.k[j * D]));
    std::vector<double> rows;
    for (int64_t h = 0; h < p_.spec.H; ++h)
      for (int64_t i = begin; i < N; ++i) {
        const std::vector<double> weights = Weights(&p_.q[(h * N + i) * D]);
        std::vector<double> o(Dv);
        double total = 0;
        const auto add = [&](double weight, const float* value, int64_t dims) {
          for (int64_t c = 0; c < dims; ++c) o[c] += weight * value[c];
        };
        for (int64_t s = 0; s < splats_; ++s) {
          const double carried = weights[s] * std::exp2(double{max_[s]});
          total += carried * sum_[s], add(carried, &acc_[s * Dv], Dv);
        }
        for (int64_t j = begin; j <= i; ++j) {
          for (int64_t s = 0; s < splats_; ++s) {
            const double pair = weights[s] * sent[j - begin][s];
            total += pair, add(pair, &p_.v[j * Dv], p_.spec.value_dims.empty() ? Dv : p_.spec.value_dims[p_.level_of(s)]);
          }
        }
        for (const double x : o) rows.push_back(x / total);
      }
    return rows;
  }

 private:
  static constexpr int64_t kLevelNumbers = 9, kWorth = 4;  // of the numbers of a level, the fifth is what its weight is multiplied by
  const RoutedProblem& p_;
  int64_t splats_;
  double factor_[2];
  std::vector<float> center_, variance_, max_, sum_, acc_;
  std::vector<bool> live_;
  std::vector<double> flow_;  // F
};

// Behind a segment's end tokens receive, by the formula, from the state and through the splats and links that the file of that moment holds.
TEST_P(RoutedAdaptTest, OutputsAreThoseOfTheSplatsOfTheMoment) {
  const RoutedProblem p = Drifting(1024 + 300, GetParam());
  const TestFolder folder;
  MustStream(Piece(p, 0, 1024), {.threads = 2, .save_state = folder / "s", .adapt = kLimits});
  const std::vector<double> wanted = Moment(p, folder / "s").Attend(1024);
  EXPECT_LE(oracle::RelL2(std::span<const float>(RowsOf(Adapting(p).o, 2, 16, 1024, 1324)), std::span<const double>(wanted)), 5e-6);
}

// Levels that keep fewer dimensions of the values adapt as others do, dense, linked and sparse, and their state goes on from a file that has what they keep.
TEST(RoutedAdaptValuesTest, OfLevelsThatKeepFewer) {
  for (const Kind& kind :
       {Kind{.name = "dense", .fewer_values = true}, Kind{.name = "links", .links = true, .gate = true, .fewer_values = true},
        Kind{.name = "sparse", .links = true, .top = 3, .fewer_values = true},
        Kind{.name = "isotropic", .isotropic = true, .fewer_values = true}}) {
    const RoutedProblem p = Drifting(1024 + 200, kind);
    const TestFolder folder;
    const StreamRun whole = Adapting(p);
    EXPECT_GT(whole.report.adapted[0].split + whole.report.adapted[0].merged + whole.report.adapted[0].died, 0) << kind.name;
    MustStream(Piece(p, 0, 1024), {.threads = 2, .save_state = folder / "s", .adapt = kLimits});
    const std::vector<double> wanted = Moment(p, folder / "s").Attend(1024);
    const StreamRun rest =
        MustStream(Piece(p, 1024, 1224), {.threads = 2, .load_states = {folder / "s"}, .adapt = kLimits}, SplatsFrom::kState);
    EXPECT_LE(oracle::RelL2(std::span<const float>(RowsOf(whole.o, 2, 32, 1024, 1224)), std::span<const double>(wanted)), 5e-6)
        << kind.name;
    EXPECT_LE(oracle::RelL2(std::span<const float>(rest.o), std::span<const double>(wanted)), 5e-6) << kind.name;
  }
}

// Level 1 sleeps for 64 tokens of each of the 16 splats of level 0, which are two segments, then for two of them it saves less than is asked and sleeps until the
// stream is twice as long.
constexpr AdaptLimits kLevels = {.segment_tokens = 512,
                                 .history = 2,
                                 .memory = 0.5,
                                 .asleep = 1,
                                 .level_tokens = 64,
                                 .level_residual = 100,
                                 .level_gain = 0.9,
                                 .weight_bound = 4};
constexpr int64_t kWakes = 1024, kSleeps = 2048, kWakesAgain = 4096;

class RoutedLevelsTest : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, RoutedLevelsTest,
                         testing::Values(kPlain, Kind{"isotropic", true}, Kind{"links", false, true},
                                         Kind{"links_and_gate_isotropic", true, true, true},
                                         Kind{"sparse_links_and_gate", false, true, true, 3}),
                         [](const auto& test) { return test.param.name; });

TEST_P(RoutedLevelsTest, SleepAndWake) {
  const RoutedProblem p = Drifting(kWakesAgain + 300, GetParam());
  const StreamRun run = Adapting(p, kLevels);
  ASSERT_THAT(run.report.adapted, testing::SizeIs(2));
  const AdaptReport &fine = run.report.adapted[0], &coarse = run.report.adapted[1];
  EXPECT_EQ(fine.woke + fine.slept, 0);
  EXPECT_EQ(coarse.woke, 2);
  EXPECT_EQ(coarse.slept, 1);
  EXPECT_EQ(coarse.awake, 2.0 / 8) << "segments 2 and 3 of those that have ended";
  EXPECT_EQ(coarse.live, 2);
  EXPECT_GT(fine.weight_factor, 1);
  EXPECT_LT(coarse.weight_factor, fine.weight_factor);
  EXPECT_LE(fine.least_residual, fine.residual * (1 + 1e-12));
}

// While level 1 sleeps rows are those of a graph without it.
TEST(RoutedLevelsAloneTest, WhoSleepsIsNotThere) {
  for (const Kind& kind : {kPlain, Kind{"isotropic", true}, Kind{"sparse", false, false, false, 3}}) {
    RoutedProblem p = Drifting(kWakes + 200, kind);
    const std::vector<float> rows = Adapting(p, kLevels).o;
    p.spec.levels.pop_back(), p.spec.weights.pop_back();
    AdaptLimits alone = kLevels;
    alone.asleep = 0;
    const std::vector<float> without = Adapting(p, alone).o, asleep = RowsOf(rows, 2, 16, 0, kWakes),
                             same = RowsOf(without, 2, 16, 0, kWakes);
    const std::vector<double> wanted(same.begin(), same.end());
    EXPECT_LE(oracle::RelL2(std::span<const float>(asleep), std::span<const double>(wanted)), 5e-6) << kind.name;
    EXPECT_NE(RowsOf(without, 2, 16, kWakes, kWakes + 200), RowsOf(rows, 2, 16, kWakes, kWakes + 200)) << kind.name;
  }
}

TEST_P(RoutedLevelsTest, NeverSeeTheFuture) {
  const RoutedProblem p = Drifting(2300, GetParam());
  const std::vector<float> before = Adapting(p, kLevels).o;
  for (const int64_t changed : {511, 1024, 2100}) {
    RoutedProblem other = p;
    for (int64_t i = changed * 32; i < 2300 * 32; ++i) other.k[i] *= -2;
    EXPECT_EQ(RowsOf(before, 2, 16, 0, changed), RowsOf(Adapting(other, kLevels).o, 2, 16, 0, changed)) << "token " << changed;
  }
}

TEST_P(RoutedLevelsTest, ThreadsChangeNoBit) {
  const RoutedProblem p = Drifting(2300, GetParam());
  EXPECT_EQ(Adapting(p, kLevels, 1).o, Adapting(p, kLevels, 2).o);
}

// Cut while level 1 has not been awake yet, while it is, and while it sleeps with what it was sent.
TEST_P(RoutedLevelsTest, GoOnFromAFile) {
  const RoutedProblem p = Drifting(kWakesAgain + 200, GetParam());
  const StreamRun whole = Adapting(p, kLevels);
  for (const int64_t cut : {int64_t{576}, kWakes + 128, kSleeps, kSleeps + 640}) {
    const TestFolder folder;
    MustStream(Piece(p, 0, cut), {.threads = 2, .save_state = folder / "s", .adapt = kLevels});
    const StreamRun rest =
        MustStream(Piece(p, cut, kWakesAgain + 200), {.threads = 2, .load_states = {folder / "s"}, .adapt = kLevels}, SplatsFrom::kState);
    const std::vector<float> rows = RowsOf(whole.o, 2, 16, cut, kWakesAgain + 200);
    const std::vector<double> wanted(rows.begin(), rows.end());
    EXPECT_LE(oracle::RelL2(std::span<const float>(rest.o), std::span<const double>(wanted)), 5e-6) << cut;
    EXPECT_EQ(rest.report.adapted[1].woke, 2) << "the log goes on, too";
    EXPECT_NEAR(rest.report.adapted[0].weight_factor, whole.report.adapted[0].weight_factor, 1e-3);
  }
}

TEST_P(RoutedLevelsTest, OutputsAreThoseOfTheLevelsOfTheMoment) {
  const RoutedProblem p = Drifting(kWakesAgain + 200, GetParam());
  const std::vector<float> whole = Adapting(p, kLevels).o;
  for (const int64_t moment : {int64_t{512}, kWakes, kSleeps, kWakesAgain}) {
    const TestFolder folder;
    MustStream(Piece(p, 0, moment), {.threads = 2, .save_state = folder / "s", .adapt = kLevels});
    const RoutedProblem until = Piece(p, 0, moment + 200);
    const std::vector<double> wanted = Moment(until, folder / "s", kLevels).Attend(moment);
    EXPECT_LE(oracle::RelL2(std::span<const float>(RowsOf(whole, 2, 16, moment, moment + 200)), std::span<const double>(wanted)), 5e-6)
        << moment;
  }
}

// Files of version 1 know nothing of levels, which then are all awake.
TEST(RoutedLevelsStateTest, OfVersion1) {
  const RoutedProblem p = Drifting(2200);
  const TestFolder folder;
  MustStream(Piece(p, 0, 1100), {.threads = 2, .save_state = folder / "s", .adapt = kLimits});
  std::string bytes = ReadText(folder / "s");
  const absl::StatusOr<format::StateFile> state = format::CheckState(std::as_bytes(std::span(bytes)), "s");
  ASSERT_TRUE(state.ok()) << state.status();
  format::StateHeader header = state->header;
  std::vector<std::string_view> arrays;
  for (format::StateArray& array : *header.mutable_arrays()) {
    if (array.name() == "adapt") array.set_dim(array.dim() - 2 * 2 * 9);  // of one kv_head: from the end
    arrays.emplace_back(bytes.data() + array.offset(), size_t{array.rows()} * array.dim() * sizeof(float));
  }
  std::string old = format::StateFileStart(header, arrays);
  for (const std::string_view array : arrays) old.append(array).append(format::StatePadding(array.size()));
  old[8] = 1;
  const uint64_t checksum = format::PlanChecksum(std::as_bytes(std::span(old)));
  std::memcpy(old.data() + 16, &checksum, sizeof checksum);
  WriteText(folder / "old", old);
  const auto rest = [&](const char* file) {
    return MustStream(Piece(p, 1100, 2200), {.threads = 2, .load_states = {folder / file}, .adapt = kLimits}, SplatsFrom::kState).o;
  };
  EXPECT_EQ(rest("old"), rest("s"));
}

// A plan whose graph adapts, by the limits of kLimits.
const Plan& AdaptingPlan(const RoutedSpec& spec) {
  frontend::Graph graph = StreamGraph(spec);
  frontend::Routed& routed = *graph.mutable_nodes(0)->mutable_routed();
  routed.mutable_levels(0)->set_name(" word ");
  routed.mutable_adapt()->set_segment_tokens(kLimits.segment_tokens);
  routed.mutable_adapt()->set_history(static_cast<uint32_t>(kLimits.history));
  routed.mutable_adapt()->set_memory(kLimits.memory);
  return RoutedPlan(graph);
}

TEST(RoutedAdaptPlanTest, RunsAsThePlanSaysUnlessTheRunDoes) {
  const RoutedProblem p = Drifting(1500);
  const Plan& plan = AdaptingPlan(p.spec);
  const auto run = [&](std::optional<AdaptLimits> adapt) { return *TryStream(plan, p, {.threads = 2, .adapt = adapt}); };
  const StreamRun planned = run({}), off = run(AdaptLimits{.what = Adapt::kOff}), observed = run(kObserving);
  EXPECT_EQ(planned.o, Adapting(p).o);
  EXPECT_EQ(off.o, MustStream(p, {.threads = 2}).o);
  EXPECT_EQ(observed.o, MustStream(p, {.threads = 2, .adapt = kObserving}).o);
  EXPECT_THAT(planned.report.mode, testing::HasSubstr(", adapts every 512 tokens"));
  EXPECT_THAT(observed.report.mode, testing::HasSubstr(", observed every 512 tokens"));
  EXPECT_EQ(planned.report.adapt.memory, 0.5);
  EXPECT_FALSE(planned.report.adapt_asked);
  EXPECT_TRUE(observed.report.adapt_asked);
  EXPECT_EQ(off.report.adapt.what, Adapt::kOff);
  EXPECT_THAT(off.report.adapted, testing::IsEmpty());
  ASSERT_THAT(planned.report.adapted, testing::SizeIs(2));
  EXPECT_EQ(planned.report.adapted[0].name, "word");
  EXPECT_EQ(planned.report.adapted[1].name, "phrase");
  EXPECT_THAT(ToJson(planned.report), testing::HasSubstr(R"("asked_by": "plan")"));
}

std::string MessageOf(const RoutedProblem& p, AdaptLimits limits) {
  return std::string(TryStream(p, {.threads = 1, .adapt = limits}).status().message());
}

TEST(RoutedAdaptErrorsTest, Limits) {
  const RoutedProblem p = Drifting(10);
  EXPECT_EQ(MessageOf(p, {.least_splats = 3}),
            "adapt: least_splats is 3, but level 1 'phrase' has room for 2; keep fewer, or give the level more");
  EXPECT_EQ(MessageOf(p, {.segment_tokens = 1000}), "adapt: segment_tokens is 1000, wanted a multiple of 256, at most 1048576");
  EXPECT_EQ(MessageOf(p, {.history = 0}), "adapt: history is 0, wanted 1..1024 segments");
  EXPECT_EQ(MessageOf(p, {.memory = 1}), "adapt: memory is 1, wanted 0 or more, less than 1");
  EXPECT_EQ(MessageOf(p, {.cover = NAN}), "adapt: cover is nan, wanted more than 0, less than 10000");
  EXPECT_EQ(MessageOf(p, {.gain = 0.5}),
            "adapt: gain is 0.5, wanted 1 or more: below it a split and the merge that makes room undo each other");
  EXPECT_EQ(MessageOf(p, {.asleep = 2}), "adapt: asleep is 2, wanted less than 2, the levels of the graph: one stays awake");
  EXPECT_EQ(MessageOf(p, {.level_tokens = -1}), "adapt: level_tokens is -1, wanted 0..1099511627776");
  EXPECT_EQ(MessageOf(p, {.level_residual = 0}), "adapt: level_residual is 0, wanted more than 0, less than 1000000");
  EXPECT_EQ(MessageOf(p, {.level_gain = 1}), "adapt: level_gain is 1, wanted 0 or more, less than 1");
  EXPECT_EQ(MessageOf(p, {.weight_bound = 0.5}), "adapt: weight_bound is 0.5, wanted 1..1024");
  EXPECT_EQ(MessageOf(p, {.what = Adapt::kObserve, .weight_bound = 2}),
            "adapt: weight_bound changes levels, and what is observed stays as it is; leave one of them out");
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
            path + ": its splats have adapted, of which some may be gone; go on with --adapt on");
  AdaptLimits other = kLimits;
  other.history = 5;
  EXPECT_EQ(message({.threads = 1, .load_states = {path}, .adapt = other}),
            path + ": adapted in segments of 512 tokens with a history of 4, the run has 512 and 5; go on with the same --adapt");
  AdaptLimits levels = kLimits;
  levels.level_tokens = 0;
  EXPECT_EQ(message({.threads = 1, .load_states = {path}, .adapt = levels}),
            path + ": adapted with level_tokens 1024 and weight_bound 1, the run has 0 and 1; go on with the same --adapt");
  EXPECT_EQ(message({.threads = 1, .load_states = {path, path}, .adapt = kLimits}),
            "--adapt: adaptation goes on from one state, 2 are given; merge them first, with --adapt off");
}

}  // namespace
}  // namespace hsa::end_to_end

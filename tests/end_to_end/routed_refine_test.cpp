// Queries that receive from coarse levels first: which tiles stop where, what they get, and what is said of it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/refinement.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;
using testing::HasSubstr;

constexpr int64_t kTile = 64;

struct Case {
  std::string name;
  RoutedSpec spec;
};

// Levels of 80, 64 and 20 splats begin at 0, 80 and 144: three steps, from the tiles of 64 splats at 128, 64 and 0 on.
const Case kCases[] = {
    {"plain", {.H = 2, .Hkv = 1, .N = 190, .M = 200, .D = 8, .Dv = 4, .levels = {80, 64, 20}}},
    {"causal", {.H = 2, .Hkv = 1, .N = 190, .M = 200, .D = 8, .Dv = 4, .levels = {80, 64, 20}, .causal = true}},
    {"isotropic_gate",
     {.N = 300, .M = 300, .D = 8, .Dv = 4, .levels = {80, 64, 20}, .isotropic = true, .amplitude = true, .gate = true, .causal = true}},
    {"flow", {.N = 290, .M = 290, .D = 8, .Dv = 4, .levels = {80, 64, 20}, .link = true}},
    {"causal_flow", {.N = 290, .M = 290, .D = 8, .Dv = 4, .levels = {80, 64, 20}, .link = true, .causal = true}},
    {"fewer_values", {.N = 290, .M = 290, .D = 8, .Dv = 32, .levels = {64, 64, 9}, .value_dims = {32, 32, 16}, .causal = true}},
};

// What splats from `first` on give: the amplitude counts where queries receive alone.
std::vector<double> AttendFrom(RoutedProblem p, int64_t first) {
  if (!p.spec.amplitude) p.amplitude.assign(p.spec.Hkv * p.splats(), 0.0f);
  p.spec.amplitude = true;
  for (int64_t i = 0; i < p.spec.Hkv * p.splats(); ++i)
    if (i % p.splats() < first) p.amplitude[i] = -std::numeric_limits<float>::infinity();
  return oracle::AttendRouted(p);
}

// Queries [first, first + count) of a head, together.
struct Rows {
  int64_t first, count;  // of all rows of the output
};
std::vector<Rows> TilesOf(const RoutedSpec& spec) {
  std::vector<Rows> tiles;
  for (int64_t h = 0; h < spec.H; ++h)
    for (int64_t i = 0; i < spec.N; i += kTile) tiles.push_back({h * spec.N + i, std::min(kTile, spec.N - i)});
  return tiles;
}

// ‖a − b‖ / ‖a‖ of rows that are finite.
double Apart(const std::vector<double>& a, const std::vector<double>& b, Rows rows, int64_t dim) {
  double apart = 0, norm = 0;
  for (int64_t i = rows.first * dim; i < (rows.first + rows.count) * dim; ++i)
    if (std::isfinite(a[i])) apart += (a[i] - b[i]) * (a[i] - b[i]), norm += a[i] * a[i];
  return std::sqrt(apart / norm);
}

struct Wanted {
  std::vector<double> o;
  std::vector<double> queries = {};  // that took each step, a share
  double error = 0;                  // of the tile in the middle of each head
};
Wanted Refine(const RoutedSpec& spec, const std::vector<std::vector<double>>& steps, double error) {
  Wanted wanted{.o = steps[0], .queries = std::vector<double>(steps.size(), 0.0)};
  double apart = 0, norm = 0;
  for (const Rows& tile : TilesOf(spec)) {
    size_t t = 0;
    for (bool stops = false; !stops; ++t) {
      wanted.queries[t] += static_cast<double>(tile.count) / static_cast<double>(spec.H * spec.N);
      stops = t + 1 == steps.size() || (t > 0 && Apart(steps[t], steps[t - 1], tile, spec.Dv) <= error);
    }
    for (int64_t i = tile.first * spec.Dv; i < (tile.first + tile.count) * spec.Dv; ++i) {
      const double whole = steps.back()[i], o = wanted.o[i] = steps[t - 1][i];
      if (tile.first % spec.N / kTile == (spec.N + kTile - 1) / kTile / 2 && std::isfinite(whole))
        apart += (o - whole) * (o - whole), norm += whole * whole;
    }
  }
  wanted.error = std::sqrt(apart / norm);
  return wanted;
}

// Between what the tiles are apart in the second step, and far from each of them: so that some stop and others go on.
double Between(const RoutedSpec& spec, const std::vector<std::vector<double>>& steps) {
  std::vector<double> apart;
  for (const Rows& tile : TilesOf(spec)) apart.push_back(Apart(steps[1], steps[0], tile, spec.Dv));
  std::sort(apart.begin(), apart.end());
  size_t widest = 1;
  for (size_t i = 1; i < apart.size(); ++i)
    if (apart[i] / apart[i - 1] > apart[widest] / apart[widest - 1]) widest = i;
  EXPECT_GT(apart[widest] / apart[widest - 1], 1.001);
  return std::sqrt(apart[widest] * apart[widest - 1]);
}

void ZeroNaN(std::vector<double>& values) {
  for (double& x : values)
    if (std::isnan(x)) x = 0;
}

class RoutedRefineTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, RoutedRefineTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(RoutedRefineTest, AgreesWithTheOracle) {
  const RoutedSpec& spec = GetParam().spec;
  RoutedProblem p = oracle::RandomRouted(spec, 51);
  p.q[(spec.N - 3) * spec.D] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::vector<double>> steps = {AttendFrom(p, 128), AttendFrom(p, 64), AttendFrom(p, 0)};
  const double error = Between(spec, steps);
  Wanted wanted = Refine(spec, steps, error);
  EXPECT_GT(wanted.queries[2], 0) << "no tile asks for the finest level";
  EXPECT_LT(wanted.queries[2], 1) << "all tiles do";
  const StreamRun run = MustStream(p, {.threads = 1, .refine = error});
  std::vector<double> o(run.o.begin(), run.o.end());
  for (size_t i = 0; i < o.size(); ++i) EXPECT_EQ(std::isnan(o[i]), std::isnan(wanted.o[i]));
  ZeroNaN(o), ZeroNaN(wanted.o);
  EXPECT_LE(oracle::RelL2(std::span<const double>(o), std::span<const double>(wanted.o)), 5e-6);
  EXPECT_NEAR(run.report.refined.error, wanted.error, 1e-3 * wanted.error + 1e-7);
  EXPECT_EQ(run.report.refined.audited, spec.H);
  ASSERT_EQ(run.report.refined.levels.size(), 3u);
  for (size_t t = 0; t < 3; ++t) EXPECT_NEAR(run.report.refined.levels[t].second, wanted.queries[t], 1e-12) << t;
  const auto warns = testing::Contains(HasSubstr("the audited tiles have an error of"));
  if (wanted.error > error) EXPECT_THAT(run.report.warnings, warns);
  if (wanted.error < error) EXPECT_THAT(run.report.warnings, testing::Not(warns));
  EXPECT_THAT(run.report.mode, HasSubstr(": section 100 % phrase 100 % token "));
  const StreamRun threads = MustStream(p, {.threads = 3, .refine = error});
  std::vector<double> same(threads.o.begin(), threads.o.end());
  ZeroNaN(same);
  EXPECT_EQ(same, o);
}

// Levels that begin in one tile are of one step.
TEST(RoutedRefine, StepsAreWholeTiles) {
  format::Routed routed;
  for (const uint32_t splats : {200, 20, 64, 300}) routed.add_levels()->set_splats(splats);
  const std::vector<RefineStep> steps = RefineStepsOf(routed);  // begin at 0, 200, 220 and 284
  ASSERT_EQ(steps.size(), 3u);
  for (const auto& [t, begin, end, finest, coarsest] : {std::tuple{0, 256, 640, 3, 3}, {1, 192, 256, 1, 2}, {2, 0, 192, 0, 0}}) {
    EXPECT_EQ(std::pair(steps[t].begin, steps[t].end), std::pair(begin, end));
    EXPECT_EQ(std::pair(steps[t].finest, steps[t].coarsest), std::pair(finest, coarsest));
  }
}

TEST(RoutedRefine, WhatIsSentIsWhole) {
  const RoutedProblem p = oracle::RandomRouted(kCases[1].spec, 52);
  // So small that no tile stops: the bits of a run that looks at all levels, up to how often its sums are rescaled.
  const StreamRun all = MustStream(p, {.threads = 1}), fine = MustStream(p, {.threads = 1, .refine = 1e-12});
  EXPECT_LE(oracle::RelL2(std::span<const float>(fine.o), std::span<const double>(std::vector<double>(all.o.begin(), all.o.end()))), 1e-6);
  EXPECT_EQ(fine.report.refined.error, 0);
  EXPECT_EQ(fine.report.flop, all.report.flop);
  const StreamRun coarse = MustStream(p, {.threads = 1, .refine = 0.999});
  EXPECT_LT(coarse.report.flop, all.report.flop);
  EXPECT_EQ(all.report.refined.asked, 0);
}

TEST(RoutedRefine, Refuses) {
  const auto message = [](const RoutedSpec& spec, double error) {
    return std::string(TryStream(oracle::RandomRouted(spec, 53), {.refine = error}).status().message());
  };
  EXPECT_THAT(message(kCases[0].spec, 1.5), HasSubstr("--refine: 1.5, wanted more than 0, less than 1"));
  EXPECT_THAT(message(kCases[0].spec, 0), HasSubstr("--refine: 0, wanted more than 0"));
  EXPECT_THAT(message(kCases[0].spec, std::nan("")), HasSubstr("--refine: nan"));
  EXPECT_THAT(message({.M = 4, .D = 8, .Dv = 4, .levels = {30, 9}}, 0.1), HasSubstr("in one tile of 64 splats"));
  EXPECT_THAT(message({.M = 4, .D = 8, .Dv = 4, .levels = {80, 9}, .top = 2}, 0.1), HasSubstr("the graph is sparse"));
  for (const AdaptLimits& sleeps : {AdaptLimits{.asleep = 1}, AdaptLimits{.level_gain = 0.1}}) {
    const RunOptions options = {.adapt = sleeps, .refine = 0.1};
    EXPECT_THAT(std::string(TryStream(oracle::RandomRouted(kCases[1].spec, 53), options).status().message()),
                HasSubstr("--refine: levels may sleep"));
  }
  format::PlanHeader old;
  old.set_producer("hsa 0.0");
  for (const uint32_t splats : {64, 16}) old.mutable_graph()->mutable_routed()->add_levels()->set_splats(splats);
  EXPECT_EQ(std::string(CheckRefine({.refine = 0.1}, old).message()),
            "--refine: the plan, written by hsa 0.0, receives from all splats at once; compile the graph again");
}

}  // namespace
}  // namespace hsa::end_to_end

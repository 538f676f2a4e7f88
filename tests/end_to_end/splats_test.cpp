// Splat attention, compiled and run: exact where everything is opened, and every visible key counted once whatever is opened.
#include <cmath>
#include <ostream>

#include "gtest/gtest.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/float64.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

RunOptions Theta(double theta) { return {.mode = Mode::kTheta, .theta = theta, .threads = 2}; }

const GraphSpec kCausal = {.H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kDefaultUnits = {.H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}};
const GraphSpec kNone = {.H = 4, .Hkv = 2, .D = 48, .Dv = 32, .mask = {}, .units = kSmallUnits};
const GraphSpec kSliding = {.H = 2,
                            .Hkv = 2,
                            .D = 36,
                            .Dv = 20,
                            .mask = {.causal = true, .window = 900},
                            .units = {.segment = 1024, .mini = 256, .window = 256, .order = 0}};
const GraphSpec kSinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1100, .sinks = 300}, .units = kSmallUnits};
// Tiles of half a size, the whole first mini-segment read as sinks, bands that are no power of two.
const GraphSpec kOddUnits = {.H = 3,
                             .Hkv = 1,
                             .D = 80,
                             .Dv = 80,
                             .mask = {.causal = true},
                             .units = {.segment = 256, .mini = 64, .window = 64, .tile = 32, .near_sinks = 64, .bands = 3}};
// Every size at its limit: 16 children of a segment, the samples of a node as large as a tile, more bands than dimensions.
const GraphSpec kEdges = {.H = 2,
                          .Hkv = 2,
                          .D = 17,
                          .Dv = 33,
                          .mask = {.causal = true},
                          .units = {.segment = 1024, .mini = 64, .window = 64, .tile = 16, .near_sinks = 0, .bands = 64}};

struct Case {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  DType dtype = DType::kF32;
  int64_t rows = 400;  // judged
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

const Case kCases[] = {
    // name                    graph          N      M
    {"nothing", kCausal, 0, 0},
    {"one_key", kCausal, 1, 1},
    {"near_only", kCausal, 300, 300},  // no unit yet
    {"one_mini", kCausal, 600, 600},
    {"first_segment", kCausal, 800, 800},  // ends where the first segment does
    {"segments_and_minis", kCausal, 2000, 2000},
    {"one_query", kCausal, 1, 2500},  // too few queries for the metric and for β, τ
    {"few_queries", kCausal, 33, 2500},
    {"queries_cut_a_tile", kCausal, 1001, 2537},
    {"bf16", kCausal, 700, 1800, DType::kBF16},
    {"f16", kCausal, 700, 1800, DType::kF16},
    {"none_short", kNone, 100, 200},      // every key is near
    {"none_segments", kNone, 300, 1536},  // no key is near but the sinks
    {"none_ragged", kNone, 333, 1900},
    {"none_all", kNone, 1300, 1300},
    {"sliding_cuts_segments", kSliding, 1500, 2500},  // units seen entirely, partly and not at all
    {"sliding_one_query", kSliding, 1, 2000},
    {"sliding_bf16", kSliding, 600, 1500, DType::kBF16},
    {"sinks_cut_a_mini", kSinks, 1500, 2500},  // the prefix is larger than the near sinks and ends inside of a unit
    {"sinks_all", kSinks, 1800, 1800},
    {"odd_units", kOddUnits, 900, 900},
    {"odd_units_few_queries", kOddUnits, 70, 1500},
    {"edges", kEdges, 700, 2500},
    {"default_units", kDefaultUnits, 10500, 10500},      // all regions of one segment and of the next
    {"default_units_long", kDefaultUnits, 1100, 20000},  // two segments, three mini-segments
};

class ThetaZeroTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, ThetaZeroTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// θ = 0 opens everything: near field and leaves together are all visible keys, each once.
TEST_P(ThetaZeroTest, IsExact) {
  const Case& c = GetParam();
  const oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.dtype);
  const Attended is = Attend(PlanOf(c.graph), p, Theta(0), {.input = c.dtype});
  const std::vector<int64_t> rows = EvenRows(c.N, c.rows);
  ExpectClose(is.Rows(p, rows), Attend64(p, rows), 5e-6, 1e-4);
}

struct CutCase {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
};
std::ostream& operator<<(std::ostream& out, const CutCase& c) { return out << c.name; }

// With a scale of almost 0 every key weighs the same and closed nodes are exact, whatever the cut: lse tells how many keys were counted, the
// output which. A key that is missing, or there twice, moves both by a thousandth.
class AnyCutTest : public testing::TestWithParam<CutCase> {};
TEST_P(AnyCutTest, CountsEachVisibleKeyOnce) {
  GraphSpec graph = GetParam().graph;
  graph.scale = 1e-6;
  oracle::Problem p = RandomProblem(graph, GetParam().N, GetParam().M, /*seed=*/7);
  for (float& v : p.v) v += 1;
  for (int64_t h = 0; h < p.Hkv; ++h)
    for (int64_t j = 0; j < p.M; ++j)
      for (int64_t d = 0; d < p.D; ++d) KeyAt(p, h, j)[d] *= static_cast<float>(j / 50 % 7);  // so that nodes differ in what they ask for
  const oracle::Result wanted = Attend64(p);
  const Attended all = Attend(PlanOf(graph), p, Theta(0));
  bool mixed = false;
  for (double theta : {1.0, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8}) {
    SCOPED_TRACE(theta);
    const Attended cut = Attend(PlanOf(graph), p, Theta(theta));
    ExpectClose(cut, wanted, 5e-6, 1e-5);
    mixed |= cut.report.read.leaves > 0 && cut.report.read.leaves < 0.99 * all.report.read.leaves;
  }
  EXPECT_TRUE(mixed) << "no θ opens some nodes and leaves others closed";
}
const CutCase kCutCases[] = {{"causal", kCausal, 1000, 2537}, {"none", kNone, 333, 1900},          {"sliding", kSliding, 800, 2100},
                             {"sinks", kSinks, 800, 2100},    {"odd_units", kOddUnits, 500, 1200}, {"edges", kEdges, 700, 2500}};
INSTANTIATE_TEST_SUITE_P(Cases, AnyCutTest, testing::ValuesIn(kCutCases), [](const auto& info) { return info.param.name; });

// Keys are wide where no query looks, in a band where queries look elsewhere: the variance of the band makes Z 2^150 of what the keys weigh.
TEST(SplatsTest, AnOverestimatedMassLosesNoRow) {
  oracle::Problem p = RandomProblem(kCausal, 256, 2300, /*seed=*/7);
  for (int64_t j = 0; j < p.M; ++j) KeyAt(p, 0, j)[0] *= 200;
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t position = p.M - p.N; position < p.M; ++position) {
      QueryAt(p, h, position)[0] = 0;
      QueryAt(p, h, position)[1] = position % 2 == 0 ? 5 : -5;
    }
  ExpectClose(Attend(PlanOf(kCausal), p, Theta(0)), Attend64(p), 5e-6, 1e-4);
}

// One key in a far segment outweighs everything by e^100 to e^500 for one query, and nothing for the others.
TEST(SplatsTest, ANeedleOfAnyWeightIsFound) {
  for (float far : {40, 76, 88, 100, 150, 200}) {
    SCOPED_TRACE(far);
    oracle::Problem p = RandomProblem(kCausal, 128, 2300, /*seed=*/7);
    for (int64_t d = 0; d < p.D; ++d) KeyAt(p, 0, 300)[d] = d == 0 ? 20.0f : 0.0f;
    QueryAt(p, 0, p.M - 100)[0] += far;
    const Attended is = Attend(PlanOf(kCausal), p, Theta(0.003));
    const oracle::Result wanted = Attend64(p);
    const int64_t row = p.N - 100;
    EXPECT_NEAR(is.lse[row], wanted.lse[row], 1e-3 * wanted.lse[row]);
    EXPECT_NEAR(is.o[row * p.Dv], wanted.o[row * p.Dv], 1e-3);
  }
}

// Smaller θ reads more and errs less.
TEST(SplatsTest, ErrorFallsWithTheta) {
  const oracle::Problem p = RandomProblem(kCausal, 512, 2500, /*seed=*/7);
  const oracle::Result exact = Attend64(p);
  double last_error = 2, last_read = 0;  // keys without structure: with nothing opened, more than the output is lost
  for (double theta : {1.0, 0.1, 0.02, 0.008, 0.0}) {
    const Attended is = Attend(PlanOf(kCausal), p, Theta(theta));
    const double error = oracle::RelL2(std::span<const float>(is.o), std::span<const double>(exact.o));
    EXPECT_LT(error, last_error) << theta;
    EXPECT_GT(is.report.read.total, last_read) << theta;
    last_error = error, last_read = is.report.read.total;
  }
}

}  // namespace
}  // namespace hsa::end_to_end

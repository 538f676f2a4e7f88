// The same bits for any number of threads, and every time.
#include <ostream>

#include "gtest/gtest.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

const GraphSpec kCausal = {.H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kNone = {.H = 4, .Hkv = 2, .D = 48, .Dv = 32, .mask = {}, .units = kSmallUnits};
const GraphSpec kSinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1100, .sinks = 300}, .units = kSmallUnits};

struct Case {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  RunOptions options;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class DeterminismTest : public testing::TestWithParam<Case> {};
TEST_P(DeterminismTest, ThreadsChangeNoBit) {
  const Case& c = GetParam();
  const oracle::Problem p = RandomProblem(c.graph, c.N, c.M, /*seed=*/7);
  RunOptions options = c.options;
  options.threads = 1;
  const Attended first = Attend(PlanOf(c.graph), p, options);
  for (int threads : {1, 2, 3, 8}) {
    options.threads = threads;
    const Attended again = Attend(PlanOf(c.graph), p, options);
    EXPECT_TRUE(again.SameBits(first)) << threads << " threads";
    EXPECT_EQ(again.report.read.total, first.report.read.total) << threads << " threads";
  }
}
const Case kCases[] = {
    {"exact", kCausal, 1300, 2000, {.mode = Mode::kExact}},
    {"exact_cut", kSinks, 1300, 2000, {.mode = Mode::kExact, .segment_tokens = 100}},
    {"exact_few", kCausal, 3, 3000, {.mode = Mode::kExact}},  // whose keys are shared by threads
    {"exact_few_cut", kSinks, 50, 2000, {.mode = Mode::kExact, .segment_tokens = 100}},
    {"theta", kCausal, 1300, 2000, {.mode = Mode::kTheta, .theta = 0.01}},
    {"theta_zero", kCausal, 1300, 2000, {.mode = Mode::kTheta, .theta = 0}},
    {"theta_none", kNone, 700, 2100, {.mode = Mode::kTheta, .theta = 0.01}},
    {"theta_sinks", kSinks, 1300, 2000, {.mode = Mode::kTheta, .theta = 0.01}},
    {"budget", kCausal, 2000, 2000, {.mode = Mode::kBudget, .budget = 0.9}},
};
INSTANTIATE_TEST_SUITE_P(Cases, DeterminismTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hsa::end_to_end

// The future changes no bit of a row.
#include <algorithm>
#include <cmath>
#include <ostream>

#include "gtest/gtest.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/compiled_plan.h"

namespace hsa::end_to_end {
namespace {

const GraphSpec kCausal = {.H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kSinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1100, .sinks = 300}, .units = kSmallUnits};

// Where the block of the token begins: at segment 0, 2, 4, 8, 16 or a multiple of 32.
int64_t BlockBegin(int64_t token) {
  const int64_t segment = token / kSmallUnits.segment;
  return (segment < 2    ? 0
          : segment < 32 ? int64_t{1} << static_cast<int64_t>(std::log2(segment))
                         : segment / 32 * 32) *
         kSmallUnits.segment;
}

struct Case {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  int64_t changed;  // the first token that becomes another
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

const Case kCases[] = {
    // name                graph    N     M     changed
    {"first", kCausal, 1500, 1500, 0},
    {"second", kCausal, 1500, 1500, 1},
    {"inside_a_tile", kCausal, 1500, 1500, 1111},
    {"middle_of_a_window", kCausal, 1500, 1500, 1024 + 128},
    {"start_of_a_window", kCausal, 1500, 1500, 1024},
    {"end_of_a_window", kCausal, 1500, 1500, 1023},
    {"last", kCausal, 1500, 1500, 1499},
    {"before_the_queries", kCausal, 700, 1500, 500},
    {"among_the_queries", kCausal, 700, 1531, 1300},
    {"sliding_middle", kSinks, 1500, 1500, 1024 + 128},
    {"sliding_boundary", kSinks, 1100, 1500, 1280},
    {"second_block", kCausal, 2500, 3000, 2600},
    {"start_of_a_block", kCausal, 1500, 2600, 2048},
    {"end_of_a_block", kCausal, 2600, 2600, 2047},
    {"large_block", kCausal, 3500, 6000, 5500},
    {"sliding_block", kSinks, 2500, 3000, 2300},
};

class CausalityTest : public testing::TestWithParam<Case> {
 protected:
  // The run before and after tokens from `changed` on become others, and the run without them.
  void Compare(const RunOptions& options, int64_t same_before) const {
    const Case& c = GetParam();
    const Plan& plan = PlanOf(c.graph);
    const oracle::Problem before = RandomProblem(c.graph, c.N, c.M, /*seed=*/7);
    oracle::Problem after = before;
    ChangeTokens(after, c.changed, c.M);
    const Attended was = Attend(plan, before, options), is = Attend(plan, after, options);
    EXPECT_TRUE(SameRows(before, was, after, is, 0, same_before)) << "other tokens changed a row before them";
    EXPECT_FALSE(SameRows(before, was, after, is, std::max(c.changed, c.M - c.N), c.M))
        << "the rows of the tokens that changed are the same";
    const oracle::Problem shorter = Prefix(before, c.changed);
    if (shorter.N == 0) return;
    EXPECT_TRUE(SameRows(shorter, Attend(plan, shorter, options), before, was, 0, same_before))
        << "tokens that were appended changed a row before them";
  }
};
INSTANTIATE_TEST_SUITE_P(Cases, CausalityTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(CausalityTest, Exact) { Compare({.mode = Mode::kExact, .threads = 2}, GetParam().changed); }
TEST_P(CausalityTest, ExactInShortSegments) { Compare({.mode = Mode::kExact, .segment_tokens = 100, .threads = 2}, GetParam().changed); }

// Queries of one block share a reference and a calibration: its earlier rows may change, those before it may not.
TEST_P(CausalityTest, Splats) { Compare({.mode = Mode::kTheta, .theta = 0.1, .threads = 2}, BlockBegin(GetParam().changed)); }
TEST_P(CausalityTest, Calibrated) {
  Compare({.mode = Mode::kTolerance, .tolerance = {0.3, 0.95}, .threads = 2}, BlockBegin(GetParam().changed));
}

}  // namespace
}  // namespace hsa::end_to_end

// Which way a run goes, what it says of that, and the measurement that decides it.
#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/find_crossover.h"
#include "runtime/machine_profile.h"
#include "runtime/measure_rates.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using testing::HasSubstr;

const GraphSpec kCausal = {.H = 2, .Hkv = 1, .D = 32, .Dv = 32, .mask = {.causal = true}, .units = kSmallUnits};

RunOptions Within(double error) { return {.mode = Mode::kTolerance, .tolerance = {error, 0.95}, .threads = 1}; }

TEST(ChoiceTest, WhatIsAskedForIsDone) {
  const oracle::Problem p = RandomProblem(kCausal, 600, 600, /*seed=*/1);
  RunReport report = Attend(PlanOf(kCausal), p, {.mode = Mode::kExact}).report;
  EXPECT_EQ(report.choice.path, "exact");
  EXPECT_EQ(report.choice.because, "asked for");
  EXPECT_EQ(report.choice.visible_keys, 300.5);
  EXPECT_EQ(report.choice.crossover_keys, 0);
  report = Attend(PlanOf(kCausal), p, {.mode = Mode::kTheta, .theta = 0.1}).report;
  EXPECT_EQ(report.choice.path, "splats");
  EXPECT_EQ(report.choice.because, "asked for");
}

TEST(ChoiceTest, ACalibratedRunGoesByItsCrossover) {
  const oracle::Problem p = RandomProblem(kCausal, 2000, 2000, /*seed=*/2);
  RunOptions options = Within(0.5);
  options.crossover_keys = 1000;  // 1000.5 visible ones
  const RunReport longer = Attend(PlanOf(kCausal), p, options).report;
  EXPECT_EQ(longer.choice.path, "splats");
  EXPECT_EQ(longer.choice.because, "1001 visible keys for the mean query, splats pay from 1000 on (measured)");
  EXPECT_FALSE(longer.levels.empty());
  options.crossover_keys = 1001;
  const Attended shorter = Attend(PlanOf(kCausal), p, options);
  EXPECT_EQ(shorter.report.choice.path, "exact");
  EXPECT_EQ(shorter.report.choice.crossover_keys, 1001);
  EXPECT_THAT(shorter.report.mode, HasSubstr("exact, too short to gain"));
  EXPECT_TRUE(shorter.SameBits(Attend(PlanOf(kCausal), p, {.mode = Mode::kExact, .threads = 1})));
  const RunReport unmeasured = Attend(PlanOf(kCausal), p, Within(0.5)).report;
  EXPECT_EQ(unmeasured.choice.because, "1001 visible keys for the mean query, splats pay from 3072 on (default)");
}

TEST(ChoiceTest, FewQueriesAreReadExactlyWhateverWasMeasured) {
  RunOptions options = Within(0.5);
  options.crossover_keys = 1;
  const RunReport report = Attend(PlanOf(kCausal), RandomProblem(kCausal, 64, 4000, /*seed=*/3), options).report;
  EXPECT_EQ(report.choice.path, "exact");
  EXPECT_EQ(report.choice.because, "64 queries are too few to certify a tolerance");
}

TEST(ChoiceTest, AnIndexIsMadeAndReadBySplats) {
  const TestFolder folder;
  const oracle::Problem p = RandomProblem(kCausal, 2000, 2000, /*seed=*/4);
  RunOptions options = Within(0.5);
  options.save_index = folder / "i.hsaindex";
  options.crossover_keys = 1e6;
  RunReport report = Attend(PlanOf(kCausal), p, options).report;
  EXPECT_EQ(report.choice.path, "splats");
  EXPECT_EQ(report.choice.because, "an index is asked for");
  std::swap(options.load_index, options.save_index);
  report = Attend(PlanOf(kCausal), p, options).report;
  EXPECT_EQ(report.choice.because, "an index is given");
}

TEST(MeasureRatesTest, MeasuresBothWays) {
  double told = 0;
  const std::optional<PlanRates> rates = MeasureRates(PlanOf(kCausal), {}, DType::kF32, [&](double done) { told = done; });
  ASSERT_TRUE(rates.has_value());
  // What any processor of this century does, and none.
  for (double rate : {rates->exact_keys_per_s, rates->splat_keys_per_s}) EXPECT_TRUE(rate > 1e5 && rate < 1e12) << rate;
  EXPECT_EQ(told, 1);
}

TEST(MeasureRatesTest, KeysThatMakeNoNodeTellNothing) {
  GraphSpec graph = kCausal;
  graph.units = {.segment = 16384, .mini = 4096, .window = 4096};
  EXPECT_FALSE(MeasureRates(PlanOf(graph), {}, DType::kF32, {}).has_value());
}

TEST(FindCrossoverTest, MeasuresOnceAndKeepsIt) {
  const TestFolder folder;
  const std::string path = folder / "machine.json";
  const FoundCrossover first = FindCrossover(PlanOf(kCausal), {}, DType::kF32, path, {});
  ASSERT_TRUE(first.keys.has_value());
  EXPECT_THAT(first.warnings, testing::IsEmpty());
  const auto measures = [](double) { FAIL() << "measured again"; };
  EXPECT_EQ(FindCrossover(PlanOf(kCausal), {}, DType::kF32, path, measures).keys, first.keys);
  // Of another plan.
  GraphSpec other = kCausal;
  other.D = other.Dv = 64;
  ASSERT_TRUE(FindCrossover(PlanOf(other), {}, DType::kF32, path, {}).keys.has_value());
  EXPECT_EQ(MachineProfile(path).plans().size(), 2u);
  EXPECT_EQ(FindCrossover(PlanOf(kCausal), {}, DType::kF32, path, measures).keys, first.keys);
}

// A plan that goes by the inputs has rates for each type that it multiplies in its own way.
TEST(FindCrossoverTest, GoesByTheInputs) {
  const TestFolder folder;
  const std::string path = folder / "machine.json";
  GraphSpec stored = kCausal;
  stored.precision = frontend::Precision::kStored;
  for (const DType inputs : {DType::kF32, DType::kF16, DType::kBF16})
    EXPECT_TRUE(FindCrossover(PlanOf(stored), {}, inputs, path, {}).keys.has_value());
  const oracle::Problem p = RandomProblem(stored, 16, 64, /*seed=*/3);
  const std::string ran = Attend(PlanOf(stored), p, {.mode = Mode::kExact}, {.input = DType::kBF16}).report.variant;
  EXPECT_EQ(MachineProfile(path).plans().size(), ran.find(" with ") == std::string::npos ? 1u : 2u) << ran;
}

TEST(FindCrossoverTest, ADamagedProfileIsMeasuredAgainAndOneThatCannotBeKeptIsSaid) {
  const TestFolder folder;
  const std::string path = folder / "machine.json";
  WriteText(path, "{\"schema\":");
  const FoundCrossover found = FindCrossover(PlanOf(kCausal), {}, DType::kF32, path, {});
  EXPECT_TRUE(found.keys.has_value());
  EXPECT_THAT(found.warnings, testing::ElementsAre("machine profile: " + path + ": is damaged: no JSON object; measured again"));
  EXPECT_THAT(FindCrossover(PlanOf(kCausal), {}, DType::kF32, path, {}).warnings, testing::IsEmpty());
  const FoundCrossover lost = FindCrossover(PlanOf(kCausal), {}, DType::kF32, folder / "none/machine.json", {});
  EXPECT_TRUE(lost.keys.has_value());
  ASSERT_EQ(lost.warnings.size(), 1u);
  EXPECT_THAT(lost.warnings[0], testing::EndsWith("; the next run will measure again"));
  EXPECT_FALSE(FindCrossover(PlanOf(kCausal), {}, DType::kF32, "", {}).keys.has_value());
}

}  // namespace
}  // namespace hsa::end_to_end

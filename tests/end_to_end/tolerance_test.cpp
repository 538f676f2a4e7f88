// The error knob: what is asked for is met, on a model's attention and on attention made to break it, or the run reads everything and says so.
#include <algorithm>
#include <cmath>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/coverage.h"
#include "runtime/element.h"
#include "runtime/tensor_source.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

RunOptions Within(double error, double confidence = 0.95) {
  return {.mode = Mode::kTolerance, .tolerance = {error, confidence}, .threads = 2};
}

constexpr Units kUnits = {.segment = 2048, .mini = 256, .window = 256, .content_tiles = true};
const GraphSpec kCausal = {.H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kUnits};
const GraphSpec kModel = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = {.content_tiles = true}};

// Relative L2 error of every row of `is`.
std::vector<double> RowErrors(const std::vector<float>& is, const std::vector<float>& exact, int64_t width) {
  std::vector<double> errors;
  for (size_t row = 0; row < exact.size(); row += width) {
    double difference = 0, norm = 0;
    for (int64_t c = 0; c < width; ++c) {
      difference += std::pow(static_cast<double>(is[row + c]) - exact[row + c], 2);
      norm += std::pow(static_cast<double>(exact[row + c]), 2);
    }
    errors.push_back(std::sqrt(difference / norm));
  }
  return errors;
}

int64_t Misses(const std::vector<double>& errors, double error) {
  return std::count_if(errors.begin(), errors.end(), [&](double e) { return !(e <= error); });
}

struct ModelCase {
  std::string file;
  double error;
};
std::ostream& operator<<(std::ostream& out, const ModelCase& c) { return out << c.file << " " << c.error; }
class ModelTest : public testing::TestWithParam<ModelCase> {};
INSTANTIATE_TEST_SUITE_P(Errors, ModelTest,
                         testing::Values(ModelCase{"qkv_8k_prose_L22", 0.2}, ModelCase{"qkv_8k_prose_L22", 0.05},
                                         ModelCase{"qkv_8k_prose_L22", 0.01}),
                         [](const auto& info) { return absl::StrCat("e", std::round(100 * info.param.error)); });

// Rows of neighbouring queries are alike, so the binomial test is over every 16th of them.
TEST_P(ModelTest, IsMetOnQueriesThatWereNotAudited) {
  absl::StatusOr<TensorFile> file = TensorFile::Open(absl::StrCat(HSA_SOURCE_DIR "/examples/data/", GetParam().file, ".safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  const Inputs inputs{*file->Get("q"), *file->Get("k"), *file->Get("v")};
  const int64_t tokens = inputs.query.tokens();
  OwnedTensor o(3, tokens, 64, DType::kF32, Layout::kHeadsFirst), exact(3, tokens, 64, DType::kF32, Layout::kHeadsFirst);
  ASSERT_TRUE(hsa::Run(PlanOf(kModel), inputs, {.o = exact.mutable_view()}, {.mode = Mode::kExact}).ok());
  const absl::StatusOr<RunReport> report = hsa::Run(PlanOf(kModel), inputs, {.o = o.mutable_view()}, Within(GetParam().error));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->tolerance.asked, GetParam().error);
  EXPECT_EQ(report->tolerance.audited, 3 * 64);  // one block
  EXPECT_LE(report->tolerance.p95, GetParam().error);
  EXPECT_EQ(report->dense_blocks, 0);
  EXPECT_LE(report->read.total, 0.6);
  const std::vector<double> errors = RowErrors(o.Values(), exact.Values(), 64);
  std::vector<double> others;
  for (int64_t head = 0; head < 3; ++head)
    for (int64_t t = 0; t < tokens; t += 16)
      if (!std::binary_search(report->audited_positions.begin(), report->audited_positions.end(), t))
        others.push_back(errors[head * tokens + t]);
  const auto n = static_cast<int64_t>(others.size()), misses = Misses(others, GetParam().error);
  EXPECT_FALSE(BinomialRejects(n, misses, 0.05, 0.01)) << misses << " of " << n;
  RecordProperty("misses", absl::StrCat(misses, " of ", n));
}

// ---- attention made to break the knob

constexpr int64_t kTokens = 7168;  // enough for calibration to be worth its while

// A single key with a huge norm in the middle of a tight cluster, which its splat's mean and variance hide.
oracle::Problem HugeKeyInACluster() {
  oracle::Problem p = RandomProblem(kCausal, kTokens, kTokens, /*seed=*/11);
  for (int64_t j = 512; j < 1024; ++j)
    for (int64_t d = 0; d < p.D; ++d) p.k[j * p.D + d] = 0.05f * p.k[j * p.D + d] + (d == 3 ? 0.5f : 0.0f);
  for (int64_t d = 0; d < p.D; ++d) p.k[700 * p.D + d] = d == 3 ? 60.0f : 0.0f;
  return p;
}

// One query in a thousand reads one key and hardly anything else; the key looks like its neighbours to all others.
oracle::Problem Needle() {
  oracle::Problem p = RandomProblem(kCausal, kTokens, kTokens, /*seed=*/12);
  for (int64_t d = 0; d < p.D; ++d) {
    p.k[900 * p.D + d] = d == 5 ? 40.0f : p.k[900 * p.D + d];
    for (int64_t h = 0; h < p.H; ++h)
      for (int64_t i = 0; i < p.N; ++i) {
        float& q = p.q[(h * p.N + i) * p.D + d];
        if (d == 5) q = i % 1000 == 500 ? 4.0f : 0.0f;
      }
  }
  return p;
}

// Keys in tight clusters, so that splats say nearly everything.
oracle::Problem Clusters() {
  constexpr int64_t kClusters = 40;
  oracle::Problem p = RandomProblem(kCausal, kTokens, kTokens, /*seed=*/19);
  for (int64_t j = kClusters; j < kTokens; ++j)
    for (int64_t d = 0; d < p.D; ++d) {
      p.k[j * p.D + d] = p.k[j * 7 % kClusters * p.D + d] + 0.02f * p.k[j * p.D + d];
      p.v[j * p.D + d] = p.v[j * 7 % kClusters * p.D + d] + 0.02f * p.v[j * p.D + d];
    }
  return p;
}

// The same with a needle as above: a close call, as it is worth opening for few queries only.
oracle::Problem NeedleAmongClusters() {
  oracle::Problem p = Clusters();
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t i = 0; i < p.N; ++i) p.q[(h * p.N + i) * p.D + 5] = i % 1000 == 500 ? 4.0f : 0.0f;
  p.k[900 * p.D + 5] = 40;
  return p;
}

oracle::Problem NoStructure() { return RandomProblem(kCausal, kTokens, kTokens, /*seed=*/13); }

struct HardCase {
  std::string name;
  oracle::Problem (*problem)();
  double error, confidence;
  bool dense;  // whether nothing less meets it
};
std::ostream& operator<<(std::ostream& out, const HardCase& c) { return out << c.name; }
class HardTest : public testing::TestWithParam<HardCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, HardTest,
                         testing::Values(HardCase{"huge_key", HugeKeyInACluster, 0.05, 0.95, true},
                                         HardCase{"needle", Needle, 0.05, 0.9995, true},
                                         HardCase{"no_structure", NoStructure, 0.02, 0.95, true},
                                         HardCase{"clusters", Clusters, 0.02, 0.95, false},
                                         HardCase{"needle_among_clusters", NeedleAmongClusters, 0.05, 0.9995, false}),
                         [](const auto& info) { return info.param.name; });

TEST_P(HardTest, IsMetOrTheRunIsDenseAndSaysSo) {
  const auto& [name, problem, error, confidence, dense] = GetParam();
  const oracle::Problem p = problem();
  const Attended exact = Attend(PlanOf(kCausal), p, {.mode = Mode::kExact, .threads = 2});
  const Attended is = Attend(PlanOf(kCausal), p, Within(error, confidence));
  const std::vector<double> errors = RowErrors(is.o, exact.o, p.Dv);
  const auto n = static_cast<int64_t>(errors.size()), misses = Misses(errors, error);
  EXPECT_FALSE(BinomialRejects(n / 16, misses / 16, 1 - confidence, 0.01))
      << misses << " of " << n << ", dense blocks " << is.report.dense_blocks;
  EXPECT_LE(is.report.read.total, dense ? 1.05 : 0.8);
  EXPECT_EQ(is.report.dense_blocks > 0, dense);
  RecordProperty("misses", absl::StrCat(misses, " of ", n, ", dense ", is.report.dense_blocks, ", read ", is.report.read.total));
}

// What a larger θ would keep as well is no reason to read everything: where no node says anything wrong, none is opened.
TEST(ToleranceTest, NothingIsOpenedWhereNothingIsLost) {
  oracle::Problem p = RandomProblem(kCausal, 9000, 9000, /*seed=*/20);
  for (float& v : p.v) v = 1;
  const Attended is = Attend(PlanOf(kCausal), p, Within(0.2));
  EXPECT_EQ(is.report.dense_blocks, 0);
  EXPECT_EQ(is.report.read.leaves, 0);
}

TEST(ToleranceTest, ATrialCanBeCancelled) {
  const oracle::Problem p = RandomProblem(kCausal, kTokens, kTokens, /*seed=*/21);
  for (int allowed : {0, 1, 5}) {
    RunOptions options = Within(0.05);
    int calls = 0;
    options.progress = [&](double) { return calls++ < allowed; };
    EXPECT_EQ(TryAttend(PlanOf(kCausal), p, options).status().code(), absl::StatusCode::kCancelled) << allowed;
  }
}

// ---- when there is no sample

TEST(ToleranceTest, ABlockNotLargerThanItsSampleIsReadEntirely) {
  const oracle::Problem p = RandomProblem(kCausal, 50, 4000, /*seed=*/14);
  const Attended is = Attend(PlanOf(kCausal), p, Within(0.05)), exact = Attend(PlanOf(kCausal), p, {.mode = Mode::kExact});
  EXPECT_EQ(is.report.dense_blocks, p.H);
  EXPECT_EQ(is.report.tolerance.audited, 0);
  EXPECT_THAT(RowErrors(is.o, exact.o, p.Dv), testing::Each(testing::Le(1e-5)));
}

TEST(ToleranceTest, AConfidenceThatTheBlockCannotCertifyRunsDense) {
  const oracle::Problem p = RandomProblem(kCausal, 3000, 3000, /*seed=*/15);
  const Attended is = Attend(PlanOf(kCausal), p, Within(0.05, 0.9999)), exact = Attend(PlanOf(kCausal), p, {.mode = Mode::kExact});
  EXPECT_EQ(is.report.dense_blocks, p.H);
  EXPECT_THAT(RowErrors(is.o, exact.o, p.Dv), testing::Each(testing::Le(1e-5)));
}

TEST(ToleranceTest, ShortSequencesAreReadExactly) {
  const oracle::Problem p = RandomProblem(kCausal, 4096, 4096, /*seed=*/18);
  const Attended is = Attend(PlanOf(kCausal), p, Within(0.05));
  EXPECT_TRUE(is.SameBits(Attend(PlanOf(kCausal), p, {.mode = Mode::kExact, .threads = 2})));
  EXPECT_EQ(is.report.dense_blocks, p.H);
  EXPECT_THAT(is.report.mode, testing::HasSubstr("exact, too short to gain"));
}

TEST(ToleranceTest, IsWhatThePlanSaysWithoutAMode) {
  const oracle::Problem p = RandomProblem(kCausal, 3000, 6000, /*seed=*/16);
  const Attended is = Attend(PlanOf(kCausal), p, {.threads = 2});
  EXPECT_EQ(is.report.tolerance.asked, 0.05);
  EXPECT_EQ(is.report.tolerance.confidence, 0.95);
  EXPECT_GT(is.report.tolerance.audited, 0);
  EXPECT_TRUE(is.SameBits(Attend(PlanOf(kCausal), p, Within(0.05)))) << "or more threads changed a bit";
}

// Non-finite queries, keys and values reach the rows that see them; the other rows keep to the tolerance.
TEST(ToleranceTest, NonFiniteTokensStayWhereTheyAreSeen) {
  oracle::Problem p = RandomProblem(kCausal, kTokens, kTokens, /*seed=*/17);
  p.q[1000 * p.D] = std::numeric_limits<float>::quiet_NaN();
  p.v[3500 * p.Dv + 3] = std::numeric_limits<float>::infinity();
  const Attended is = Attend(PlanOf(kCausal), p, Within(0.05)), exact = Attend(PlanOf(kCausal), p, {.mode = Mode::kExact});
  const std::vector<double> errors = RowErrors(is.o, exact.o, p.Dv);
  int64_t misses = 0;
  for (int64_t i = 0; i < 3500; ++i)
    if (i != 1000) misses += !(errors[i] <= 0.05);
  EXPECT_FALSE(BinomialRejects(3499 / 16, misses / 16, 0.05, 0.01)) << misses;
  EXPECT_TRUE(std::isnan(is.o[1000 * p.Dv]));
  EXPECT_FALSE(std::isfinite(is.o[3600 * p.Dv + 3]));
}

}  // namespace
}  // namespace hsa::end_to_end

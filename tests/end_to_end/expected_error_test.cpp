// The output `error`: what a run expects of each row, beside what the row has.
#include <algorithm>
#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/audit.h"
#include "runtime/rank_correlation.h"
#include "runtime/tensor_source.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

constexpr int64_t kHeads = 3;
const GraphSpec kModel = {.H = kHeads, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = {.content_tiles = true}};

// Attention of a model, with what was expected of each row.
struct Result {
  RunReport report;
  std::vector<float> o, expected;
};

class ExpectedErrorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(file_.ok()) << file_.status();
    inputs_ = {*file_->Get("q"), *file_->Get("k"), *file_->Get("v")};
  }

  absl::StatusOr<Result> Try(const RunOptions& options) {
    const int64_t tokens = inputs_.query.tokens();
    OwnedTensor o(kHeads, tokens, 64, DType::kF32, Layout::kHeadsFirst), error(1, kHeads, tokens, DType::kF32, Layout::kHeadsFirst);
    error.Fill(std::vector<float>(kHeads * tokens, -1));
    const absl::StatusOr<RunReport> report =
        hsa::Run(PlanOf(kModel), inputs_, {.o = o.mutable_view(), .error = error.mutable_view()}, options);
    if (!report.ok()) return report.status();
    return Result{*report, o.Values(), error.Values()};
  }

  // Rows that were not audited, and had any error: what was expected, over what it was.
  void ExpectToldApart(const Result& is, double least_rank) {
    const absl::StatusOr<Result> exact = Try({.mode = Mode::kExact});
    ASSERT_TRUE(exact.ok()) << exact.status();
    const int64_t tokens = inputs_.query.tokens();
    std::vector<double> expected, errors, ratios;
    for (int64_t head = 0; head < kHeads; ++head)
      for (int64_t t = 1024; t < tokens; t += 5) {
        if (std::binary_search(is.report.audited_positions.begin(), is.report.audited_positions.end(), t)) continue;
        const int64_t row = head * tokens + t;
        expected.push_back(is.expected[row]);
        errors.push_back(RowError(std::span(is.o).subspan(row * 64, 64), std::span(exact->o).subspan(row * 64, 64)));
        ratios.push_back(errors.back() / expected.back());
      }
    EXPECT_GT(RankCorrelation(expected, errors), least_rank);
    std::nth_element(ratios.begin(), ratios.begin() + ratios.size() / 2, ratios.end());
    EXPECT_NEAR(ratios[ratios.size() / 2], 1, 0.25);  // c is the median of 64 ratios of each head
  }

  absl::StatusOr<TensorFile> file_ = TensorFile::Open(HSA_SOURCE_DIR "/examples/data/qkv_8k_prose_L22.safetensors");
  Inputs inputs_;
};

TEST_F(ExpectedErrorTest, RanksTheRowsOfACalibratedRun) {
  const absl::StatusOr<Result> is = Try({.mode = Mode::kTolerance, .tolerance = {0.05, 0.95}});
  ASSERT_TRUE(is.ok()) << is.status();
  EXPECT_THAT(is->expected, testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(5))));
  ExpectToldApart(*is, 0.7);
}

TEST_F(ExpectedErrorTest, RanksTheRowsOfABudget) {
  const absl::StatusOr<Result> is = Try({.mode = Mode::kBudget, .budget = 0.2});
  ASSERT_TRUE(is.ok()) << is.status();
  ExpectToldApart(*is, 0.7);
}

TEST_F(ExpectedErrorTest, RowsThatSeeOnlyTheirNearFieldHaveNone) {
  const absl::StatusOr<Result> is = Try({.mode = Mode::kTolerance, .tolerance = {0.05, 0.95}});
  ASSERT_TRUE(is.ok()) << is.status();
  EXPECT_THAT(std::vector(is->expected.begin(), is->expected.begin() + 1024), testing::Each(0));
}

TEST_F(ExpectedErrorTest, AnExactRunHasNone) {
  const absl::StatusOr<Result> is = Try({.mode = Mode::kExact});
  ASSERT_TRUE(is.ok()) << is.status();
  EXPECT_THAT(is->expected, testing::Each(0));
}

TEST_F(ExpectedErrorTest, AThetaOfOnesOwnIsRefused) {
  const absl::StatusOr<Result> is = Try({.mode = Mode::kTheta, .theta = 0.01});
  EXPECT_TRUE(absl::IsInvalidArgument(is.status()));
  EXPECT_THAT(is.status().message(), testing::HasSubstr("ask for a tolerance or a budget"));
}

}  // namespace
}  // namespace hsa::end_to_end

// Budgets: of key-equivalents, which choose θ, and of memory, which decide where the index lies.
#include <cmath>
#include <regex>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/element.h"
#include "runtime/tensor_source.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using testing::HasSubstr;

const GraphSpec kCausal = {
    .H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = {.segment = 2048, .mini = 256, .window = 256}};
const GraphSpec kDefaultUnits = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}};

RunOptions Budget(double budget) { return {.mode = Mode::kBudget, .budget = budget, .threads = 2}; }

// Keys in topics: runs of tokens near one of twelve means, some closer than others, which queries ask for.
oracle::Problem TopicProblem(int64_t tokens) {
  constexpr int64_t kTopics = 12, kRun = 40;
  oracle::Problem p = RandomProblem(kCausal, tokens, tokens, /*seed=*/7);
  const std::vector<float> means = oracle::RandomProblem({.N = kTopics, .M = kTopics, .D = p.D}, /*seed=*/8).q;
  const auto topic = [&](int64_t token) { return (token / kRun * 7919 + 3) % 101 % kTopics; };
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t d = 0; d < p.D; ++d) {
      const float mean = means[topic(t) * p.D + d];
      p.k[t * p.D + d] = mean + 0.1f * static_cast<float>(1 + topic(t)) * p.k[t * p.D + d];
      p.v[t * p.D + d] = mean + 0.5f * p.v[t * p.D + d];
      for (int64_t h = 0; h < p.H; ++h)
        p.q[(h * p.N + t) * p.D + d] = static_cast<float>(1 + h) * mean + 0.5f * p.q[(h * p.N + t) * p.D + d];
    }
  return p;
}

void ExpectWithin(const RunReport& report, double budget) {
  EXPECT_LE(report.read.total, budget);
  EXPECT_GE(report.read.total, 0.85 * budget);
  for (const HeadReport& head : report.heads) EXPECT_LE(head.read.total, budget) << "head " << head.head;
}

class KeyBudgetTest : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Budgets, KeyBudgetTest, testing::Values(0.3, 0.5, 0.7),
                         [](const auto& info) { return absl::StrCat("percent_", 100 * info.param); });

TEST_P(KeyBudgetTest, IsSpentOnTopics) { ExpectWithin(Attend(PlanOf(kCausal), TopicProblem(6000), Budget(GetParam())).report, GetParam()); }

// The sample that chooses θ leaves mini-segments behind that the run goes on with: they are those of the segments that they are taken for.
TEST(KeyBudgetTest, ALongBlockReadsItsOwnMiniSegments) {
  const GraphSpec graph = {.H = 1, .Hkv = 1, .D = 32, .Dv = 32, .mask = {.causal = true}, .units = kSmallUnits};
  const int64_t segment = kSmallUnits.segment;
  const oracle::Problem p = RandomProblem(graph, 16 * segment, 32 * segment, /*seed=*/9);  // regions 16 to 31, one block
  const Attended is = Attend(PlanOf(graph), p, Budget(0.3));
  const Attended same = Attend(PlanOf(graph), p, {.mode = Mode::kTheta, .theta = is.report.heads[0].theta, .threads = 2});
  EXPECT_TRUE(is.SameBits(same));
}

TEST(KeyBudgetTest, IsSpentOnAModelsAttention) {
  absl::StatusOr<TensorFile> file = TensorFile::Open(HSA_SOURCE_DIR "/examples/data/qkv_8k_prose_L22.safetensors");
  ASSERT_TRUE(file.ok()) << file.status();
  const TensorView q = *file->Get("q"), k = *file->Get("k"), v = *file->Get("v");
  OwnedTensor o(3, q.tokens(), 64, DType::kF32, Layout::kHeadsFirst);
  for (double budget : {0.5, 0.7}) {
    SCOPED_TRACE(budget);
    absl::StatusOr<RunReport> report = hsa::Run(PlanOf(kDefaultUnits), {q, k, v}, {.o = o.mutable_view()}, Budget(budget));
    ASSERT_TRUE(report.ok()) << report.status();
    ExpectWithin(*report, budget);
  }
}

// The number behind "the least that works is".
double LeastNamed(const absl::Status& status) {
  std::smatch match;
  const std::string message(status.message());
  double least = 0;
  if (!std::regex_search(message, match, std::regex("the least that works is ([0-9.e+]+[0-9])")) ||
      !absl::SimpleAtod(match[1].str(), &least))
    ADD_FAILURE() << "names no least: " << message;
  return least;
}

TEST(KeyBudgetTest, TooSmallNamesTheLeastThatWorks) {
  const oracle::Problem p = TopicProblem(6000);
  const absl::Status refused = TryAttend(PlanOf(kCausal), p, Budget(0.01)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--budget: 0.01 "));
  const double least = LeastNamed(refused);
  EXPECT_GT(least, 0.01);
  EXPECT_LT(least, 0.5);
  const absl::StatusOr<Attended> run = TryAttend(PlanOf(kCausal), p, Budget(least));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_LE(run->report.read.total, least);
  EXPECT_FALSE(TryAttend(PlanOf(kCausal), p, Budget(least - 0.0011)).ok()) << "it is told to the third digit";
}

// All keys are near: reading them all is what a budget of everything allows.
TEST(KeyBudgetTest, OfEverythingAlwaysWorks) {
  for (int64_t tokens : {1, 100, 700}) {
    const absl::StatusOr<Attended> run = TryAttend(PlanOf(kCausal), TopicProblem(tokens), Budget(1));
    EXPECT_TRUE(run.ok()) << tokens << " tokens: " << run.status();
  }
}

struct MemoryCase {
  std::string name;
  RunOptions options;
};
std::ostream& operator<<(std::ostream& out, const MemoryCase& c) { return out << c.name; }
class MemoryBudgetTest : public testing::TestWithParam<MemoryCase> {};
const MemoryCase kMemoryCases[] = {
    {"exact", {.mode = Mode::kExact, .segment_tokens = 512, .threads = 2}},
    {"theta", {.mode = Mode::kTheta, .theta = 0.01, .threads = 2}},
    {"budget", {.mode = Mode::kBudget, .budget = 0.5, .threads = 2}},
};
INSTANTIATE_TEST_SUITE_P(Modes, MemoryBudgetTest, testing::ValuesIn(kMemoryCases), [](const auto& info) { return info.param.name; });

TEST_P(MemoryBudgetTest, TheLeastThatWorksWorksAndChangesNoBit) {
  const TestFolder scratch;
  const oracle::Problem p = TopicProblem(5000);
  RunOptions options = GetParam().options;
  const Attended free = Attend(PlanOf(kCausal), p, options);
  EXPECT_THAT(free.report.warnings, testing::IsEmpty());
  options.scratch_dir = scratch / ".";
  options.memory_budget_bytes = 1000;
  const absl::Status refused = TryAttend(PlanOf(kCausal), p, options).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--memory-budget: 1000 bytes"));

  options.memory_budget_bytes = static_cast<int64_t>(LeastNamed(refused));
  const Attended least = Attend(PlanOf(kCausal), p, options);
  EXPECT_TRUE(least.SameBits(free));
  if (options.mode != Mode::kExact) {
    EXPECT_THAT(least.report.warnings, testing::ElementsAre(HasSubstr("scratch")));
  }
  EXPECT_THAT(scratch.Files(), testing::IsEmpty());
  --options.memory_budget_bytes;
  EXPECT_FALSE(TryAttend(PlanOf(kCausal), p, options).ok());
}

TEST_P(MemoryBudgetTest, EnoughNeedsNoScratch) {
  const oracle::Problem p = TopicProblem(1500);
  RunOptions options = GetParam().options;
  options.memory_budget_bytes = int64_t{1} << 30;
  options.scratch_dir = "/nonexistent";
  EXPECT_THAT(Attend(PlanOf(kCausal), p, options).report.warnings, testing::IsEmpty());
}

TEST(MemoryBudgetTest, NamesAScratchFolderThatDoesNotExist) {
  const oracle::Problem p = TopicProblem(1500);
  RunOptions options = {.mode = Mode::kTheta, .theta = 0.01, .threads = 1, .memory_budget_bytes = 1000};
  options.memory_budget_bytes = static_cast<int64_t>(LeastNamed(TryAttend(PlanOf(kCausal), p, options).status()));
  options.scratch_dir = "/nonexistent";
  const absl::Status status = TryAttend(PlanOf(kCausal), p, options).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent"));
}

}  // namespace
}  // namespace hsa::end_to_end

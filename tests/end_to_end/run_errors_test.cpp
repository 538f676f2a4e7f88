// What hsa::Run refuses, and how it stops when it is asked to.
#include <atomic>
#include <cstring>
#include <functional>
#include <ostream>
#include <span>

#include "frontend/compile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/format/plan_file.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

using testing::HasSubstr;

const GraphSpec kCausal = {.H = 4, .Hkv = 2, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};

// Shapes of the tensors of a run that is in order, for a case to spoil.
struct Tensors {
  std::array<int64_t, 3> q = {4, 5, 64}, k = {2, 9, 64}, v = {2, 9, 64}, o = {4, 5, 64}, lse = {1, 4, 5};
  DType q_type = DType::kF32, k_type = DType::kF32, v_type = DType::kF32, o_type = DType::kF32, lse_type = DType::kF32;
};

absl::Status RunTensors(const Tensors& t, Mode mode) {
  const auto make = [](const std::array<int64_t, 3>& shape, DType type) {
    OwnedTensor tensor(shape[0], shape[1], shape[2], type, Layout::kHeadsFirst);
    tensor.Fill(std::vector<float>(shape[0] * shape[1] * shape[2], 1.0f));
    return tensor;
  };
  const OwnedTensor q = make(t.q, t.q_type), k = make(t.k, t.k_type), v = make(t.v, t.v_type);
  OwnedTensor o = make(t.o, t.o_type), lse = make(t.lse, t.lse_type);
  return Run(PlanOf(kCausal), {q.view(), k.view(), v.view()}, {.o = o.mutable_view(), .lse = lse.mutable_view()},
             {.mode = mode, .threads = 1})
      .status();
}

struct Case {
  std::string name;
  std::function<void(Tensors&)> spoil;
  std::vector<std::string> words;  // of the message
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class RunErrorsTest : public testing::TestWithParam<Case> {};
TEST_P(RunErrorsTest, NamesTheTensorAndBothShapes) {
  Tensors tensors;
  for (Mode mode : {Mode::kExact, Mode::kTheta}) EXPECT_TRUE(RunTensors(tensors, mode).ok());
  GetParam().spoil(tensors);
  for (Mode mode : {Mode::kExact, Mode::kTheta}) {
    const absl::Status status = RunTensors(tensors, mode);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    for (const std::string& word : GetParam().words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
}
const Case kCases[] = {
    {"query_heads", [](Tensors& t) { t.q[0] = 6; }, {"'q' is [6, 5, 64]", "[4, 5, 64]"}},
    {"query_dim", [](Tensors& t) { t.q[2] = 32; }, {"'q' is [4, 5, 32]", "[4, 5, 64]"}},
    {"key_heads", [](Tensors& t) { t.k[0] = 4; }, {"'k' is [4, 9, 64]", "[2, 9, 64]"}},
    {"key_dim", [](Tensors& t) { t.k[2] = 128; }, {"'k' is [2, 9, 128]", "[2, 9, 64]"}},
    {"value_heads", [](Tensors& t) { t.v[0] = 1; }, {"'v' is [1, 9, 64]", "[2, 9, 64]"}},
    {"value_tokens", [](Tensors& t) { t.v[1] = 8; }, {"'v' is [2, 8, 64]", "[2, 9, 64]"}},
    {"value_dim", [](Tensors& t) { t.v[2] = 65; }, {"'v' is [2, 9, 65]", "[2, 9, 64]"}},
    {"output_heads", [](Tensors& t) { t.o[0] = 2; }, {"'o' is [2, 5, 64]", "[4, 5, 64]"}},
    {"output_tokens", [](Tensors& t) { t.o[1] = 9; }, {"'o' is [4, 9, 64]", "[4, 5, 64]"}},
    {"output_dim", [](Tensors& t) { t.o[2] = 32; }, {"'o' is [4, 5, 32]", "[4, 5, 64]"}},
    {"lse_shape", [](Tensors& t) { t.lse = {1, 2, 5}; }, {"lse", "[1, 2, 5]", "[1, 4, 5]"}},
    {"lse_type", [](Tensors& t) { t.lse_type = DType::kBF16; }, {"lse", "bf16", "f32"}},
    {"more_queries_than_keys", [](Tensors& t) { t.k[1] = t.v[1] = 4; }, {"'q' has 5 tokens", "'k' only 4"}},
    {"query_type", [](Tensors& t) { t.q_type = DType::kBF16; }, {"bf16, f32 and f32"}},
    {"key_type", [](Tensors& t) { t.k_type = DType::kF16; }, {"f32, f16 and f32"}},
    {"value_type", [](Tensors& t) { t.v_type = DType::kBF16; }, {"f32, f32 and bf16"}},
    {"output_type", [](Tensors& t) { t.o_type = DType::kF16; }, {"'o' is f16", "f32 or bf16"}},
};
INSTANTIATE_TEST_SUITE_P(Cases, RunErrorsTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

struct ModeCase {
  std::string name;
  RunOptions options;
};
std::ostream& operator<<(std::ostream& out, const ModeCase& c) { return out << c.name; }
// A plan of another version may call its stages by other names; the checker has nothing against it.
TEST(RunErrorsTest, NamesTheStageThatIsMissing) {
  absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(BuildGraph(kCausal), {.cache_dir = HSA_PLAN_CACHE});
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  std::string bytes = compiled->plan_bytes;
  const auto spelled = [&] { return std::as_writable_bytes(std::span(bytes)); };
  const size_t header_end = format::kPlanPrefixBytes + format::ReadPrefix(spelled()).header_bytes;
  for (size_t at = bytes.find("log_mass"); at < header_end; at = bytes.find("log_mass", at)) bytes.replace(at, 8, "log_must");
  const uint64_t checksum = format::PlanChecksum(spelled());
  std::memcpy(&bytes[16], &checksum, sizeof checksum);
  const absl::StatusOr<Plan> plan = Plan::FromBytes(spelled(), "old");
  ASSERT_TRUE(plan.ok()) << plan.status();
  OwnedTensor q(4, 5, 64, DType::kF32, Layout::kHeadsFirst), k(2, 9, 64, DType::kF32, Layout::kHeadsFirst), o = q;
  const absl::Status is = hsa::Run(*plan, {q.view(), k.view(), k.view()}, {.o = o.mutable_view()}, {.mode = Mode::kExact}).status();
  EXPECT_THAT(std::string(is.message()), HasSubstr("has no stage 'log_mass', which this version calls; compile the graph again"));
}

class ProgressTest : public testing::TestWithParam<ModeCase> {};
const ModeCase kModes[] = {{"exact", {.mode = Mode::kExact}},
                           {"theta", {.mode = Mode::kTheta, .theta = 0.01}},
                           {"budget", {.mode = Mode::kBudget, .budget = 0.9}}};
INSTANTIATE_TEST_SUITE_P(Modes, ProgressTest, testing::ValuesIn(kModes), [](const auto& info) { return info.param.name; });

TEST_P(ProgressTest, FalseCancels) {
  const oracle::Problem p = RandomProblem(kCausal, 2000, 2000, /*seed=*/7);
  for (int threads : {1, 4}) {
    for (int allowed : {0, 3}) {
      RunOptions options = GetParam().options;
      std::atomic<int> calls = 0;
      options.threads = threads;
      options.progress = [&](double) { return calls++ < allowed; };
      EXPECT_EQ(TryAttend(PlanOf(kCausal), p, options).status().code(), absl::StatusCode::kCancelled);
      EXPECT_EQ(calls, allowed + 1) << "asked again after it was cancelled";
    }
  }
}

TEST_P(ProgressTest, GoesFromZeroToOne) {
  const oracle::Problem p = RandomProblem(kCausal, 1001, 2000, /*seed=*/7);
  RunOptions options = GetParam().options;
  options.threads = 2;
  double last = 0;
  options.progress = [&](double done) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, 1 + 1e-9);
    last = done;
    return true;
  };
  Attend(PlanOf(kCausal), p, options);
  EXPECT_NEAR(last, 1, 1e-9);
}

// All rows are told once, in order, when they are final; an error of the caller's ends the run.
TEST_P(ProgressTest, RowsAreReadyOnce) {
  const oracle::Problem p = RandomProblem(kCausal, 1801, 2000, /*seed=*/7);
  OwnedTensor q(p.H, p.N, p.D, DType::kF32, Layout::kHeadsFirst), k(p.Hkv, p.M, p.D, DType::kF32, Layout::kHeadsFirst), v = k;
  q.Fill(p.q), k.Fill(p.k), v.Fill(p.v);
  OwnedTensor o(p.H, p.N, p.Dv, DType::kF32, Layout::kHeadsFirst);
  std::vector<int> told(p.N);
  Outputs outputs{.o = o.mutable_view(), .rows_ready = [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) ++told.at(i);
                    return absl::OkStatus();
                  }};
  EXPECT_TRUE(hsa::Run(PlanOf(kCausal), {q.view(), k.view(), v.view()}, outputs, GetParam().options).ok());
  EXPECT_THAT(told, testing::Each(1));
  outputs.rows_ready = [](int64_t, int64_t) { return absl::UnavailableError("no room"); };
  EXPECT_EQ(hsa::Run(PlanOf(kCausal), {q.view(), k.view(), v.view()}, outputs, GetParam().options).status(),
            absl::UnavailableError("no room"));
}

}  // namespace
}  // namespace hsa::end_to_end

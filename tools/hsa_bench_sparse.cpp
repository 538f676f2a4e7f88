// Scheme routed, sparse beside dense: the same tokens and splats, one thread, turn by turn in one benchmark, so that ratios mean something beside other work.
#include "tools/hsa_bench_sparse.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/check_graph.h"
#include "frontend/jit.h"
#include "runtime/level_search.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_sparse_tokens.h"

namespace hsa::bench {
namespace {

constexpr int64_t kDim = 64, kTokens = 16384;
constexpr int64_t kFewTokens = 256;  // what a run of these takes is said to be that of making its trees, and of measuring recall
constexpr uint32_t kTop = 8;
constexpr int kTurns = 3;

enum class Keys { kCapture, kGroups, kCloud };
constexpr const char* Name(Keys keys) { return keys == Keys::kCapture ? "capture" : keys == Keys::kGroups ? "groups" : "cloud"; }

struct SparseCase {
  Keys keys;
  std::vector<int64_t> levels;
  bool causal = false;
  std::optional<LevelSearch> search = {};  // not set: as the run chooses

  int64_t splats() const {
    int64_t sum = 0;
    for (int64_t level : levels) sum += level;
    return sum;
  }
};

// Dense where `top` is 0.
const Plan& PlanFor(const SparseCase& c, uint32_t top) {
  frontend::Graph graph;
  graph.set_name("bench_sparse");
  for (const char* name : {"q", "k", "v", "center", "variance"}) {
    frontend::Tensor& input = *graph.add_inputs();
    input.set_name(name), input.set_heads(1);
    input.set_dim(c.keys != Keys::kCapture && std::string_view(name) == "variance" ? 1 : kDim);
  }
  frontend::Routed& routed = *graph.add_nodes()->mutable_routed();
  routed.set_query("q"), routed.set_key("k"), routed.set_value("v"), routed.set_output("o");
  routed.set_center("center"), routed.set_variance("variance"), routed.set_causal(c.causal);
  for (int64_t level : c.levels) routed.add_levels()->set_splats(static_cast<uint32_t>(level));
  if (top > 0) routed.mutable_sparse()->set_top(top);
  static std::map<std::string, Plan> plans;
  const std::string key = graph.SerializeAsString();
  if (auto found = plans.find(key); found != plans.end()) return found->second;
  absl::StatusOr<Plan> plan = frontend::CompilePlan(graph, {.cache_dir = {}});
  if (!plan.ok()) std::exit(Fail(1, "hsa-bench", plan.status()));
  return plans.emplace(key, *std::move(plan)).first->second;
}

SparseTokens TokensFor(const SparseCase& c, const Capture* capture) {
  switch (c.keys) {
    case Keys::kCapture:
      return SparseTokens::Captured(*capture, PlanFor(c, kTop), kTokens);
    case Keys::kGroups:
      return SparseTokens::Groups(kTokens, kDim, c.splats());
    case Keys::kCloud:
      return SparseTokens::Cloud(kTokens, kDim, c.splats());
  }
}

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Outcome {
  double seconds = 0;
  std::vector<float> o;
  RunReport report;
};

Outcome TimeRun(const Plan& plan, const SparseTokens& tokens, int64_t count, std::optional<LevelSearch> search) {
  Outcome outcome;
  outcome.o.resize(count * kDim);
  const MutableTensorView o = {reinterpret_cast<std::byte*>(outcome.o.data()), DType::kF32, {1, count, kDim}, {count * kDim, kDim, 1}};
  const double start = CpuSeconds();
  absl::StatusOr<RunReport> report = Run(plan, tokens.First(count), {.o = o}, {.threads = 1, .search = search});
  outcome.seconds = CpuSeconds() - start;
  if (!report.ok()) std::exit(Fail(1, "hsa-bench", report.status()));
  outcome.report = *std::move(report);
  return outcome;
}

double RelL2(const std::vector<float>& is, const std::vector<float>& wanted) {
  double apart = 0, norm = 0;
  for (size_t i = 0; i < is.size(); ++i) apart += std::pow(is[i] - wanted[i], 2), norm += std::pow(wanted[i], 2);
  return std::sqrt(apart / norm);
}

double Median(std::vector<double> numbers) {
  std::ranges::nth_element(numbers, numbers.begin() + numbers.size() / 2);
  return numbers[numbers.size() / 2];
}

void SparseRun(benchmark::State& state, const SparseCase& c, const Capture* capture) {
  const SparseTokens tokens = TokensFor(c, capture);
  const Plan &dense = PlanFor(c, 0), &sparse = PlanFor(c, kTop);
  const Outcome whole = TimeRun(sparse, tokens, kTokens, LevelSearch::kBrute);
  std::vector<double> speedups, making, per_token;
  for (auto _ : state) {
    const Outcome plain = TimeRun(dense, tokens, kTokens, {}), fast = TimeRun(sparse, tokens, kTokens, c.search),
                  few = TimeRun(sparse, tokens, kFewTokens, c.search);
    speedups.push_back(plain.seconds / fast.seconds);
    making.push_back(few.seconds);
    per_token.push_back((fast.seconds - few.seconds) / (kTokens - kFewTokens));
    state.counters["error_to_dense"] = RelL2(fast.o, plain.o);
    state.counters["error"] = RelL2(fast.o, whole.o);
    state.counters["recall"] = fast.report.search.recall, state.counters["recall_of_mass"] = fast.report.search.mass;
    state.SetLabel(fast.report.mode);
  }
  state.counters["us_per_token"] = 1e6 * Median(per_token), state.counters["ms_before"] = 1e3 * Median(making);
  state.counters["times_dense"] = Median(speedups);
}

void Register(const SparseCase& c, const Capture* capture) {
  const std::string name = absl::StrCat("Sparse/keys:", Name(c.keys), "/k:", absl::StrJoin(c.levels, "+"), "/causal:", c.causal ? 1 : 0,
                                        "/search:", c.search ? std::string(LevelSearchName(*c.search)) : "fastest");
  benchmark::RegisterBenchmark(name.c_str(), SparseRun, c, capture)->Unit(benchmark::kMillisecond)->Iterations(kTurns);
}

}  // namespace

void RegisterSparse(const Capture* capture) {
  for (Keys keys : {Keys::kCapture, Keys::kGroups, Keys::kCloud}) {
    if (keys == Keys::kCapture && capture == nullptr) continue;
    for (int64_t splats : {512, 1024, 1536, 2048, 4096, 16384}) {
      for (LevelSearch search : {LevelSearch::kBrute, LevelSearch::kDescent, LevelSearch::kHnsw})
        Register({keys, {splats}, false, search}, capture);
      Register({keys, {splats}, true}, capture);
    }
    for (bool causal : {false, true})
      for (const std::vector<int64_t>& levels : {std::vector<int64_t>{768, 128, 64, 64}, {3072, 512, 256, 256}})
        Register({keys, levels, causal}, capture);
  }
}

}  // namespace hsa::bench

// Scheme routed, sparse beside dense: the same tokens and splats, one thread, turn by turn in one benchmark, so that only their ratio is told.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "frontend/check_graph.h"
#include "frontend/jit.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_sparse.h"

namespace hsa::bench {
namespace {

constexpr int64_t kDim = 64, kTokens = 16384;
constexpr int kTurns = 3;

struct SparseCase {
  std::vector<int64_t> levels;
  bool causal = false;

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
    input.set_name(name), input.set_heads(1), input.set_dim(std::string_view(name) == "variance" ? 1 : kDim);
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

// Tokens of a hierarchy of 8 · 8 · 8 · 8 groups whose spreads halve, and splats that are drawn as they are: what embeddings look like more than one
// cloud does.
class GroupedTokens {
 public:
  GroupedTokens() : groups_(4) {
    for (size_t depth = 0; depth < groups_.size(); ++depth) groups_[depth] = Normals(int64_t{1} << (3 * (depth + 1)), 1.0f / (1 << depth));
  }
  std::vector<float> Draw(int64_t tokens) {
    std::vector<float> rows = Normals(tokens, kNoise);
    for (int64_t i = 0; i < tokens; ++i) {
      size_t group = 0;
      for (const std::vector<float>& level : groups_) {
        group = group * 8 + random_() % 8;
        for (int64_t d = 0; d < kDim; ++d) rows[i * kDim + d] += level[group * kDim + d];
      }
    }
    return rows;
  }
  std::vector<float> Normals(int64_t rows, float spread) {
    std::vector<float> numbers(rows * kDim);
    for (float& x : numbers) x = spread * normal_(random_);
    return numbers;
  }
  static constexpr float kNoise = 0.0625f;

 private:
  std::mt19937_64 random_{42};
  std::normal_distribution<float> normal_;
  std::vector<std::vector<float>> groups_;
};

// What a benchmark runs over: variances such that a token is at log φ of about -2 from a splat of its own group.
struct Tensors {
  explicit Tensors(int64_t splats) {
    GroupedTokens tokens;
    q = tokens.Draw(kTokens), k = tokens.Draw(kTokens), v = tokens.Normals(kTokens, 1), center = tokens.Draw(splats);
    variance.assign(splats, GroupedTokens::kNoise * GroupedTokens::kNoise * kDim / 2);
  }
  static TensorView View(const std::vector<float>& values, int64_t tokens) {
    const int64_t dim = static_cast<int64_t>(values.size()) / tokens;
    return {reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {1, tokens, dim}, {tokens * dim, dim, 1}};
  }
  Inputs inputs() const {
    const int64_t splats = static_cast<int64_t>(variance.size());
    return {View(q, kTokens), View(k, kTokens), View(v, kTokens), {View(center, splats), View(variance, splats), {}}};
  }
  std::vector<float> q, k, v, center, variance;
};

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

Outcome TimeRun(const Plan& plan, const Tensors& tensors) {
  Outcome outcome;
  outcome.o.resize(kTokens * kDim);
  const MutableTensorView o = {reinterpret_cast<std::byte*>(outcome.o.data()), DType::kF32, {1, kTokens, kDim}, {kTokens * kDim, kDim, 1}};
  const double start = CpuSeconds();
  absl::StatusOr<RunReport> report = Run(plan, tensors.inputs(), {.o = o}, {.threads = 1});
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

void SparseRun(benchmark::State& state, const SparseCase& c, uint32_t top) {
  const Tensors tensors(c.splats());
  const Plan &dense = PlanFor(c, 0), &sparse = PlanFor(c, top);
  std::vector<double> speedups;
  for (auto _ : state) {
    const Outcome plain = TimeRun(dense, tensors), fast = TimeRun(sparse, tensors);
    speedups.push_back(plain.seconds / fast.seconds);
    state.counters["error_to_dense"] = RelL2(fast.o, plain.o);
    state.SetLabel(fast.report.mode);
  }
  state.counters["times_dense"] = Median(speedups);
}

}  // namespace

void RegisterSparse() {
  const std::vector<std::pair<std::string, std::vector<int64_t>>> levels = {
      {"256", {256}},    {"1023", {1023}},  // the most that are all looked at
      {"1024", {1024}},  {"1024_on_4_levels", {768, 128, 64, 64}},
      {"4096", {4096}},  {"4096_on_4_levels", {3072, 512, 256, 256}},
      {"16384", {16384}}};
  for (const auto& [name, splats] : levels)
    for (bool causal : {false, true})
      benchmark::RegisterBenchmark(absl::StrCat("Sparse/k:", name, "/causal:", causal ? 1 : 0).c_str(), SparseRun,
                                   SparseCase{splats, causal}, 8)
          ->Unit(benchmark::kMillisecond)
          ->Iterations(kTurns);
}

}  // namespace hsa::bench

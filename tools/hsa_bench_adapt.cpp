// Adaptation: a stream that drifts, with its splats as they are, observed and adapting. What that costs is CPU time beside a run without it in the same turn.
#include "tools/hsa_bench_adapt.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/jit.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

constexpr int64_t kDim = 64, kGroup = 3, kTokens = 131072;  // a KV head and the query heads that read it
constexpr int kTurns = 7;

struct AdaptCase {
  std::vector<int64_t> levels;
  AdaptLimits limits;
};

int64_t SplatsOf(const AdaptCase& c) {
  int64_t splats = 0;
  for (const int64_t level : c.levels) splats += level;
  return splats;
}

const Plan& PlanFor(const AdaptCase& c) {
  static std::map<std::vector<int64_t>, Plan> plans;
  if (auto found = plans.find(c.levels); found != plans.end()) return found->second;
  frontend::Graph graph;
  graph.set_name("bench_adapt");
  for (const char* name : {"q", "k", "v", "center", "variance"}) {
    frontend::Tensor& input = *graph.add_inputs();
    input.set_name(name), input.set_heads(*name == 'q' ? kGroup : 1), input.set_dim(kDim);
  }
  frontend::Routed& routed = *graph.add_nodes()->mutable_routed();
  routed.set_query("q"), routed.set_key("k"), routed.set_value("v"), routed.set_output("o");
  routed.set_center("center"), routed.set_variance("variance"), routed.set_causal(true);
  for (const int64_t level : c.levels) routed.add_levels()->set_splats(static_cast<uint32_t>(level));
  absl::StatusOr<Plan> plan = frontend::CompilePlan(graph, {.cache_dir = {}});
  if (!plan.ok()) std::exit(Fail(1, "hsa-bench", plan.status()));
  return plans.emplace(c.levels, *std::move(plan)).first->second;
}

// Groups with centers N(0, 1) a dimension; each swings along a direction of its own, by N(0, 1) a dimension and once in 65,536 tokens, and its tokens stand
// N(0, 0.5²) around it. Splats are where the groups begin, in turn, so that several share one.
class DriftingStream {
 public:
  explicit DriftingStream(const AdaptCase& c) : splats_(SplatsOf(c)), q_(kGroup * kTokens * kDim), k_(kTokens * kDim), v_(kTokens * kDim) {
    std::mt19937_64 bits(29);
    std::normal_distribution<float> normal;
    std::vector<float> from(kGroups * kDim), along(kGroups * kDim);
    for (float& x : from) x = normal(bits);
    for (float& x : along) x = normal(bits);
    for (int64_t j = 0; j < kTokens; ++j) {
      const auto swing = static_cast<float>(std::sin(2 * M_PI * static_cast<double>(j) / 65536));
      for (int64_t d = 0; d < kDim; ++d) {
        const int64_t at = j * 7 % kGroups * kDim + d;
        k_[j * kDim + d] = from[at] + along[at] * swing + 0.5f * normal(bits);
        v_[j * kDim + d] = normal(bits);
        for (int64_t h = 0; h < kGroup; ++h) q_[(h * kTokens + j) * kDim + d] = k_[j * kDim + d] + 0.1f * static_cast<float>(h);
      }
    }
    for (int64_t s = 0; s < splats_; ++s)
      for (int64_t d = 0; d < kDim; ++d) {
        center_.push_back(from[s % kGroups * kDim + d] + 0.1f * normal(bits));
        variance_.push_back(0.25f * kDim / 4);
      }
  }

  Inputs inputs() const {
    Inputs inputs{View(q_, kGroup, kTokens), View(k_, 1, kTokens), View(v_, 1, kTokens)};
    inputs.splats.center = View(center_, 1, splats_), inputs.splats.variance = View(variance_, 1, splats_);
    return inputs;
  }

 private:
  static constexpr int64_t kGroups = 48;
  static TensorView View(const std::vector<float>& rows, int64_t heads, int64_t tokens) {
    return {reinterpret_cast<const std::byte*>(rows.data()), DType::kF32, {heads, tokens, kDim}, {tokens * kDim, kDim, 1}};
  }

  int64_t splats_;
  std::vector<float> q_, k_, v_, center_, variance_;
};

struct Outcome {
  double seconds = 0;
  RunReport report;
};

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<int64_t>(values.size()) / 2);
  return values[values.size() / 2];
}

Outcome TimeRun(const AdaptCase& c, const DriftingStream& stream, std::vector<float>& o, std::optional<AdaptLimits> limits) {
  const MutableTensorView out = {reinterpret_cast<std::byte*>(o.data()), DType::kF32, {kGroup, kTokens, kDim}, {kTokens * kDim, kDim, 1}};
  const double start = CpuSeconds();
  absl::StatusOr<RunReport> report = Run(PlanFor(c), stream.inputs(), {.o = out}, {.threads = 1, .adapt = limits});
  const double seconds = CpuSeconds() - start;
  if (!report.ok()) std::exit(Fail(1, "hsa-bench", report.status()));
  return {seconds, *std::move(report)};
}

void AdaptRun(benchmark::State& state, const AdaptCase& c) {
  const DriftingStream stream(c);
  std::vector<float> o(kGroup * kTokens * kDim);
  TimeRun(c, stream, o, {});  // pages and caches
  std::vector<double> shares, plain;
  Outcome adapted;
  for (auto _ : state) {
    const Outcome off = TimeRun(c, stream, o, {});
    adapted = TimeRun(c, stream, o, c.limits);
    shares.push_back(adapted.seconds / off.seconds - 1), plain.push_back(off.seconds);
  }
  state.counters["overhead"] = Median(shares), state.counters["off_us_per_token"] = 1e6 * Median(plain) / kTokens;
  state.counters["residual"] = adapted.report.adapted[0].residual, state.counters["spread"] = adapted.report.adapted[0].spread;
  double events = 0;
  for (const AdaptReport& level : adapted.report.adapted)
    events += static_cast<double>(level.born + level.split + level.merged + level.died);
  state.counters["events"] = events;
}

}  // namespace

void RegisterAdapt() {
  for (const std::vector<int64_t>& levels : {std::vector<int64_t>{64, 16}, {256, 64}, {768, 256}})
    for (const int64_t segment : {4096, 1024})
      for (const Adapt what : {Adapt::kObserve, Adapt::kSplats}) {
        const AdaptCase c{levels, {.what = what, .segment_tokens = segment}};
        const std::string name = absl::StrCat("Adapt/k:", absl::StrJoin(levels, "+"), "/segment:", segment,
                                              "/adapt:", what == Adapt::kObserve ? "observe" : "on");
        benchmark::RegisterBenchmark(name.c_str(), AdaptRun, c)->Unit(benchmark::kMillisecond)->Iterations(kTurns);
      }
}

}  // namespace hsa::bench

// Scheme routed: whole runs, as a share of the FMA peak that counts 8·n·k·d: affinities of queries and keys, send and receive, two each.
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "frontend/check_graph.h"
#include "frontend/jit.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

constexpr int64_t kDim = 64;

// k splats on four levels, 64 : 16 : 4 : 1 as near as whole tiles of 16 come, for one head.
frontend::Graph RoutedGraph(int64_t splats, bool causal, bool isotropic) {
  frontend::Graph graph;
  graph.set_name("bench_routed");
  for (const char* name : {"q", "k", "v", "center", "variance"}) {
    frontend::Tensor& input = *graph.add_inputs();
    input.set_name(name), input.set_heads(1);
    input.set_dim(isotropic && std::string_view(name) == "variance" ? 1 : kDim);
  }
  frontend::Routed& routed = *graph.add_nodes()->mutable_routed();
  routed.set_query("q"), routed.set_key("k"), routed.set_value("v"), routed.set_output("o");
  routed.set_center("center"), routed.set_variance("variance"), routed.set_causal(causal);
  for (int64_t level : {splats * 3 / 4, splats / 8, splats / 16, splats / 16})
    routed.add_levels()->set_splats(static_cast<uint32_t>(level));
  return graph;
}

const Plan& RoutedPlan(int64_t splats, bool causal, bool isotropic) {
  static std::map<std::tuple<int64_t, bool, bool>, Plan> plans;
  const std::tuple key(splats, causal, isotropic);
  if (auto found = plans.find(key); found != plans.end()) return found->second;
  absl::StatusOr<Plan> plan = frontend::CompilePlan(RoutedGraph(splats, causal, isotropic), {.cache_dir = {}});
  if (!plan.ok()) std::exit(Fail(1, "hsa-bench", plan.status()));
  return plans.emplace(key, *std::move(plan)).first->second;
}

void RoutedRun(benchmark::State& state, int64_t tokens, int64_t splats, bool causal, bool isotropic, int threads) {
  const Plan& plan = RoutedPlan(splats, causal, isotropic);
  RandomTensors tensors(tokens, kDim), parameters(splats, kDim);
  Inputs inputs = tensors.inputs();
  const std::vector<float> variance(splats * kDim, static_cast<float>(kDim));
  inputs.splats.center = parameters.inputs().query;
  const int64_t width = isotropic ? 1 : kDim;
  inputs.splats.variance = {
      reinterpret_cast<const std::byte*>(variance.data()), DType::kF32, {1, splats, width}, {splats * width, width, 1}};
  const Outputs outputs = tensors.outputs();
  SpeedGauge gauge;
  for (auto _ : state) {
    gauge.Start();
    const absl::StatusOr<RunReport> report = Run(plan, inputs, outputs, {.threads = threads});
    gauge.Stop();
    if (!report.ok()) return state.SkipWithError(std::string(report.status().message()).c_str());
  }
  gauge.Report(state, 8.0 * static_cast<double>(tokens) * static_cast<double>(splats) * kDim, threads);
  state.counters["ns_per_token"] = gauge.median_seconds() * 1e9 / static_cast<double>(tokens);
}

}  // namespace

void RegisterRouted() {
  for (int64_t tokens : {int64_t{1} << 16, int64_t{1} << 20})
    for (int64_t splats : {64, 256, 1024})
      for (bool causal : {false, true})
        for (bool isotropic : {false, true})
          for (int threads : {1, 2})
            benchmark::RegisterBenchmark(absl::StrCat("Routed/n:", tokens, "/k:", splats, "/causal:", causal ? 1 : 0,
                                                      "/isotropic:", isotropic ? 1 : 0, "/threads:", threads)
                                             .c_str(),
                                         RoutedRun, tokens, splats, causal, isotropic, threads)
                ->Unit(benchmark::kMillisecond);
}

}  // namespace hsa::bench

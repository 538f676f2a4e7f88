#include "tests/end_to_end/compiled_plan.h"

#include <map>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/compile.h"
#include "frontend/graph_builder.h"
#include "gtest/gtest.h"

namespace hsa::end_to_end {

namespace {

// The bytes of the plan: compiled, or out of the build's own cache of plans, whose keys hold the build of the compiler.
const std::string& PlanBytes(const GraphSpec& graph) {
  static std::map<std::string, std::string> plans;
  const frontend::Graph built = BuildGraph(graph);
  std::string& bytes =
      plans[absl::StrCat(built.SerializeAsString(), "|", absl::StrJoin(graph.cpus, ","), "|", static_cast<int>(graph.precision))];
  if (bytes.empty()) {
    absl::StatusOr<frontend::CompileResult> compiled =
        frontend::Compile(built, {.cpus = graph.cpus, .precision = graph.precision, .cache_dir = HSA_PLAN_CACHE});
    if (!compiled.ok()) ADD_FAILURE() << compiled.status();
    bytes = compiled.ok() ? compiled->plan_bytes : "no plan";
  }
  return bytes;
}

absl::StatusOr<Plan> LoadPlan(const GraphSpec& graph, const std::string& cpu) {
  absl::StatusOr<Plan> plan = Plan::FromBytes(std::as_bytes(std::span(PlanBytes(graph))), "plan of a test");
  if (!plan.ok() || cpu.empty()) return plan;
  if (absl::Status selected = plan->SelectVariant(cpu); !selected.ok()) return selected;
  return plan;
}

}  // namespace

oracle::Problem RandomProblem(const GraphSpec& g, int64_t N, int64_t M, uint64_t seed) {
  return oracle::RandomProblem({.H = g.H, .Hkv = g.Hkv, .N = N, .M = M, .D = g.D, .Dv = g.Dv, .mask = g.mask, .scale = g.scale}, seed);
}

frontend::Graph BuildGraph(const GraphSpec& g) {
  const auto size = [](int64_t value) { return static_cast<uint32_t>(value); };
  frontend::Attention::Splats splats;
  splats.set_order(size(g.units.order));
  splats.set_segment_tokens(size(g.units.segment));
  splats.set_mini_segment_tokens(size(g.units.mini));
  splats.set_window_tokens(size(g.units.window));
  splats.set_tile_queries(size(g.units.tile));
  splats.set_near_sink_tokens(size(g.units.near_sinks));
  splats.set_bands(size(g.units.bands));
  splats.set_query_order(g.units.content_tiles ? frontend::Attention::CONTENT : frontend::Attention::POSITION);
  frontend::GraphBuilder builder("attention");
  builder.Input("q", {.heads = size(g.H), .dim = size(g.D)})
      .Input("k", {.heads = size(g.Hkv), .dim = size(g.D)})
      .Input("v", {.heads = size(g.Hkv), .dim = size(g.Dv)})
      .Attention({.query = "q", .key = "k", .value = "v", .output = "o", .lse = "lse"})
      .Splats(splats);
  if (g.scale != 0) builder.Scale(g.scale);
  if (g.mask.causal) builder.Causal();
  if (g.mask.window != 0) builder.SlidingWindow(static_cast<uint64_t>(g.mask.window), static_cast<uint64_t>(g.mask.sinks));
  absl::StatusOr<frontend::Graph> graph = builder.Build();
  if (!graph.ok()) ADD_FAILURE() << graph.status();
  return graph.value_or(frontend::Graph());
}

const Plan& PlanOf(const GraphSpec& graph, const std::string& cpu) {
  static std::map<std::string, std::unique_ptr<Plan>> plans;
  std::unique_ptr<Plan>& plan = plans[absl::StrCat(BuildGraph(graph).SerializeAsString(), "|", absl::StrJoin(graph.cpus, ","), "|", cpu,
                                                   "|", static_cast<int>(graph.precision))];
  if (plan == nullptr) {
    absl::StatusOr<Plan> loaded = LoadPlan(graph, cpu);
    if (!loaded.ok()) throw std::runtime_error(loaded.status().ToString());  // gtest fails the test with it
    plan = std::make_unique<Plan>(*std::move(loaded));
  }
  return *plan;
}

bool RunsHere(const GraphSpec& graph, const std::string& cpu) { return LoadPlan(graph, cpu).ok(); }

}  // namespace hsa::end_to_end

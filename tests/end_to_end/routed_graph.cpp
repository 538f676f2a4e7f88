#include "tests/end_to_end/routed_graph.h"

#include <map>
#include <memory>
#include <span>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/compile.h"

namespace hsa::end_to_end {

void AddInput(frontend::Graph& graph, const std::string& name, int64_t heads, int64_t dim) {
  frontend::Tensor& tensor = *graph.add_inputs();
  tensor.set_name(name), tensor.set_heads(static_cast<uint32_t>(heads)), tensor.set_dim(static_cast<uint32_t>(dim));
}

frontend::Graph RoutedGraph(const std::string& name, const oracle::RoutedSpec& spec) {
  frontend::Graph graph;
  graph.set_name(name);
  AddInput(graph, "q", spec.H, spec.D), AddInput(graph, "k", spec.Hkv, spec.D), AddInput(graph, "v", spec.Hkv, spec.Dv);
  AddInput(graph, "center", spec.Hkv, spec.D);
  if (!spec.full) AddInput(graph, "variance", spec.Hkv, spec.isotropic ? 1 : spec.bands > 0 ? spec.bands : spec.D);
  if (spec.amplitude) AddInput(graph, "amplitude", spec.Hkv, 1);
  frontend::Routed& routed = *graph.add_nodes()->mutable_routed();
  routed.set_query("q"), routed.set_key("k"), routed.set_value("v"), routed.set_output("o");
  routed.set_center("center"), routed.set_causal(spec.causal);
  if (!spec.full) routed.set_variance("variance");
  if (spec.full) AddInput(graph, "cholesky", spec.Hkv, spec.D), routed.set_cholesky("cholesky");
  if (spec.rank > 0) {
    AddInput(graph, "factor", spec.Hkv, spec.D), routed.set_factor("factor");
    for (const int64_t splats : spec.levels)
      graph.mutable_inputs(graph.inputs_size() - 1)
          ->set_tokens(graph.inputs(graph.inputs_size() - 1).tokens() + static_cast<uint64_t>(splats * spec.rank));
  }
  if (spec.amplitude) routed.set_amplitude("amplitude");
  for (size_t i = 0; i < spec.levels.size(); ++i) {
    frontend::Routed::Level& level = *routed.add_levels();
    level.set_splats(static_cast<uint32_t>(spec.levels[i]));
    if (!spec.weights.empty()) level.set_weight(spec.weights[i]);
    if (!spec.value_dims.empty()) level.set_value_dim(static_cast<uint32_t>(spec.value_dims[i]));
  }
  if (spec.gate) {
    AddInput(graph, "gate_weight", spec.Hkv, spec.D), AddInput(graph, "gate_bias", spec.Hkv, 1);
    routed.set_gate_weight("gate_weight"), routed.set_gate_bias("gate_bias");
  }
  if (spec.top > 0) routed.mutable_sparse()->set_top(static_cast<uint32_t>(spec.top));
  if (spec.threshold > 0) routed.mutable_sparse()->set_threshold(spec.threshold);
  return graph;
}

Plan& RoutedPlan(const frontend::Graph& graph, const std::vector<std::string>& cpus) {
  static std::map<std::string, std::unique_ptr<Plan>> plans;
  std::unique_ptr<Plan>& plan = plans[absl::StrCat(graph.SerializeAsString(), "|", absl::StrJoin(cpus, ","))];
  if (plan == nullptr) {
    absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(graph, {.cpus = cpus, .cache_dir = HSA_PLAN_CACHE});
    if (!compiled.ok()) throw std::runtime_error(compiled.status().ToString());  // gtest fails the test with it
    absl::StatusOr<Plan> loaded = Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), "plan of a test");
    if (!loaded.ok()) throw std::runtime_error(loaded.status().ToString());
    plan = std::make_unique<Plan>(*std::move(loaded));
  }
  return *plan;
}

}  // namespace hsa::end_to_end

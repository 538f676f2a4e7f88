#include "runtime/required_stages.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/covariance.h"

namespace hsa {

namespace {

constexpr auto kBoth = std::to_array<std::string_view>({"widen_rows", "pack_panels", "load_query", "finish", "store_rows"});
constexpr auto kSoftmax = std::to_array<std::string_view>({"gram", "metric_rows", "principal_axis", "pack_leaves", "add_rows",
                                                           "leaf_moments", "merge_moments", "attend_panels", "query_bands", "start_mass",
                                                           "root_mass", "log_mass", "score_level", "attend_leaves"});

std::vector<std::string_view> RoutedStages(const format::Graph& graph) {
  const bool causal = graph.mask().causal(), flow = !graph.routed().links().empty();
  std::vector<std::string_view> names = {"send", "settle_state", causal ? "receive_chunk" : "receive"};
  if (!graph.routed().gate_weight().empty()) names.push_back("gate");
  if (IsIsotropic(graph.routed())) names.insert(names.end(), {"center_panels", "center_query"});
  if (flow) names.push_back("flow_state");
  if (causal) names.push_back("extend_state");
  if (causal && flow) names.push_back("flow_chunk");
  if (causal) names.push_back(flow ? "begin_flow_chunk" : "begin_chunk");
  return names;
}

std::vector<std::string_view> SparseStages(const format::Graph& graph) {
  std::vector<std::string_view> names = {"widen_rows", "principal_axis", "nearest_splats",
                                         "count_near", "send_sparse",    graph.mask().causal() ? "receive_prefix" : "receive_sparse",
                                         "store_rows"};
  if (IsIsotropic(graph.routed())) names.push_back("center_tokens");
  if (!graph.routed().gate_weight().empty()) names.push_back("gate");
  if (!graph.routed().links().empty()) names.push_back(graph.mask().causal() ? "pass_on" : "flow_state");
  return names;
}

std::vector<std::string_view> RequiredOf(const format::Graph& graph) {
  if (graph.routed().has_sparse()) return SparseStages(graph);
  std::vector<std::string_view> names =
      graph.has_routed() ? RoutedStages(graph) : std::vector<std::string_view>(kSoftmax.begin(), kSoftmax.end());
  names.insert(names.begin(), kBoth.begin(), kBoth.end());
  return names;
}

}  // namespace

absl::Status CheckRequiredStages(const format::PlanHeader& header) {
  for (std::string_view name : RequiredOf(header.graph()))
    if (std::ranges::none_of(header.stages(), [&](const format::Stage& stage) { return stage.name() == name; }))
      return absl::FailedPreconditionError(absl::StrCat("the plan, written by ", header.producer(), ", has no stage '", std::string(name),
                                                        "', which this version calls; compile the graph again"));
  return absl::OkStatus();
}

}  // namespace hsa

#include "runtime/required_stages.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"

namespace hsa {

namespace {

using Names = std::initializer_list<std::string_view>;

constexpr Names kBoth = {"widen_rows", "pack_panels", "load_query", "finish", "store_rows"};
constexpr Names kSoftmax = {"gram",          "metric_rows", "principal_axis", "pack_leaves", "add_rows", "leaf_moments", "merge_moments",
                            "attend_panels", "query_bands", "start_mass",     "root_mass",   "log_mass", "score_level",  "attend_leaves"};
constexpr Names kRouted = {"send", "settle_state", "receive"};
constexpr Names kRoutedCausal = {"send", "settle_state", "begin_chunk", "receive_chunk", "extend_state"};

constexpr Names kSparse = {"widen_rows", "nearest_splats", "count_near", "send_sparse", "receive_sparse", "store_rows"};
constexpr Names kSparseCausal = {"widen_rows", "nearest_splats", "count_near", "send_sparse", "receive_prefix", "store_rows"};

std::vector<Names> RequiredOf(const format::Graph& graph) {
  const bool causal = graph.mask().causal();
  if (!graph.has_routed()) return {kBoth, kSoftmax};
  if (graph.routed().has_sparse()) return {causal ? kSparseCausal : kSparse};
  return {kBoth, causal ? kRoutedCausal : kRouted};
}

}  // namespace

absl::Status CheckRequiredStages(const format::PlanHeader& header) {
  for (const Names& names : RequiredOf(header.graph()))
    for (std::string_view name : names)
      if (std::ranges::none_of(header.stages(), [&](const format::Stage& stage) { return stage.name() == name; }))
        return absl::FailedPreconditionError(absl::StrCat("the plan, written by ", header.producer(), ", has no stage '", std::string(name),
                                                          "', which this version calls; compile the graph again"));
  return absl::OkStatus();
}

}  // namespace hsa

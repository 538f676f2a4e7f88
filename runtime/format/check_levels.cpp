#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/format/kept_dims.h"
#include "runtime/format/plan_checks.h"
#include "runtime/format/token_window.h"

namespace hsa::format {

absl::Status CheckSplatLevels(const Graph& graph, const Refusal& refuse) {
  std::set<std::string> names;
  uint32_t most = graph.value_dim();
  for (const SplatLevel& level : graph.routed().levels()) {
    if (!level.name().empty() && !names.insert(level.name()).second)
      return refuse(62, absl::StrCat("graph.routed.levels has two with the name '", level.name(), "', wanted different ones"));
    const uint32_t dims = KeptDims(graph, level);
    if (dims > most) return refuse(63, absl::StrCat("graph.routed.levels keeps ", dims, " value dims, wanted at most ", most));
    most = dims;
  }
  if (graph.routed().window() > 0) {
    const WindowSubject subject{
        .causal = graph.mask().causal(), .threshold = graph.routed().sparse().threshold() > 0, .adapts = graph.routed().has_adapt()};
    if (const std::string why = WhyNotWindow(static_cast<int64_t>(graph.routed().window()), subject); !why.empty())
      return refuse(90, absl::StrCat("graph.routed.", why));
  }
  if (!graph.routed().has_adapt()) return absl::OkStatus();
  const std::string why = WhyNotAdapt(AdaptLimitsOf(graph.routed().adapt()), AdaptSubjectOf(graph));
  return why.empty() ? absl::OkStatus() : refuse(64, absl::StrCat("graph.routed.", why));
}

}  // namespace hsa::format

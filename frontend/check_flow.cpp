#include "frontend/check_flow.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "frontend/spelling.h"

namespace hsa::frontend {
namespace {

constexpr int kMaxLinks = 64;

template <typename... Words>
absl::Status Refuse(std::string_view constraint, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(constraint), ": ", words...));
}

const Tensor& InputOf(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.inputs().begin(), graph.inputs().end(), [&](const Tensor& input) { return input.name() == name; });
}

absl::Status CheckShape(std::string_view constraint, const Tensor& tensor, uint64_t heads, uint64_t rows, uint64_t dim) {
  if (tensor.heads() == heads && tensor.dim() == dim && (!tensor.has_tokens() || tensor.tokens() == rows)) return absl::OkStatus();
  return Refuse(constraint, "input ", Quoted(tensor.name()), " is [", tensor.heads(), ", ",
                tensor.has_tokens() ? absl::StrCat(tensor.tokens()) : "S", ", ", tensor.dim(), "], wanted [", heads, ", ", rows, ", ", dim,
                "]");
}

absl::Status CheckLink(const Graph& graph, const Routed& routed, int number, const Tensor& key) {
  const Routed::Link& link = routed.links(number);
  const auto levels = static_cast<uint32_t>(routed.levels_size());
  if (link.from() >= levels || link.to() >= levels || link.from() == link.to())
    return Refuse("graph_c26", "link ", number, " leads from level ", link.from(), " to level ", link.to(), ", wanted two of ", levels);
  if (link.has_expand() != link.has_compress() || link.has_weight() == link.has_expand())
    return Refuse("graph_c26", "link ", number, " has", link.has_weight() ? " a weight" : " no weight",
                  link.has_expand() ? ", an expand" : "", link.has_compress() ? ", a compress" : "",
                  "; wanted a weight, or expand and compress");
  const uint64_t to = routed.levels(static_cast<int>(link.to())).splats(), from = routed.levels(static_cast<int>(link.from())).splats();
  if (link.has_weight()) return CheckShape("graph_c28", InputOf(graph, link.weight()), key.heads(), to, from);
  const Tensor& expand = InputOf(graph, link.expand());
  if (absl::Status shape = CheckShape("graph_c28", expand, key.heads(), to, expand.dim()); !shape.ok()) return shape;
  return CheckShape("graph_c28", InputOf(graph, link.compress()), key.heads(), expand.dim(), from);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> FlowTensors(const Routed& routed) {
  std::vector<std::pair<std::string, std::string>> tensors;
  const auto add = [&](std::string role, bool there, const std::string& name) {
    if (there) tensors.emplace_back(std::move(role), name);
  };
  for (int i = 0; i < routed.links_size(); ++i) {
    const Routed::Link& link = routed.links(i);
    add(absl::StrCat("weight of link ", i), link.has_weight(), link.weight());
    add(absl::StrCat("expand of link ", i), link.has_expand(), link.expand());
    add(absl::StrCat("compress of link ", i), link.has_compress(), link.compress());
  }
  add("gate_weight", routed.has_gate_weight(), routed.gate_weight());
  add("gate_bias", routed.has_gate_bias(), routed.gate_bias());
  return tensors;
}

absl::Status CheckFlow(const Graph& graph, const Routed& routed, const Tensor& key) {
  if (routed.links_size() > kMaxLinks) return Refuse("graph_c26", "routed has ", routed.links_size(), " links, wanted at most ", kMaxLinks);
  for (int i = 0; i < routed.links_size(); ++i)
    if (absl::Status link = CheckLink(graph, routed, i, key); !link.ok()) return link;
  if (routed.has_gate_weight() != routed.has_gate_bias())
    return Refuse("graph_c27", "a gate has gate_weight and gate_bias, ", routed.has_gate_weight() ? "gate_bias" : "gate_weight",
                  " is missing; give both or neither");
  if (!routed.has_gate_weight()) return absl::OkStatus();
  const auto levels = static_cast<uint64_t>(routed.levels_size());
  if (absl::Status shape = CheckShape("graph_c27", InputOf(graph, routed.gate_weight()), key.heads(), levels, key.dim()); !shape.ok())
    return shape;
  return CheckShape("graph_c27", InputOf(graph, routed.gate_bias()), key.heads(), levels, 1);
}

}  // namespace hsa::frontend

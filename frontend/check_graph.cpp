#include "frontend/check_graph.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/check_covariance.h"
#include "frontend/check_flow.h"
#include "frontend/check_levels.h"
#include "frontend/check_routed.h"
#include "frontend/spelling.h"

namespace hsa::frontend {
namespace {

constexpr double kDefaultTolerance = 0.05, kDefaultConfidence = 0.95;  // of runs, too (runtime/run.h)
constexpr uint32_t kMaxHeads = 4096, kMaxDim = 1024, kMaxBands = 64;
constexpr uint64_t kMaxTokens = uint64_t{1} << 40;
constexpr uint32_t kMaxUnitTokens = 1u << 20, kMaxTileQueries = 128;
constexpr uint32_t kMinTileQueries = 16;  // the samples that fit β and τ are a tile

template <typename... Words>
absl::Status Refuse(std::string_view constraint, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(constraint), ": ", words...));
}

bool IsIdentifier(std::string_view name) {
  if (name.empty() || name.size() > 128) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (!letter(name.front())) return false;
  for (const char c : name) {
    if (!letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

bool IsTensorName(std::string_view name) {
  if (name.empty() || name.size() > 256) return false;
  for (const char c : name) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\') return false;
  }
  return true;
}

// graph_c2, graph_c3
absl::Status CheckNewName(const std::string& name, std::string_view what, std::set<std::string>& taken) {
  if (name.empty()) return Refuse("graph_c2", std::string(what), " has no name; give it one");
  if (!IsTensorName(name)) {
    return Refuse("graph_c2", std::string(what), " is named ", Quoted(name),
                  ", wanted 1 to 256 printable ASCII characters without blank, quote or backslash");
  }
  if (!taken.insert(name).second) {
    return Refuse("graph_c3", "two tensors are named ", Quoted(name), "; rename ", std::string(what));
  }
  return absl::OkStatus();
}

absl::Status CheckInput(const Tensor& tensor) {
  const std::string name = Quoted(tensor.name());
  if (tensor.heads() < 1 || tensor.heads() > kMaxHeads) {
    return Refuse("graph_c4", "input ", name, " has ", tensor.heads(), " heads, wanted 1 to ", kMaxHeads, "; set heads");
  }
  if (tensor.dim() < 1 || tensor.dim() > kMaxDim) {
    return Refuse("graph_c5", "input ", name, " has dim ", tensor.dim(), ", wanted 1 to ", kMaxDim, "; set dim");
  }
  if (tensor.has_tokens() && (tensor.tokens() < 1 || tensor.tokens() > kMaxTokens)) {
    return Refuse("graph_c6", "input ", name, " has ", tensor.tokens(), " tokens, wanted 1 to ", kMaxTokens,
                  "; leave tokens out for any length");
  }
  return absl::OkStatus();
}

std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  std::vector<std::string> quoted;
  for (const std::string& name : names) {
    if (quoted.size() < kShown) quoted.push_back(Quoted(name));
  }
  if (quoted.empty()) return "none yet";
  return absl::StrCat(absl::StrJoin(quoted, ", "), names.size() > kShown ? ", ..." : "");
}

// The input that `role` (query, key or value) names: graph_c8.
absl::StatusOr<const Tensor*> FindInput(const Graph& graph, std::string_view role, const std::string& name) {
  std::vector<std::string> names;
  for (const Tensor& input : graph.inputs()) {
    if (input.name() == name) return &input;
    names.push_back(input.name());
  }
  if (name.empty()) return Refuse("graph_c8", "attention has no ", std::string(role), "; set it to an input: ", Listed(names));
  const std::string meant = DidYouMean(name, names);
  return Refuse("graph_c8", std::string(role), " of the attention is ", Quoted(name), ", which is no input of the graph",
                meant.empty() ? absl::StrCat("; its inputs are ", Listed(names)) : meant);
}

absl::Status CheckShapes(const Tensor& query, const Tensor& key, const Tensor& value) {
  const std::string q = Quoted(query.name()), k = Quoted(key.name()), v = Quoted(value.name());
  if (key.heads() != value.heads()) {
    return Refuse("graph_c10", "key ", k, " has ", key.heads(), " heads, value ", v, " has ", value.heads(),
                  "; give both the number of KV heads");
  }
  if (query.heads() % key.heads() != 0) {
    return Refuse("graph_c11", "query ", q, " has ", query.heads(), " heads, not a multiple of the ", key.heads(), " of key ", k,
                  "; each KV head serves the same number of query heads");
  }
  if (query.dim() != key.dim()) {
    return Refuse("graph_c12", "query ", q, " has dim ", query.dim(), ", key ", k, " has ", key.dim(), "; both are the head_dim");
  }
  if (key.has_tokens() && value.has_tokens() && key.tokens() != value.tokens()) {
    return Refuse("graph_c13", "key ", k, " has ", key.tokens(), " tokens, value ", v, " has ", value.tokens(), "; each key has one value");
  }
  for (const Tensor* keys : {&key, &value}) {
    if (query.has_tokens() && keys->has_tokens() && query.tokens() > keys->tokens()) {
      return Refuse("graph_c13", "query ", q, " has ", query.tokens(), " tokens, more than the ", keys->tokens(), " of ",
                    Quoted(keys->name()), "; queries are the last positions of the keys");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMask(const Attention::Mask& mask) {
  if (mask.sliding_window() > kMaxTokens) {
    return Refuse("graph_c15", "sliding_window is ", mask.sliding_window(), " tokens, wanted at most ", kMaxTokens);
  }
  if (mask.sliding_window() != 0 && !mask.causal()) {
    return Refuse("graph_c15", "sliding_window is ", mask.sliding_window(), " but the mask is not causal; set causal: true");
  }
  if (mask.sink_tokens() != 0 && mask.sliding_window() == 0) {
    return Refuse("graph_c16", "sink_tokens is ", mask.sink_tokens(),
                  " without a sliding_window, where every earlier key is visible already; set sliding_window or leave sink_tokens out");
  }
  if (mask.sink_tokens() > kMaxTokens) {
    return Refuse("graph_c16", "sink_tokens is ", mask.sink_tokens(), ", wanted at most ", kMaxTokens);
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const Attention::Splats& splats) {
  const uint32_t tile = splats.tile_queries(), window = splats.window_tokens();
  const uint32_t mini = splats.mini_segment_tokens(), segment = splats.segment_tokens();
  // Levels are strides: four nodes of one level make one of the next, up to the mini-segment.
  const uint32_t leaves = mini / kLeafTokens;
  if (mini % kLeafTokens != 0 || leaves < 4 || !std::has_single_bit(leaves) || std::countr_zero(leaves) % 2 != 0 || mini > kMaxUnitTokens) {
    return Refuse("graph_c19", "mini_segment_tokens is ", mini, ", wanted 16 times a power of 4, at least 64, at most ", kMaxUnitTokens,
                  "; write 64, 256, 1024, ... or leave it out for 1024");
  }
  // Nodes come in groups of four, and the kernel that merges moments has room for 16 children.
  if (segment % mini != 0 || (segment / mini != 4 && segment / mini != 8 && segment / mini != 16) || segment > kMaxUnitTokens) {
    return Refuse("graph_c19", "segment_tokens is ", segment, ", wanted 4, 8 or 16 times mini_segment_tokens ", mini, ", at most ",
                  kMaxUnitTokens, "; write ", 8 * mini);
  }
  if (window != mini) {
    return Refuse("graph_c19", "window_tokens is ", window, ", wanted mini_segment_tokens ", mini,
                  "; the near field of a window begins between two mini-segments, one window after the other: set both to the same");
  }
  if (tile < kMinTileQueries || tile > kMaxTileQueries || window % tile != 0) {
    return Refuse("graph_c19", "tile_queries is ", tile, ", wanted ", kMinTileQueries, " to ", kMaxTileQueries,
                  ", a divisor of window_tokens ", window, "; a window is a whole number of tiles, write ", std::min(window, 64u));
  }
  if (splats.near_sink_tokens() > mini) {
    return Refuse("graph_c19", "near_sink_tokens is ", splats.near_sink_tokens(), ", wanted at most mini_segment_tokens ", mini);
  }
  return absl::OkStatus();
}

absl::Status CheckSplats(const Attention::Splats& splats) {
  if (splats.order() != 0 && splats.order() != 2) {
    return Refuse("graph_c17", "order is ", splats.order(), ", wanted 0 (means) or 2 (means and variances)");
  }
  if (splats.has_theta() && !(std::isfinite(splats.theta()) && splats.theta() > 0)) {
    return Refuse("graph_c18", "theta is ", splats.theta(), ", wanted a finite number > 0; leave it out for the default");
  }
  const auto inside = [](double share) { return share > 0 && share < 1; };
  if (splats.has_tolerance() && !inside(splats.tolerance())) {
    return Refuse("graph_c23", "tolerance is ", splats.tolerance(), ", wanted more than 0, less than 1; leave it out for the default");
  }
  if (splats.has_confidence() && !inside(splats.confidence())) {
    return Refuse("graph_c23", "confidence is ", splats.confidence(), ", wanted more than 0, less than 1; leave it out for 0.95");
  }
  if (splats.has_theta() && (splats.has_tolerance() || splats.has_confidence())) {
    return Refuse("graph_c23", "theta is given beside ", splats.has_tolerance() ? "tolerance" : "confidence",
                  ", wanted one of them: a tolerance chooses theta");
  }
  if (splats.bands() < 1 || splats.bands() > kMaxBands) {
    return Refuse("graph_c22", "bands is ", splats.bands(), ", wanted 1 to ", kMaxBands);
  }
  return CheckSizes(splats);
}

// query, key and value of a node of either scheme; `key` is set to the input that holds the keys.
template <typename Node>
absl::Status CheckTokens(const Graph& graph, const Node& node, const Tensor*& keys) {
  absl::StatusOr<const Tensor*> query = FindInput(graph, "query", node.query());
  if (!query.ok()) return query.status();
  absl::StatusOr<const Tensor*> key = FindInput(graph, "key", node.key());
  if (!key.ok()) return key.status();
  absl::StatusOr<const Tensor*> value = FindInput(graph, "value", node.value());
  if (!value.ok()) return value.status();
  if (std::set<const Tensor*>{*query, *key, *value}.size() != 3) {
    return Refuse("graph_c9", "query, key and value of the attention are ", Quoted(node.query()), ", ", Quoted(node.key()), " and ",
                  Quoted(node.value()), ", wanted three different tensors");
  }
  keys = *key;
  return CheckShapes(**query, **key, **value);
}

absl::Status CheckRouted(const Graph& graph, const Routed& routed) {
  const Tensor* key = nullptr;
  if (absl::Status tokens = CheckTokens(graph, routed, key); !tokens.ok()) return tokens;
  std::vector<const Tensor*> parameters;
  std::set<std::string> names = {routed.query(), routed.key(), routed.value()};
  for (const auto& [role, name] :
       {std::pair{"center", routed.center()}, {"variance", routed.variance()}, {"amplitude", routed.amplitude()}}) {
    if (name.empty() && (std::string_view(role) == "amplitude" || (std::string_view(role) == "variance" && routed.has_cholesky())))
      continue;
    absl::StatusOr<const Tensor*> input = FindInput(graph, role, name);
    if (!input.ok()) return input.status();
    if (!names.insert(name).second)
      return Refuse("graph_c9", role, " of the attention is ", Quoted(name), ", which it reads already; wanted different tensors");
    parameters.push_back(*input);
  }
  if (absl::Status splats = CheckSplatParameters(routed, *key, parameters); !splats.ok()) return splats;
  if (absl::Status dims = CheckValueDims(routed, (*FindInput(graph, "value", routed.value()))->dim()); !dims.ok()) return dims;
  std::vector<std::pair<std::string, std::string>> more = CovarianceTensors(routed);
  for (auto& tensor : FlowTensors(routed)) more.push_back(std::move(tensor));
  for (const auto& [role, name] : more) {
    absl::StatusOr<const Tensor*> input = FindInput(graph, role, name);
    if (!input.ok()) return input.status();
    if (!names.insert(name).second)
      return Refuse("graph_c9", role, " of the attention is ", Quoted(name), ", which it reads already; wanted different tensors");
  }
  if (absl::Status covariance = CheckCovariance(graph, routed, *key); !covariance.ok()) return covariance;
  return CheckFlow(graph, routed, *key);
}

absl::Status CheckAttention(const Graph& graph, const Attention& attention) {
  const Tensor* key = nullptr;
  if (absl::Status tokens = CheckTokens(graph, attention, key); !tokens.ok()) return tokens;
  if (attention.has_scale() && !(std::isfinite(attention.scale()) && attention.scale() > 0)) {
    return Refuse("graph_c14", "scale is ", attention.scale(), ", wanted a finite number > 0; leave it out for 1/√dim");
  }
  if (absl::Status mask = CheckMask(attention.mask()); !mask.ok()) return mask;
  return CheckSplats(attention.splats());
}

absl::Status CheckOutputs(const Graph& graph, const std::vector<std::string>& made) {
  if (graph.outputs().empty()) return absl::OkStatus();
  std::set<std::string> listed;
  for (const std::string& output : graph.outputs()) {
    if (!listed.insert(output).second) return Refuse("graph_c20", "outputs lists ", Quoted(output), " twice");
    if (std::find(made.begin(), made.end(), output) == made.end()) {
      return Refuse("graph_c20", "outputs lists ", Quoted(output), ", which no node makes", DidYouMean(output, made));
    }
  }
  for (const std::string& name : made) {
    if (!listed.contains(name)) {
      return Refuse("graph_c20", "the attention makes ", Quoted(name), ", which outputs does not list; add it, or leave outputs out");
    }
  }
  return absl::OkStatus();
}

// What a node reads and makes, of either scheme.
struct NamedNode {
  explicit NamedNode(const Node& node) {
    if (node.has_routed()) {
      routed = &node.routed();
      reads = {routed->query(), routed->key(), routed->value(), routed->center(), routed->variance(), routed->amplitude()};
      for (const auto& [role, name] : CovarianceTensors(*routed)) reads.insert(name);
      for (const auto& [role, name] : FlowTensors(*routed)) reads.insert(name);
      made = {routed->output()};
      return;
    }
    reads = {node.attention().query(), node.attention().key(), node.attention().value()};
    made = {node.attention().output()};
    if (node.attention().has_lse()) made.push_back(node.attention().lse());
  }
  const Routed* routed = nullptr;
  std::set<std::string> reads;
  std::vector<std::string> made;
};

void WriteDefaults(Routed::Adapt& adapt) {
  adapt.set_what(adapt.what());
  adapt.set_segment_tokens(adapt.segment_tokens());
  adapt.set_most_events(adapt.most_events());
  adapt.set_least_splats(adapt.least_splats());
  adapt.set_history(adapt.history());
  adapt.set_memory(adapt.memory());
  adapt.set_cover(adapt.cover());
  adapt.set_uncovered_share(adapt.uncovered_share());
  adapt.set_idle(adapt.idle());
  adapt.set_gain(adapt.gain());
  adapt.set_asleep(adapt.asleep());
  adapt.set_level_tokens(adapt.level_tokens());
  adapt.set_level_residual(adapt.level_residual());
  adapt.set_level_gain(adapt.level_gain());
  adapt.set_weight_bound(adapt.weight_bound());
}

// Defaults of scheme routed, written out.
void WriteDefaults(Routed& routed) {
  routed.set_causal(routed.causal());
  for (int level = 0; level < routed.levels_size(); ++level) {
    routed.mutable_levels(level)->set_weight(routed.levels(level).weight());
    routed.mutable_levels(level)->set_name(LevelName(routed, level));
  }
  if (routed.has_adapt()) WriteDefaults(*routed.mutable_adapt());
  if (routed.has_sparse()) routed.mutable_sparse()->set_top(routed.sparse().top());
}

}  // namespace

absl::Status CheckGraph(const Graph& graph) {
  if (!IsIdentifier(graph.name())) {
    return Refuse("graph_c1", "name of the graph is ", Quoted(graph.name()),
                  ", wanted 1 to 128 letters, digits and '_', no digit first; set name");
  }
  if (graph.nodes_size() != 1 || graph.nodes(0).kind_case() == Node::KIND_NOT_SET) {
    const std::string found = graph.nodes_size() == 1 ? "the node is empty" : absl::StrCat("the graph has ", graph.nodes_size(), " nodes");
    return Refuse("graph_c7", found, "; this version compiles one attention per graph: write nodes { attention { ... } } once");
  }
  std::set<std::string> taken;
  for (const Tensor& input : graph.inputs()) {
    if (absl::Status name = CheckNewName(input.name(), "an input", taken); !name.ok()) return name;
    if (absl::Status shape = CheckInput(input); !shape.ok()) return shape;
  }
  const NamedNode node(graph.nodes(0));
  const absl::Status checked =
      node.routed != nullptr ? CheckRouted(graph, *node.routed) : CheckAttention(graph, graph.nodes(0).attention());
  if (!checked.ok()) return checked;
  for (const std::string& name : node.made) {
    const std::string_view what = &name == &node.made.front() ? "the output of the attention" : "the lse of the attention";
    if (absl::Status fresh = CheckNewName(name, what, taken); !fresh.ok()) return fresh;
  }
  for (const Tensor& input : graph.inputs()) {
    if (!node.reads.contains(input.name())) return Refuse("graph_c21", "no node reads input ", Quoted(input.name()), "; leave it out");
  }
  return CheckOutputs(graph, node.made);
}

Graph WithDefaults(const Graph& graph) {
  Graph full = graph;
  if (full.nodes(0).has_routed()) {
    Routed& routed = *full.mutable_nodes(0)->mutable_routed();
    WriteDefaults(routed);
    if (full.outputs().empty()) full.add_outputs(routed.output());
    return full;
  }
  Attention& attention = *full.mutable_nodes(0)->mutable_attention();
  for (const Tensor& input : full.inputs()) {
    if (!attention.has_scale() && input.name() == attention.key()) attention.set_scale(1 / std::sqrt(static_cast<double>(input.dim())));
  }
  Attention::Mask& mask = *attention.mutable_mask();
  mask.set_causal(mask.causal());
  mask.set_sliding_window(mask.sliding_window());
  mask.set_sink_tokens(mask.sink_tokens());
  Attention::Splats& splats = *attention.mutable_splats();
  splats.set_order(splats.order());
  splats.set_near_sink_tokens(splats.near_sink_tokens());
  splats.set_window_tokens(splats.window_tokens());
  splats.set_tile_queries(splats.tile_queries());
  splats.set_mini_segment_tokens(splats.mini_segment_tokens());
  splats.set_segment_tokens(splats.segment_tokens());
  splats.set_bands(splats.bands());
  splats.set_query_order(splats.query_order());
  if (splats.has_tolerance() || splats.has_confidence()) {
    splats.set_tolerance(splats.has_tolerance() ? splats.tolerance() : kDefaultTolerance);
    splats.set_confidence(splats.has_confidence() ? splats.confidence() : kDefaultConfidence);
  }
  if (full.outputs().empty()) {
    full.add_outputs(attention.output());
    if (attention.has_lse()) full.add_outputs(attention.lse());
  }
  return full;
}

}  // namespace hsa::frontend

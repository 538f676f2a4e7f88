#include "runtime/links_from_keys.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "runtime/covariance.h"
#include "runtime/routed_tables.h"

namespace hsa {
namespace {

constexpr auto kStages = std::to_array<std::string_view>({"nearest_splats", "count_near", "kept_shares", "overlap", "threshold_rows"});

// The splats of one kv_head alone.
format::Graph SplatsAlone(format::Graph graph) {
  format::Routed& routed = *graph.mutable_routed();
  routed.clear_links(), routed.clear_gate_weight(), routed.clear_gate_bias();
  if (!routed.has_sparse()) routed.mutable_sparse()->set_top(kLinkTop);
  graph.set_kv_heads(1), graph.set_query_heads(1);
  return graph;
}

}  // namespace

absl::Status LinksFromKeys::Check(const format::PlanHeader& header) {
  for (const std::string_view name : kStages)
    if (std::ranges::none_of(header.stages(), [&](const format::Stage& stage) { return stage.name() == name; }))
      return absl::FailedPreconditionError(absl::StrCat("--links-by overlap: the plan, written by ", header.producer(), ", has no stage '",
                                                        std::string(name), "'; compile the graph again"));
  return absl::OkStatus();
}

LinksFromKeys::LinksFromKeys(const Program& program, const format::Graph& graph, int64_t tokens)
    : graph_(SplatsAlone(graph)),
      search_(program),
      shares_(program.Find("kept_shares")),
      overlap_(program.Find("overlap")),
      threshold_(program.Find("threshold_rows")),
      log_threshold_(LogThreshold(graph_.routed().sparse(), static_cast<double>(tokens))),
      lists_(graph.routed().levels_size(), graph_.routed().sparse().top()) {
  int32_t first = 0;
  for (const format::SplatLevel& level : graph.routed().levels()) {
    levels_.push_back({first, level.splats()});
    first += static_cast<int32_t>(level.splats());
  }
  for (const format::Link& link : graph.routed().links()) {
    links_.emplace_back(link.from(), link.to());
    shared_.emplace_back(link.weight().empty() ? 0 : levels_[link.from()].splats * Width(static_cast<int>(link.to())), 0.0f);
  }
}

absl::StatusOr<LinksFromKeys> LinksFromKeys::Of(const Program& program, Worker& worker, const SplatTensors& splats, int64_t tokens) {
  LinksFromKeys links(program, program.header().graph(), tokens);
  const absl::StatusOr<std::vector<RoutedTables>> tables = BuildRoutedTables(links.graph_, splats);
  if (!tables.ok()) return tables.status();
  for (const Level& level : links.levels_)
    links.trees_.push_back(LevelTree::Flat({tables->front(), level.first, level.splats, IsIsotropic(links.graph_.routed())}));
  return links;
}

int64_t LinksFromKeys::Width(int level) const { return nearListSlots(static_cast<int>(levels_[level].splats)); }

void LinksFromKeys::Add(Worker& worker, const float* rows, int64_t count) {
  lists_.Search(worker, search_, trees_, count, rows);
  lists_.Count(worker, search_, std::vector<float>(count, log_threshold_));
  lists_.BindKeys(worker);
  worker.Call(shares_);
  for (size_t link = 0; link < links_.size(); ++link) {
    if (shared_[link].empty()) continue;  // a bottleneck
    const auto [from, to] = links_[link];
    lists_.BindLevels(worker, from, to);
    const std::array<int32_t, 2> first = {levels_[from].first, levels_[to].first};
    worker.Bind("overlap_first", first.data(), {2});
    worker.Bind("overlap", shared_[link].data(), {levels_[from].splats, Width(to)});
    worker.Call(overlap_);
  }
}

std::vector<float> LinksFromKeys::Weight(Worker& worker, int link) {
  const auto [from, to] = links_[link];
  const int64_t rows = levels_[from].splats, columns = levels_[to].splats, width = Width(to);
  const std::array<float, 1> least = {static_cast<float>(std::log2(kLeastLink))};
  worker.Bind("near_least", least.data(), {1});
  worker.Bind("overlap", shared_[link].data(), {rows, width});
  worker.Call(threshold_);
  std::vector<float> weight(columns * rows);
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t s = 0; s < columns; ++s) weight[s * rows + t] = shared_[link][t * width + s];
  return weight;
}

}  // namespace hsa

#include "runtime/links_from_keys.h"

#include <algorithm>
#include <cmath>

namespace hsa {
namespace {

constexpr uint32_t kKeptByDefault = 8;

// The splats alone, all levels alike.
format::Graph SplatsAlone(format::Graph graph) {
  format::Routed& routed = *graph.mutable_routed();
  routed.clear_links(), routed.clear_gate_weight(), routed.clear_gate_bias();
  if (!routed.has_sparse()) routed.mutable_sparse()->set_top(kKeptByDefault);
  for (format::SplatLevel& level : *routed.mutable_levels()) level.set_weight(1);
  return graph;
}

std::vector<double> InverseRowSums(const KeptMatrix& matrix) {
  std::vector<double> factors = matrix.RowSums();
  for (double& sum : factors) sum = sum > 0 ? 1 / sum : 1;
  return factors;
}

}  // namespace

LinksFromKeys::LinksFromKeys(const format::Graph& graph, const SplatTensors& splats, int64_t head)
    : graph_(SplatsAlone(graph)), splats_(graph_, splats, head) {
  for (const format::Link& link : graph.routed().links()) {
    links_.emplace_back(link.from(), link.to());
    KeptMatrix& shared = shared_.emplace_back();
    shared.columns = graph.routed().levels(static_cast<int>(link.to())).splats();
    shared.begin.assign(graph.routed().levels(static_cast<int>(link.from())).splats() + 1, 0);
  }
}

void LinksFromKeys::Add(std::span<const std::vector<double>> keys) {
  const std::vector<KeptMatrix> levels = Memberships(keys);
  for (size_t link = 0; link < links_.size(); ++link)
    shared_[link] = Union(shared_[link], Product(Transposed(levels[links_[link].first]), levels[links_[link].second]));
}

KeptMatrix LinksFromKeys::Weight(int link) const {
  KeptMatrix shared = shared_[link];
  Threshold(shared, kLeastLink);
  ScaleRows(shared, InverseRowSums(shared));
  return Transposed(shared);
}

std::vector<KeptMatrix> LinksFromKeys::Memberships(std::span<const std::vector<double>> keys) const {
  std::vector<KeptMatrix> levels(graph_.routed().levels_size());
  std::vector<double> near(splats_.count());
  for (const std::vector<double>& key : keys) {
    splats_.LogKept(key, static_cast<double>(keys.size()), near);
    splats_.Weigh(key, near);
    int64_t first = 0;
    for (size_t level = 0; level < levels.size(); ++level) {
      const std::span<double> row = std::span(near).subspan(first, graph_.routed().levels(static_cast<int>(level)).splats());
      const double most = *std::max_element(row.begin(), row.end());
      for (double& x : row) x = std::exp(x - most);
      levels[level].columns = static_cast<int64_t>(row.size());
      levels[level].AddRow(row);
      first += static_cast<int64_t>(row.size());
    }
  }
  for (KeptMatrix& level : levels) ScaleRows(level, InverseRowSums(level));
  return levels;
}

}  // namespace hsa

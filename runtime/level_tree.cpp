#include "runtime/level_tree.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/affinity.h"
#include "runtime/key_order.h"

namespace hsa {
namespace {

// Those that are there: adaptation leaves slots empty.
std::vector<int32_t> LiveOf(const LevelSplats& level) {
  std::vector<int32_t> live;
  for (int64_t s = level.first; s < level.first + level.slots; ++s)
    if (level.tables.IsSplat(s)) live.push_back(static_cast<int32_t>(s));
  return live;
}

// What isotropic splats are relative to; empty of others.
std::vector<float> CenterOf(const LevelSplats& level, const std::vector<int32_t>& splats) {
  if (!level.isotropic) return {};
  std::vector<float> center(level.tables.depth);
  for (const int32_t s : splats)
    for (int64_t d = 0; d < level.tables.depth; ++d) center[d] += level.tables.Center(s, d) / static_cast<float>(splats.size());
  return center;
}

// The same, so that every 64 of them in a row are evenly spread over all: neighbours are often near each other, and a list of the nearest that began with those far
// away would be joined by nearly all that come later.
std::vector<int32_t> Spread(const std::vector<int32_t>& numbers) {
  const size_t tiles = (numbers.size() + kSplatTile - 1) / kSplatTile;
  std::vector<int32_t> spread;
  for (size_t tile = 0; tile < tiles; ++tile)
    for (size_t i = tile; i < numbers.size(); i += tiles) spread.push_back(numbers[i]);
  return spread;
}

// The splats in the order of their nodes. In units of the mean r, in which two splats are as far from each other as they are for most tokens.
std::vector<int32_t> OrderByNode(const Program& program, Worker& worker, const RoutedTables& tables, const std::vector<int32_t>& splats,
                                 int64_t width) {
  const auto count = static_cast<int64_t>(splats.size());
  const std::vector<float> mean = tables.MeanScale(splats);
  std::vector<float> x(count * width);
  for (int64_t s = 0; s < count; ++s)
    for (int64_t d = 0; d < tables.depth; ++d) x[s * width + d] = tables.Center(splats[s], d) * mean[d];
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  KeyOrder(program, worker).Group(x, width, order, kSplatTile);
  for (int32_t& splat : order) splat = splats[splat];
  return order;
}

}  // namespace

LevelTree LevelTree::Flat(const LevelSplats& level) {
  const std::vector<int32_t> live = LiveOf(level);
  return {PanelsOf(level.tables, Spread(live), CenterOf(level, live)), std::nullopt, std::nullopt};
}

LevelTree LevelTree::WithNodes(const Program& program, Worker& worker, const LevelSplats& level, int64_t width) {
  const RoutedTables& tables = level.tables;
  const std::vector<int32_t> live = LiveOf(level);
  if (live.empty()) return Flat(level);  // it sleeps
  const std::vector<int32_t> order = OrderByNode(program, worker, tables, live, width);
  const auto count = static_cast<int64_t>(order.size());
  const int64_t nodes = (count + kSplatTile - 1) / kSplatTile;
  RoutedTables means;
  means.splats = nodes, means.depth = tables.depth;
  means.scale.resize(nodes * means.depth);
  means.shift.resize(nodes * means.depth);
  means.amplitude.assign(nodes, 0);
  for (int64_t node = 0; node < nodes; ++node) {
    const int64_t begin = node * kSplatTile, end = std::min<int64_t>(begin + kSplatTile, count);
    const auto share = 1 / static_cast<float>(end - begin);
    for (int64_t i = begin; i < end; ++i) means.amplitude[node] += share * tables.amplitude[order[i]];
    for (int64_t d = 0; d < means.depth; ++d) {
      float scale = 0, center = 0;
      for (int64_t i = begin; i < end; ++i) {
        scale += share * tables.scale[order[i] * tables.depth + d];
        center += share * tables.Center(order[i], d);
      }
      means.scale[node * means.depth + d] = scale;
      means.shift[node * means.depth + d] = -scale * center;
    }
  }
  std::vector<int32_t> numbers(nodes);
  std::iota(numbers.begin(), numbers.end(), 0);
  const std::vector<float> center = CenterOf(level, order);
  return {PanelsOf(tables, order, center), PanelsOf(means, Spread(numbers), center), std::nullopt};
}

LevelTree LevelTree::WithGraph(const Program& program, Worker& worker, const LevelSplats& level, int64_t width) {
  LevelTree tree = WithNodes(program, worker, level, width);
  if (tree.splats.splats == 0) return tree;
  tree.graph.emplace(level.tables, std::span(tree.splats.ids).first(tree.splats.splats));
  return tree;
}

}  // namespace hsa

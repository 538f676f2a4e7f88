#include "runtime/level_tree.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/affinity.h"
#include "runtime/key_order.h"

namespace hsa {
namespace {

// Those of [first, first + count) that are there: adaptation leaves slots empty.
std::vector<int32_t> LiveOf(const RoutedTables& tables, int64_t first, int64_t count) {
  std::vector<int32_t> live;
  for (int64_t s = first; s < first + count; ++s)
    if (tables.IsSplat(s)) live.push_back(static_cast<int32_t>(s));
  return live;
}

// The splats in the order of their nodes. In units of the mean r, in which two splats are as far from each other as they are for most tokens.
std::vector<int32_t> OrderByNode(const Program& program, Worker& worker, const RoutedTables& tables, const std::vector<int32_t>& splats,
                                 int64_t width) {
  const auto count = static_cast<int64_t>(splats.size());
  std::vector<float> mean(tables.depth), x(count * width);
  for (int64_t s = 0; s < count; ++s)
    for (int64_t d = 0; d < tables.depth; ++d) mean[d] += tables.scale[splats[s] * tables.depth + d] / static_cast<float>(count);
  for (int64_t s = 0; s < count; ++s)
    for (int64_t d = 0; d < tables.depth; ++d) {
      const int64_t entry = splats[s] * tables.depth + d;
      if (tables.scale[entry] > 0) x[s * width + d] = -tables.shift[entry] / tables.scale[entry] * mean[d];
    }
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  KeyOrder(program, worker).Group(x, width, order, kSplatTile);
  for (int32_t& splat : order) splat = splats[splat];
  return order;
}

}  // namespace

LevelTree LevelTree::Flat(const RoutedTables& tables, int64_t first, int64_t slots) {
  return {PanelsOf(tables, LiveOf(tables, first, slots)), std::nullopt};
}

LevelTree LevelTree::WithNodes(const Program& program, Worker& worker, const RoutedTables& tables, int64_t first, int64_t slots,
                               int64_t width) {
  const std::vector<int32_t> order = OrderByNode(program, worker, tables, LiveOf(tables, first, slots), width);
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
        const int64_t entry = order[i] * tables.depth + d;
        scale += share * tables.scale[entry];
        if (tables.scale[entry] > 0) center -= share * tables.shift[entry] / tables.scale[entry];
      }
      means.scale[node * means.depth + d] = scale;
      means.shift[node * means.depth + d] = -scale * center;
    }
  }
  std::vector<int32_t> numbers(nodes);
  std::iota(numbers.begin(), numbers.end(), 0);
  return {PanelsOf(tables, order), PanelsOf(means, numbers)};
}

bool HasNodes(int64_t top, int64_t splats) { return splats >= kDescentSplats && 2 * top * kSplatTile <= splats; }

}  // namespace hsa

#include "dialect/reference/splat_tree.h"

#include "dialect/reference/bisection.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace hsa::ir::reference {

bool isFinite(std::span<const double> row) {
  return std::all_of(row.begin(), row.end(), [](double x) { return std::isfinite(x); });
}

std::vector<bool> finiteKeys(const Tensor& key, const Tensor& value, int64_t kvHead) {
  std::vector<bool> finite(key.shape[1]);
  for (int64_t j = 0; j < key.shape[1]; ++j) finite[j] = isFinite(key.row(kvHead, j)) && isFinite(value.row(kvHead, j));
  return finite;
}

// The order of a unit's live keys: given, or our own.
static Tree treeOf(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, const Unit& unit, int64_t kvHead,
                   const std::vector<bool>& finite, const GivenIndex* given) {
  if (given)
    if (auto found = given->slots.find({kvHead, unit.key}); found != given->slots.end()) return found->second;
  std::vector<int64_t> live;
  for (int64_t j = std::max(unit.key.firstToken, layout.config().getNearSinkTokens()); j < unit.end(); ++j)
    if (finite[j]) live.push_back(j);
  return bisect(metricOf(query, key, value, layout, unit, kvHead, live), live, unit.key.tokens, layout.config().getLeafTokens());
}

SplatIndex summarize(const Tensor& query, std::shared_ptr<const Tensor> key, std::shared_ptr<const Tensor> value, const Layout& layout,
                     const GivenIndex* given) {
  const std::vector<Unit>& units = layout.units();
  std::set<int64_t> seen;
  for (const Block& block : layout.blocks())
    for (const Window& window : block.windows)
      for (int64_t unit : layout.indexOf(window.start)) seen.insert(unit);

  SplatIndex index{key, value, {}};
  for (int64_t kvHead = 0; kvHead < index.kvHeads(); ++kvHead) {
    const std::vector<bool> finite = finiteKeys(*key, *value, kvHead);
    std::vector<Tree>& trees = index.trees.emplace_back(units.size());
    for (int64_t u : seen) trees[u] = treeOf(query, *key, *value, layout, units[u], kvHead, finite, given);
  }
  return index;
}

}  // namespace hsa::ir::reference

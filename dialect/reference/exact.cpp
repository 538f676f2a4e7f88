#include "dialect/reference/exact.h"

#include "dialect/reference/linear_algebra.h"
#include "dialect/reference/splat_tree.h"

namespace hsa::ir::reference {

// Whether key j, finite or not, is in the near field of query i.
static bool isNear(const Layout& layout, int64_t i, int64_t j, bool finite) {
  return j < layout.config().getNearSinkTokens() || !finite || j >= layout.nearStart(layout.windowOf(i));
}

Partial attendExact(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, Field field, double scale,
                    int64_t first) {
  const int64_t heads = query.shape[0], queries = query.shape[1], kvHeads = key.shape[0];
  Partial partial = Partial::empty(heads, queries, value.shape[2]);
  for (int64_t kvHead = 0; kvHead < kvHeads; ++kvHead) {
    const std::vector<bool> finite = finiteKeys(key, value, kvHead);
    std::vector<bool> finiteScore(finite.size());  // a non-finite value with a finite key spoils the output only
    for (size_t j = 0; j < finite.size(); ++j) finiteScore[j] = isFinite(key.row(kvHead, int64_t(j)));
    for (int64_t h = kvHead * heads / kvHeads; h < (kvHead + 1) * heads / kvHeads; ++h)
      for (int64_t i = 0; i < queries; ++i) {
        const bool finiteQuery = isFinite(query.row(h, i));
        for (int64_t j = 0; j < key.shape[1]; ++j) {
          if (!layout.sees(i, first + j)) continue;
          if (field == Field::Near && !isNear(layout, i, j, finite[j])) continue;
          if (!finiteQuery || !finiteScore[j]) {
            partial.poison(h, i);
            break;
          }
          partial.add(h, i, scale * dot(query.row(h, i), key.row(kvHead, j)), value.row(kvHead, j));
        }
      }
  }
  return partial;
}

}  // namespace hsa::ir::reference

#include "runtime/search_recall.h"

#include <algorithm>
#include <cmath>

namespace hsa {

void AddRecall(const NearLists& found, const NearLists& whole, int64_t levels, int64_t tokens, Recall& recall) {
  for (int64_t level = 0; level < levels; ++level)
    for (int64_t token = 0; token < tokens; ++token) {
      const auto nearest = whole.splats(level, token), other = found.splats(level, token);
      if (nearest.empty()) continue;
      recall.nearest += static_cast<int64_t>(nearest.size());
      for (int32_t splat : nearest) recall.found += std::ranges::find(other, splat) != other.end();
      const float most = whole.scores(level, token)[0];
      for (float score : whole.scores(level, token)) recall.mass += std::exp2(score - most);
      for (float score : found.scores(level, token)) recall.mass_found += std::exp2(score - most);
    }
}

}  // namespace hsa

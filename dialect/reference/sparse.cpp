#include "dialect/reference/sparse.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "llvm/ADT/STLExtras.h"

namespace hsa::ir::reference {

static constexpr double kThresholdTokens = 8192;  // up to so many the threshold is as given

// Of the splats [first, first + count) of one token; `weight` is log a φ of each splat.
static void sparsifyLevel(std::span<double> row, const std::vector<double>& weight, int64_t first, int64_t count, int64_t top,
                          double threshold) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), first);
  llvm::sort(order, [&](int64_t s, int64_t t) { return weight[s] != weight[t] ? weight[s] > weight[t] : s < t; });
  const double least = weight[order[0]] + std::log(threshold);
  for (auto [place, s] : llvm::enumerate(order))
    if (static_cast<int64_t>(place) >= top || weight[s] < least) row[s] = -std::numeric_limits<double>::infinity();
}

Tensor sparsify(const Tensor& affinity, const Keep& keep) {
  Tensor kept = affinity;
  const int64_t heads = affinity.shape[0], queries = affinity.shape[1], splats = affinity.shape[2];
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < queries; ++i) {
      const std::span<double> row = kept.row(h, i);
      if (llvm::any_of(row, [](double x) { return std::isnan(x); })) continue;
      std::vector<double> weight(row.begin(), row.end());
      for (int64_t s = 0; keep.amplitude && s < splats; ++s) weight[s] += keep.amplitude->row(h * keep.amplitude->shape[0] / heads, s)[0];
      const auto length = static_cast<double>(keep.causal ? keep.tokens - queries + i + 1 : keep.tokens);
      const double threshold = std::min(1.0, keep.threshold * std::sqrt(std::max(1.0, length / kThresholdTokens)));
      int64_t first = 0;
      for (int64_t count : keep.levels) {
        sparsifyLevel(row, weight, first, count, keep.top, threshold);
        first += count;
      }
    }
  return kept;
}

}  // namespace hsa::ir::reference

#include "dialect/reference/calibration.h"

#include <algorithm>
#include <cmath>

namespace hsa::ir::reference {

static constexpr int64_t kSamples = 16;

// The finite queries of the sample.
static std::vector<std::span<const double>> samplesOf(const Tensor& query, int64_t kvHeads, const Layout& layout, const Unit& unit,
                                                      int64_t kvHead) {
  const int64_t group = query.shape[0] / kvHeads, first = layout.position(0);
  const int64_t begin = layout.causal() ? std::max(first, unit.end() - layout.config().getSegmentTokens()) : first;
  const int64_t end = layout.causal() ? unit.end() : layout.keys();
  std::vector<std::span<const double>> samples;
  if (end - begin < kSamples) return samples;
  for (int64_t t = 0; t < kSamples; ++t) {
    const int64_t position = begin + (2 * t + 1) * (end - begin) / (2 * kSamples);
    const std::span<const double> q = query.row(kvHead * group + t % group, position - first);
    if (isFinite(q)) samples.push_back(q);
  }
  return samples;
}

// log Σ e^{logits} over the keys of slots [begin, end), logits per slot.
static double logSum(const std::vector<double>& logits, const std::vector<int64_t>& slots, int64_t begin, int64_t end) {
  double max = -INFINITY, sum = 0;
  for (int64_t s = begin; s < end; ++s)
    if (slots[s] >= 0) max = std::max(max, logits[s]);
  for (int64_t s = begin; s < end; ++s)
    if (slots[s] >= 0) sum += std::exp(logits[s] - max);
  return max + std::log(sum);
}

// y = true log-mass over the first-order one, beside h = what the formula says it is.
struct Fit {
  std::vector<double> y, h;
};

static void solve(Node& node, const Fit& fit) {
  const double count = double(fit.y.size());
  double meanH = 0, meanRest = 0;
  for (size_t t = 0; t < fit.y.size(); ++t) meanH += fit.h[t] / count, meanRest += (fit.y[t] - fit.h[t]) / count;
  double covariance = 0, variance = 0;
  for (size_t t = 0; t < fit.y.size(); ++t) {
    covariance += (fit.h[t] - meanH) * (fit.y[t] - fit.h[t] - meanRest) / count;
    variance += (fit.h[t] - meanH) * (fit.h[t] - meanH) / count;
  }
  const double b = covariance / (variance + 0.1 + 0.05 * meanH * meanH);
  node.beta = std::clamp(1 + b, 0.0, 2.0);
  node.tau = meanRest - b * meanH;
}

void calibrate(Tree& tree, const Tensor& query, const Tensor& key, const Layout& layout, const Unit& unit, int64_t kvHead, double scale) {
  const auto samples = samplesOf(query, key.shape[0], layout, unit, kvHead);
  if (samples.empty()) return;
  std::vector<Fit> fits(tree.nodes.size());
  for (std::span<const double> q : samples) {
    const std::vector<double> norms = bandNorms(*tree.basis, q, layout.config().getBands());
    std::vector<double> logits(tree.slots.size());
    for (size_t s = 0; s < tree.slots.size(); ++s)
      if (tree.slots[s] >= 0) logits[s] = scale * dot(q, key.row(kvHead, tree.slots[s]));
    for (int64_t level = 0; level < unit.levels(); ++level)
      for (int64_t n = 0; n < unit.nodes(level); ++n) {
        const int64_t number = unit.firstNode[level] + n, size = unit.levelTokens[level];
        const Node& node = tree.nodes[number];
        if (node.keys == 0) continue;
        const double firstOrder = std::log(double(node.keys)) + scale * dot(q, node.mean);
        fits[number].y.push_back(logSum(logits, tree.slots, n * size, (n + 1) * size) - firstOrder);
        fits[number].h.push_back(gain(spread(node, norms, scale), node.keys));
      }
  }
  for (size_t number = 0; number < tree.nodes.size(); ++number)
    if (tree.nodes[number].keys > 0) solve(tree.nodes[number], fits[number]);
}

}  // namespace hsa::ir::reference

#include "dialect/reference/nodes.h"

#include "dialect/reference/linear_algebra.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace hsa::ir::reference {

// Band b is the dimensions [b·w, (b+1)·w) that exist, w = ⌈D/bands⌉.
static Range bandOf(int64_t band, int64_t bands, int64_t dim) {
  const int64_t width = (dim + bands - 1) / bands;
  return {std::min(band * width, dim), std::min((band + 1) * width, dim)};
}

static double squaredNorm(std::span<const double> x, Range range) {
  const std::span<const double> part = x.subspan(range.begin, range.end - range.begin);
  return dot(part, part);
}

std::vector<double> referenceOf(const Tensor& query, int64_t head, Range queries) {
  std::vector<double> mean(query.shape[2], 0);
  int64_t count = 0;
  for (int64_t i = queries.begin; i < queries.end; ++i) {
    const std::span<const double> q = query.row(head, i);
    if (!isFinite(q)) continue;
    ++count;
    for (size_t d = 0; d < mean.size(); ++d) mean[d] += q[d];
  }
  if (count == 0) return mean;
  for (double& m : mean) m /= double(count);
  return mean;
}

// p_j of `keys`, and A.
static std::pair<std::vector<double>, double> weightsOf(const std::vector<int64_t>& keys, const Tensor& key, int64_t kvHead,
                                                        std::span<const double> reference, double scale) {
  std::vector<double> weights;
  for (int64_t j : keys) weights.push_back(scale * dot(reference, key.row(kvHead, j)));
  const double max = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& w : weights) sum += w = std::exp(w - max);
  for (double& w : weights) w /= sum;
  return {std::move(weights), max + std::log(sum)};
}

static std::vector<double> weightedMean(const Tensor& rows, int64_t kvHead, const std::vector<int64_t>& keys, const std::vector<double>& weights) {
  std::vector<double> mean(rows.shape[2], 0);
  for (size_t n = 0; n < keys.size(); ++n)
    for (size_t d = 0; d < mean.size(); ++d) mean[d] += weights[n] * rows.row(kvHead, keys[n])[d];
  return mean;
}

static Node nodeOf(const std::vector<int64_t>& keys, const SplatIndex& index, int64_t kvHead, std::span<const double> reference, double scale,
                   int64_t bands) {
  if (keys.empty()) return {};
  const auto [weights, logMass] = weightsOf(keys, *index.key, kvHead, reference, scale);
  Node node{int64_t(keys.size()), logMass, weightedMean(*index.key, kvHead, keys, weights), weightedMean(*index.value, kvHead, keys, weights),
            std::vector<double>(bands, 0)};
  const int64_t dim = index.key->shape[2];
  std::vector<double> deviation(dim);
  for (size_t n = 0; n < keys.size(); ++n) {
    for (int64_t d = 0; d < dim; ++d) deviation[d] = index.key->row(kvHead, keys[n])[d] - node.mean[d];
    for (int64_t b = 0; b < bands; ++b) {
      const Range band = bandOf(b, bands, dim);
      if (band.begin < band.end) node.variance[b] += weights[n] * squaredNorm(deviation, band) / double(band.end - band.begin);
    }
  }
  return node;
}

Splats splatsOf(const Tensor& query, const SplatIndex& index, const Layout& layout, int64_t head, const Block& block, double scale) {
  const int64_t kvHead = head * index.kvHeads() / query.shape[0];
  std::set<int64_t> seen;
  for (const Window& window : block.windows)
    for (int64_t u : layout.indexOf(window.start)) seen.insert(u);

  Splats splats{referenceOf(query, head, block.queries()), std::vector<std::vector<Node>>(layout.units().size())};
  for (int64_t u : seen) {
    const Unit& unit = layout.units()[u];
    for (int64_t size : unit.levelTokens)
      for (int64_t begin = 0; begin < unit.key.tokens; begin += size) {
        std::vector<int64_t> keys;
        for (int64_t slot = begin; slot < begin + size; ++slot)
          if (const int64_t j = index.trees[kvHead][u][slot]; j >= 0) keys.push_back(j);
        splats.nodes[u].push_back(nodeOf(keys, index, kvHead, splats.reference, scale, layout.config().getBands()));
      }
  }
  return splats;
}

Offset offsetOf(std::span<const double> q, std::span<const double> reference, int64_t bands) {
  Offset offset;
  for (size_t d = 0; d < q.size(); ++d) offset.vector.push_back(q[d] - reference[d]);
  for (int64_t b = 0; b < bands; ++b) offset.bandNorms.push_back(squaredNorm(offset.vector, bandOf(b, bands, int64_t(q.size()))));
  return offset;
}

double spread(const Node& node, const Offset& offset, double scale) { return scale * scale * dot(node.variance, offset.bandNorms); }

double gain(double spread, int64_t keys) {
  const double s = std::sqrt(spread), c = std::sqrt(2 * std::log(double(keys)));
  return s <= c ? spread / 2 : s * c - c * c / 2;
}

double logMass(const Node& node, const Offset& offset, double scale, int64_t order) {
  const double first = node.logMass + scale * dot(offset.vector, node.mean);
  return order == 0 ? first : first + gain(spread(node, offset, scale), node.keys);
}

}  // namespace hsa::ir::reference

#include "dialect/reference/nodes.h"

#include "dialect/reference/linear_algebra.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace hsa::ir::reference {

static constexpr int64_t kTiltLeaves = 4;  // every so many leaves tell the tilt of their level

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

static std::vector<double> weightedMean(const Tensor& rows, int64_t kvHead, const std::vector<int64_t>& keys,
                                        const std::vector<double>& weights) {
  std::vector<double> mean(rows.shape[2], 0);
  for (size_t n = 0; n < keys.size(); ++n)
    for (size_t d = 0; d < mean.size(); ++d) mean[d] += weights[n] * rows.row(kvHead, keys[n])[d];
  return mean;
}

static Node nodeOf(const std::vector<int64_t>& keys, const SplatIndex& index, int64_t kvHead, std::span<const double> reference,
                   double scale, int64_t bands) {
  if (keys.empty()) return {};
  const auto [weights, logMass] = weightsOf(keys, *index.key, kvHead, reference, scale);
  Node node{int64_t(keys.size()),
            logMass,
            weightedMean(*index.key, kvHead, keys, weights),
            weightedMean(*index.value, kvHead, keys, weights),
            std::vector<double>(bands, 0),
            0};
  const int64_t dim = index.key->shape[2];
  std::vector<double> deviation(dim);
  for (size_t n = 0; n < keys.size(); ++n) {
    for (int64_t d = 0; d < dim; ++d) deviation[d] = index.key->row(kvHead, keys[n])[d] - node.mean[d];
    node.trace += weights[n] * dot(deviation, deviation);
    for (int64_t b = 0; b < bands; ++b) {
      const Range band = bandOf(b, bands, dim);
      if (band.begin < band.end) node.variance[b] += weights[n] * squaredNorm(deviation, band) / double(band.end - band.begin);
    }
  }
  return node;
}

// tilt += weight (v − v̄)(k − μ)ᵀ
static void addLean(Tilt& tilt, double weight, std::span<const double> key, std::span<const double> value, const Node& node) {
  for (size_t c = 0; c < value.size(); ++c)
    for (size_t d = 0; d < key.size(); ++d) tilt[c * key.size() + d] += weight * (value[c] - node.valueMean[c]) * (key[d] - node.mean[d]);
}

// C of every level over the segments before `segment`, from the leaves up.
static std::vector<Tilt> tiltsOf(const Splats& splats, const SplatIndex& index, const Layout& layout, int64_t kvHead, int64_t segment,
                                 double scale) {
  const int64_t leaf = layout.config().getLeafTokens(), size = index.key->shape[2] * index.value->shape[2];
  const std::vector<int64_t> levels = [&] {
    const auto tokens = layout.config().getLevelTokens(layout.config().getSegmentTokens());
    return std::vector<int64_t>(tokens.begin(), tokens.end());
  }();
  std::vector<Tilt> tilts(levels.size(), Tilt(size, 0));
  for (size_t level = 0; level < levels.size(); ++level) {
    Tilt& tilt = tilts[level];
    double trace = 0, within = 0;
    for (size_t u = 0; u < layout.units().size(); ++u) {
      const Unit& unit = layout.units()[u];
      if (unit.key.tokens != layout.config().getSegmentTokens() || unit.end() > segment * unit.key.tokens) continue;
      for (int64_t n = 0; n < unit.nodes(int64_t(level)); ++n) {
        const Node& node = splats.nodes[u][unit.firstNode[level] + n];
        if (node.keys == 0 || (level == 0 && n % kTiltLeaves != 0)) continue;
        trace += node.trace;
        if (level == 0) {
          std::vector<int64_t> keys;
          for (int64_t slot = n * leaf; slot < (n + 1) * leaf; ++slot)
            if (const int64_t j = index.trees[kvHead][u][slot]; j >= 0) keys.push_back(j);
          const std::vector<double> weights = weightsOf(keys, *index.key, kvHead, splats.reference, scale).first;
          for (size_t i = 0; i < keys.size(); ++i)
            addLean(tilt, weights[i], index.key->row(kvHead, keys[i]), index.value->row(kvHead, keys[i]), node);
          continue;
        }
        const int64_t fanOut = levels[level] / levels[level - 1];
        for (int64_t c = n * fanOut; c < (n + 1) * fanOut; ++c) {
          const Node& child = splats.nodes[u][unit.firstNode[level - 1] + c];
          if (child.keys == 0) continue;
          const double share = std::exp(child.logMass - node.logMass);
          within += share * child.trace;
          addLean(tilt, share, child.mean, child.valueMean, node);
        }
      }
    }
    for (int64_t i = 0; i < size; ++i) tilt[i] = trace > 0 ? (tilt[i] + (level > 0 ? within * tilts[level - 1][i] : 0)) / trace : 0;
  }
  return tilts;
}

Splats splatsOf(const Tensor& query, const SplatIndex& index, const Layout& layout, int64_t head, const Block& block, double scale) {
  const int64_t kvHead = head * index.kvHeads() / query.shape[0];
  std::set<int64_t> seen;
  for (const Window& window : block.windows)
    for (int64_t u : layout.indexOf(window.start)) seen.insert(u);

  Splats splats{referenceOf(query, head, block.queries()), std::vector<std::vector<Node>>(layout.units().size()), {}};
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
  for (const Window& window : block.windows) {
    const int64_t segment = layout.segmentOf(window.start);
    if (!splats.tilts.contains(segment)) splats.tilts[segment] = tiltsOf(splats, index, layout, kvHead, segment, scale);
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

std::vector<double> valueOf(const Node& node, const Tilt& tilt, const Offset& offset, double scale, int64_t order) {
  std::vector<double> value = node.valueMean;
  if (order == 0) return value;
  const size_t dim = offset.vector.size();
  for (size_t c = 0; c < value.size(); ++c) value[c] += node.trace * scale * dot(std::span(tilt).subspan(c * dim, dim), offset.vector);
  return value;
}

double logMass(const Node& node, const Offset& offset, double scale, int64_t order) {
  const double first = node.logMass + scale * dot(offset.vector, node.mean);
  return order == 0 ? first : first + gain(spread(node, offset, scale), node.keys);
}

}  // namespace hsa::ir::reference

#include "dialect/reference/splat_tree.h"

#include "dialect/reference/bisection.h"
#include "dialect/reference/calibration.h"

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

// Band b is the dimensions [b·w, (b+1)·w) that exist, w = ⌈D/bands⌉.
static Range bandOf(int64_t band, int64_t bands, int64_t dim) {
  const int64_t width = (dim + bands - 1) / bands;
  return {std::min(band * width, dim), std::min((band + 1) * width, dim)};
}

std::vector<double> bandNorms(const Matrix& basis, std::span<const double> q, int64_t bands) {
  const std::vector<double> rotated = applyTransposed(basis, q);
  std::vector<double> norms(bands, 0);
  for (int64_t b = 0; b < bands; ++b) {
    const Range band = bandOf(b, bands, basis.size);
    for (int64_t d = band.begin; d < band.end; ++d) norms[b] += rotated[d] * rotated[d];
  }
  return norms;
}

double spread(const Node& node, std::span<const double> norms, double scale) { return scale * scale * dot(node.variance, norms); }

double gain(double spread, int64_t keys) {
  const double s = std::sqrt(spread), c = std::sqrt(2 * std::log(double(keys)));
  return s <= c ? spread / 2 : s * c - c * c / 2;
}

// The live keys in the slots of a node.
static std::vector<int64_t> keysOf(const Tree& tree, const Unit& unit, int64_t level, int64_t node) {
  const int64_t size = unit.levelTokens[level];
  std::vector<int64_t> keys;
  for (int64_t slot = node * size; slot < (node + 1) * size; ++slot)
    if (tree.slots[slot] >= 0) keys.push_back(tree.slots[slot]);
  return keys;
}

static std::vector<double> meanOf(const Tensor& tensor, int64_t kvHead, const std::vector<int64_t>& rows) {
  std::vector<double> mean(tensor.shape[2], 0);
  for (int64_t j : rows)
    for (int64_t d = 0; d < tensor.shape[2]; ++d) mean[d] += tensor.row(kvHead, j)[d];
  for (double& m : mean) m /= double(rows.size());
  return mean;
}

static Node momentsOf(const std::vector<int64_t>& keys, const Tensor& key, const Tensor& value, int64_t kvHead, const Matrix& basis,
                      int64_t bands) {
  const int64_t dim = key.shape[2];
  Node node{int64_t(keys.size()), meanOf(key, kvHead, keys), meanOf(value, kvHead, keys), std::vector<double>(bands, 0)};
  std::vector<double> offset(dim);
  for (int64_t j : keys) {
    for (int64_t d = 0; d < dim; ++d) offset[d] = key.row(kvHead, j)[d] - node.mean[d];
    const std::vector<double> norms = bandNorms(basis, offset, bands);
    for (int64_t b = 0; b < bands; ++b) node.variance[b] += norms[b];
  }
  for (int64_t b = 0; b < bands; ++b) {
    const Range band = bandOf(b, bands, dim);
    node.variance[b] = band.begin == band.end ? 0 : node.variance[b] / double(node.keys * (band.end - band.begin));
  }
  return node;
}

// U: eigenvectors of the mean within-leaf covariance of a segment.
static Matrix basisOf(const Tree& tree, const Unit& segment, const Tensor& key, int64_t kvHead) {
  const int64_t dim = key.shape[2];
  Matrix covariance = Matrix::zero(dim);
  int64_t leaves = 0;
  for (int64_t leaf = 0; leaf < segment.nodes(0); ++leaf) {
    const std::vector<int64_t> keys = keysOf(tree, segment, 0, leaf);
    if (keys.empty()) continue;
    ++leaves;
    const std::vector<double> mean = meanOf(key, kvHead, keys);
    for (int64_t j : keys)
      for (int64_t r = 0; r < dim; ++r)
        for (int64_t c = 0; c < dim; ++c)
          covariance(r, c) += (key.row(kvHead, j)[r] - mean[r]) * (key.row(kvHead, j)[c] - mean[c]) / double(keys.size());
  }
  for (double& entry : covariance.values) entry /= double(std::max<int64_t>(leaves, 1));
  return eigenvectors(std::move(covariance));
}

// The order of a unit's keys: given, or our own.
static std::vector<int64_t> slotsOf(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, const Unit& unit,
                                    int64_t kvHead, const std::vector<bool>& live, const GivenIndex* given) {
  if (given)
    if (auto found = given->slots.find({kvHead, unit.key}); found != given->slots.end()) return found->second;
  std::vector<int64_t> keys;
  for (int64_t j = unit.key.firstToken; j < unit.end(); ++j)
    if (live[j]) keys.push_back(j);
  return bisect(metricOf(query, key, value, layout, unit, kvHead, keys), keys, unit.key.tokens, layout.config().getLeafTokens());
}

static void fillNodes(Tree& tree, const Tensor& key, const Tensor& value, const Layout& layout, const Unit& unit, int64_t kvHead) {
  for (int64_t level = 0; level < unit.levels(); ++level)
    for (int64_t node = 0; node < unit.nodes(level); ++node) {
      const std::vector<int64_t> keys = keysOf(tree, unit, level, node);
      tree.nodes.push_back(keys.empty() ? Node() : momentsOf(keys, key, value, kvHead, *tree.basis, layout.config().getBands()));
    }
}

SplatIndex summarize(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, double scale,
                     const GivenIndex* given) {
  const int64_t kvHeads = key.shape[0], dim = key.shape[2];
  const std::vector<Unit>& units = layout.units();
  std::set<int64_t> seen;
  for (int64_t tile = 0; tile < layout.tileCount(); ++tile)
    for (int64_t unit : layout.indexOf(layout.firstTile() + tile)) seen.insert(unit);

  SplatIndex index;
  index.keys = key.shape[1];
  index.identity = std::make_unique<Matrix>(Matrix::identity(dim));
  for (int64_t kvHead = 0; kvHead < kvHeads; ++kvHead) {
    index.finite.push_back(finiteKeys(key, value, kvHead));
    std::vector<bool> live = index.finite.back();
    for (int64_t j = 0; j < std::min(layout.config().getNearSinkTokens(), index.keys); ++j) live[j] = false;
    std::vector<Tree> trees(units.size());
    for (int64_t u : seen) trees[u].slots = slotsOf(query, key, value, layout, units[u], kvHead, live, given);

    // Segment 0 is unit 0 where there is one, and every unit after it sees that it is complete.
    index.bases.push_back(std::make_unique<Matrix>(*index.identity));
    const bool hasSegment = seen.contains(0) && units[0].key.tokens == layout.config().getSegmentTokens();
    if (hasSegment) *index.bases.back() = basisOf(trees[0], units[0], key, kvHead);
    if (given)
      if (auto found = given->basis.find(kvHead); found != given->basis.end()) index.bases.back()->values = found->second;
    for (int64_t u : seen) {
      const bool isBefore = units[u].key.tokens < layout.config().getSegmentTokens() && units[u].end() <= layout.config().getSegmentTokens();
      trees[u].basis = isBefore ? index.identity.get() : index.bases.back().get();
      fillNodes(trees[u], key, value, layout, units[u], kvHead);
      if (layout.config().getOrder() == 2) calibrate(trees[u], query, key, layout, units[u], kvHead, scale);
    }
    index.live.push_back(std::move(live));
    index.trees.push_back(std::move(trees));
  }
  return index;
}

}  // namespace hsa::ir::reference

#include "dialect/reference/cut.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace hsa::ir::reference {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Units that the tile sees as splats; the others are read key by key or not at all.
static std::vector<int64_t> scoredUnits(const Tile& tile) {
  std::vector<int64_t> units;
  for (int64_t u : tile.layout.indexOf(tile.number))
    if (tile.layout.sight(tile.number, tile.layout.units()[u]) == Sight::kEntirely) units.push_back(u);
  return units;
}

void scoreTile(const Tile& tile, std::span<const std::span<double>> scores) {
  for (const std::span<double>& row : scores) std::fill(row.begin(), row.end(), -kInfinity);
  const Range queries = tile.queries();
  const int64_t order = tile.layout.config().getOrder(), bands = tile.layout.config().getBands();
  for (int64_t u : scoredUnits(tile)) {
    const Unit& unit = tile.layout.units()[u];
    const Tree& tree = tile.trees()[u];
    for (int64_t i = queries.begin; i < queries.end; ++i) {
      const std::span<const double> q = tile.query.row(tile.head, i);
      const std::vector<double> norms = bandNorms(*tree.basis, q, bands);
      for (int64_t number = 0; number < unit.nodeCount(); ++number) {
        const Node& node = tree.nodes[number];
        if (node.keys == 0) continue;
        double logMass = std::log(double(node.keys)) + tile.scale * dot(q, node.mean);
        if (order == 2) logMass += node.beta * gain(spread(node, norms, tile.scale), node.keys) + node.tau;
        scores[i - queries.begin][unit.firstScore + number] = isFinite(q) ? logMass : kNaN;
      }
    }
  }
}

namespace {

// Decides which nodes of one tile are opened, level by level.
class Selection {
 public:
  Selection(const Tile& tile, std::span<const std::span<const double>> scores, const Partial& near) : tile(tile), scores(scores) {
    const Range queries = tile.queries();
    const std::vector<int64_t> units = scoredUnits(tile);
    for (int64_t i = queries.begin; i < queries.end; ++i) {
      std::vector<double> terms{near.logSum(tile.head, i)};
      for (int64_t u : units) terms.push_back(scores[i - queries.begin][tile.layout.units()[u].firstScore + tile.layout.units()[u].nodeCount() - 1]);
      const double max = *std::max_element(terms.begin(), terms.end());
      double sum = 0;
      for (double term : terms) sum += std::exp(term - max);
      logTotal.push_back(max + std::log(sum));
      for (int64_t u : units) {
        auto [found, isNew] = norms.try_emplace({tile.trees()[u].basis, i});
        if (isNew) found->second = bandNorms(*tile.trees()[u].basis, tile.query.row(tile.head, i), tile.layout.config().getBands());
      }
    }
  }

  // Root-mean-square of r(q) over the tile's finite queries; 0 without any.
  double residual(int64_t u, int64_t number) const {
    const Unit& unit = tile.layout.units()[u];
    const Tree& tree = tile.trees()[u];
    const Node& node = tree.nodes[number];
    const Range queries = tile.queries();
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = queries.begin; i < queries.end; ++i) {
      const std::span<const double> q = tile.query.row(tile.head, i);
      if (!isFinite(q)) continue;
      const double s2 = spread(node, norms.at({tree.basis, i}), tile.scale);
      double logMass = scores[i - queries.begin][unit.firstScore + number];
      if (tile.layout.config().getOrder() == 2)  // the mass at β = 1, τ = 0: blind where calibration under-estimates, otherwise
        logMass = std::max(logMass, std::log(double(node.keys)) + tile.scale * dot(q, node.mean) + gain(s2, node.keys));
      const double r = std::exp(logMass - logTotal[i - queries.begin]) * std::min(1.0, std::sqrt(s2));
      sum += r * r;
      ++count;
    }
    return count == 0 ? 0 : std::sqrt(sum / double(count));
  }

 private:
  const Tile& tile;
  const std::span<const std::span<const double>> scores;
  std::vector<double> logTotal;  // log Z per query
  std::map<std::pair<const Matrix*, int64_t>, std::vector<double>> norms;  // ‖(Uᵀq)_b‖² per basis and query
};

}  // namespace

std::vector<char> selectTile(const Tile& tile, std::span<const std::span<const double>> scores, const Partial& near, double theta,
                             const GivenIndex* given, std::vector<Candidate>* candidates) {
  const Layout& layout = tile.layout;
  std::vector<char> open(scores.empty() ? 0 : scores[0].size(), 0);
  const TileKey tileKey{tile.head, tile.number};
  const std::vector<NodeKey>* givenOpen = nullptr;
  if (given)
    if (auto found = given->opened.find(tileKey); found != given->opened.end()) givenOpen = &found->second;
  const std::set<NodeKey> chosen = givenOpen ? std::set<NodeKey>(givenOpen->begin(), givenOpen->end()) : std::set<NodeKey>();

  const Selection selection(tile, scores, near);
  for (int64_t u : layout.indexOf(tile.number)) {
    const Unit& unit = layout.units()[u];
    const Tree& tree = tile.trees()[u];
    const Sight sight = layout.sight(tile.number, unit);
    if (sight == Sight::kNotAtAll) continue;
    if (sight == Sight::kPartly) {
      for (int64_t number = 0; number < unit.nodeCount(); ++number) open[unit.firstScore + number] = tree.nodes[number].keys > 0;
      continue;
    }
    std::vector<int64_t> candidatesOfLevel{0};
    for (int64_t level = unit.levels() - 1; level >= 0 && !candidatesOfLevel.empty(); --level) {
      std::vector<int64_t> children;
      for (int64_t n : candidatesOfLevel) {
        const int64_t number = unit.firstNode[level] + n;
        if (tree.nodes[number].keys == 0) continue;
        const NodeKey nodeKey{unit.key, level, n};
        // Reading everything needs no residual, unless somebody asks for it.
        const double rms = theta == 0 && !candidates ? 0 : selection.residual(u, number);
        const bool opens = givenOpen ? chosen.contains(nodeKey) : theta == 0 || rms > theta;
        if (candidates) candidates->push_back({tileKey, nodeKey, opens, rms / theta});
        if (!opens) continue;
        open[unit.firstScore + number] = 1;
        const int64_t fanOut = level == 0 ? 0 : unit.levelTokens[level] / unit.levelTokens[level - 1];
        for (int64_t c = 0; c < fanOut; ++c) children.push_back(n * fanOut + c);
      }
      candidatesOfLevel = std::move(children);
    }
  }
  return open;
}

// Adds the live keys of an opened leaf, one by one, under the mask.
static void attendLeaf(const Tile& tile, const Tensor& key, const Tensor& value, std::span<const int64_t> slots, Partial& partial) {
  const Range queries = tile.queries();
  for (int64_t i = queries.begin; i < queries.end; ++i) {
    const std::span<const double> q = tile.query.row(tile.head, i);
    for (int64_t j : slots)
      if (j >= 0 && tile.layout.sees(i, j))
        partial.add(tile.head, i, isFinite(q) ? tile.scale * dot(q, key.row(tile.kvHead(), j)) : kNaN, value.row(tile.kvHead(), j));
  }
}

void attendTile(const Tile& tile, const Tensor& key, const Tensor& value, std::span<const std::span<const double>> scores,
                std::span<const char> open, Partial& partial) {
  const Range queries = tile.queries();
  for (int64_t u : tile.layout.indexOf(tile.number)) {
    const Unit& unit = tile.layout.units()[u];
    const Tree& tree = tile.trees()[u];
    // The cut: nodes whose ancestors are all open.
    std::vector<int64_t> reached{0};
    for (int64_t level = unit.levels() - 1; level >= 0; --level) {
      std::vector<int64_t> children;
      for (int64_t n : reached) {
        const int64_t number = unit.firstNode[level] + n, size = unit.levelTokens[level];
        const Node& node = tree.nodes[number];
        if (node.keys == 0) continue;
        if (!open[unit.firstScore + number]) {
          for (int64_t i = queries.begin; i < queries.end; ++i)
            partial.add(tile.head, i, scores[i - queries.begin][unit.firstScore + number], node.valueMean);
        } else if (level == 0) {
          attendLeaf(tile, key, value, std::span(tree.slots).subspan(n * size, size), partial);
        } else {
          const int64_t fanOut = size / unit.levelTokens[level - 1];
          for (int64_t c = 0; c < fanOut; ++c) children.push_back(n * fanOut + c);
        }
      }
      reached = std::move(children);
    }
  }
}

}  // namespace hsa::ir::reference

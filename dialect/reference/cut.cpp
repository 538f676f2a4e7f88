#include "dialect/reference/cut.h"

#include "dialect/reference/linear_algebra.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace hsa::ir::reference {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Units that the tile sees as splats; the others are read key by key or not at all.
static std::vector<int64_t> scoredUnits(const Tile& tile) {
  std::vector<int64_t> units;
  for (int64_t u : tile.layout.indexOf(tile.key.window))
    if (tile.layout.sight(tile.queries, tile.layout.units()[u]) == Sight::kEntirely) units.push_back(u);
  return units;
}

void scoreTile(const Tile& tile, std::span<const std::span<double>> scores) {
  for (const std::span<double>& row : scores) std::fill(row.begin(), row.end(), -kInfinity);
  const std::vector<int64_t> units = scoredUnits(tile);
  for (size_t n = 0; n < tile.queries.size(); ++n) {
    const Offset offset = tile.offset(n);
    for (int64_t u : units) {
      const Unit& unit = tile.layout.units()[u];
      for (int64_t number = 0; number < unit.nodeCount(); ++number) {
        const Node& node = tile.splats.nodes[u][number];
        if (node.keys == 0) continue;
        scores[n][unit.firstScore + number] =
            isFinite(tile.row(n)) ? logMass(node, offset, tile.scale, tile.layout.config().getOrder()) : kNaN;
      }
    }
  }
}

namespace {

// Decides which nodes of one tile are opened, level by level.
class Selection {
 public:
  Selection(const Tile& tile, std::span<const std::span<const double>> scores, const Partial& near) : tile(tile), scores(scores) {
    const std::vector<int64_t> units = scoredUnits(tile);
    for (size_t n = 0; n < tile.queries.size(); ++n) {
      offset.push_back(tile.offset(n));
      std::vector<double> terms{near.logSum(tile.key.head, tile.queries[n])};
      for (int64_t u : units) terms.push_back(scores[n][tile.layout.units()[u].firstScore + tile.layout.units()[u].nodeCount() - 1]);
      const double max = *std::max_element(terms.begin(), terms.end());
      double sum = 0;
      for (double term : terms) sum += std::exp(term - max);
      logTotal.push_back(max + std::log(sum));
    }
  }

  // Root-mean-square of r(q) over the tile's finite queries; 0 without any.
  double residual(int64_t u, int64_t number) const {
    const Node& node = tile.splats.nodes[u][number];
    double sum = 0;
    int64_t count = 0;
    for (size_t n = 0; n < tile.queries.size(); ++n) {
      if (!isFinite(tile.row(n))) continue;
      const double share = std::exp(scores[n][tile.layout.units()[u].firstScore + number] - logTotal[n]);
      const double s2 = spread(node, offset[n], tile.scale), r = share * std::sqrt(s2 + s2 * s2);
      sum += r * r;
      ++count;
    }
    return count == 0 ? 0 : std::sqrt(sum / double(count));
  }

 private:
  const Tile& tile;
  const std::span<const std::span<const double>> scores;
  std::vector<Offset> offset;    // per query
  std::vector<double> logTotal;  // log Z per query
};

}  // namespace

std::vector<char> selectTile(const Tile& tile, std::span<const std::span<const double>> scores, const Partial& near, double theta,
                             const GivenIndex* given, std::vector<Candidate>* candidates) {
  const Layout& layout = tile.layout;
  std::vector<char> open(scores.empty() ? 0 : scores[0].size(), 0);
  const std::vector<NodeKey>* givenOpen = nullptr;
  if (given)
    if (auto found = given->opened.find(tile.key); found != given->opened.end()) givenOpen = &found->second;
  const std::set<NodeKey> chosen = givenOpen ? std::set<NodeKey>(givenOpen->begin(), givenOpen->end()) : std::set<NodeKey>();

  const Selection selection(tile, scores, near);
  for (int64_t u : layout.indexOf(tile.key.window)) {
    const Unit& unit = layout.units()[u];
    const std::vector<Node>& nodes = tile.splats.nodes[u];
    const Sight sight = layout.sight(tile.queries, unit);
    if (sight == Sight::kNotAtAll) continue;
    if (sight == Sight::kPartly) {
      for (int64_t number = 0; number < unit.nodeCount(); ++number) open[unit.firstScore + number] = nodes[number].keys > 0;
      continue;
    }
    std::vector<int64_t> candidatesOfLevel{0};
    for (int64_t level = unit.levels() - 1; level >= 0 && !candidatesOfLevel.empty(); --level) {
      std::vector<int64_t> children;
      for (int64_t n : candidatesOfLevel) {
        const int64_t number = unit.firstNode[level] + n;
        if (nodes[number].keys == 0) continue;
        const NodeKey nodeKey{unit.key, level, n};
        // Reading everything needs no residual, unless somebody asks for it.
        const double rms = theta == 0 && !candidates ? 0 : selection.residual(u, number);
        const bool opens = givenOpen ? chosen.contains(nodeKey) : theta == 0 || rms > theta;
        if (candidates) candidates->push_back({tile.key, nodeKey, opens, rms / theta});
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
static void attendLeaf(const Tile& tile, std::span<const int64_t> slots, const Tensor& key, const Tensor& value, Partial& partial) {
  for (size_t n = 0; n < tile.queries.size(); ++n)
    for (int64_t j : slots) {
      if (j < 0 || !tile.layout.sees(tile.queries[n], j)) continue;
      const double score = isFinite(tile.row(n)) ? tile.scale * dot(tile.row(n), key.row(tile.kvHead(), j)) : kNaN;
      partial.add(tile.key.head, tile.queries[n], score, value.row(tile.kvHead(), j));
    }
}

void attendTile(const Tile& tile, const Tensor& key, const Tensor& value, std::span<const std::span<const double>> scores,
                std::span<const char> open, Partial& partial) {
  for (int64_t u : tile.layout.indexOf(tile.key.window)) {
    const Unit& unit = tile.layout.units()[u];
    const std::span<const int64_t> slots = tile.index.trees[tile.kvHead()][u];
    // The cut: nodes whose ancestors are all open.
    std::vector<int64_t> reached{0};
    for (int64_t level = unit.levels() - 1; level >= 0; --level) {
      std::vector<int64_t> children;
      for (int64_t node : reached) {
        const int64_t number = unit.firstNode[level] + node, size = unit.levelTokens[level];
        if (tile.splats.nodes[u][number].keys == 0) continue;
        if (!open[unit.firstScore + number]) {
          const Tilt& tilt = tile.splats.tilts.at(tile.layout.segmentOf(tile.key.window))[level];
          for (size_t n = 0; n < tile.queries.size(); ++n)
            partial.add(tile.key.head, tile.queries[n], scores[n][unit.firstScore + number],
                        valueOf(tile.splats.nodes[u][number], tilt, tile.offset(n), tile.scale, tile.layout.config().getOrder()));
        } else if (level == 0) {
          attendLeaf(tile, slots.subspan(node * size, size), key, value, partial);
        } else {
          const int64_t fanOut = size / unit.levelTokens[level - 1];
          for (int64_t c = 0; c < fanOut; ++c) children.push_back(node * fanOut + c);
        }
      }
      reached = std::move(children);
    }
  }
}

}  // namespace hsa::ir::reference

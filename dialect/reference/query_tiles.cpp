#include "dialect/reference/query_tiles.h"

#include "dialect/reference/linear_algebra.h"
#include "dialect/reference/nodes.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace hsa::ir::reference {

using Tiles = std::vector<std::vector<int64_t>>;

static Tiles tilesByPosition(const Window& window, const Layout& layout) {
  const int64_t size = layout.config().getTileQueries();
  Tiles tiles;
  for (int64_t i = window.queries.begin; i < window.queries.end; ++i) {
    if (tiles.empty() || layout.position(i) % size == 0) tiles.emplace_back();
    tiles.back().push_back(i);
  }
  return tiles;
}

// Appends the tiles of `members`, queries of `head`: their smallest projections fill the first half of the tiles.
static void bisect(const Tensor& query, int64_t head, std::vector<int64_t> members, int64_t size, Tiles& tiles) {
  const int64_t count = llvm::divideCeilSigned(int64_t(members.size()), size), dim = query.shape[2];
  if (count <= 1) {
    tiles.push_back(std::move(members));
    return;
  }
  std::vector<double> points(members.size() * dim, 0);
  for (size_t n = 0; n < members.size(); ++n)
    if (const std::span<const double> q = query.row(head, members[n]); isFinite(q)) std::copy(q.begin(), q.end(), &points[n * dim]);
  const std::vector<double> axis = principalAxis(points, dim);
  std::vector<std::pair<double, int64_t>> order;
  for (size_t n = 0; n < members.size(); ++n) order.push_back({dot(std::span(points).subspan(n * dim, dim), axis), members[n]});
  std::sort(order.begin(), order.end());
  for (size_t n = 0; n < members.size(); ++n) members[n] = order[n].second;
  const auto middle = members.begin() + size * ((count + 1) / 2);
  bisect(query, head, {members.begin(), middle}, size, tiles);
  bisect(query, head, {middle, members.end()}, size, tiles);
}

// Given key positions as numbers of queries.
static llvm::Expected<Tiles> checked(const Tiles& positions, int64_t head, const Window& window, const Layout& layout) {
  Tiles tiles = positions;
  std::vector<int64_t> all;
  bool fits = true;
  for (std::vector<int64_t>& tile : tiles) {
    for (int64_t& i : tile) all.push_back(i -= layout.position(0));
    fits = fits && !tile.empty() && int64_t(tile.size()) <= layout.config().getTileQueries();
  }
  std::sort(all.begin(), all.end());
  std::vector<int64_t> wanted(window.queries.end - window.queries.begin);
  std::iota(wanted.begin(), wanted.end(), window.queries.begin);
  const Tiles own = tilesByPosition(window, layout);
  const int64_t byContent = llvm::divideCeilSigned(int64_t(wanted.size()), layout.config().getTileQueries());
  const int64_t count = layout.config().getQueryOrder() == QueryOrder::Position ? int64_t(own.size()) : byContent;
  if (!fits || all != wanted || int64_t(tiles.size()) != count)
    return llvm::createStringError(
        llvm::formatv("given tiles of head {0} in the window at {1}: {2} tiles of {3} queries, wanted {4} tiles of at most {5} "
                      "that hold each of the window's {6} queries once",
                      head, window.start, tiles.size(), all.size(), count, layout.config().getTileQueries(), wanted.size())
            .str());
  return tiles;
}

llvm::Expected<Tiles> tilesOf(const Tensor& query, int64_t head, const Window& window, const Layout& layout, const GivenIndex* given) {
  if (given)
    if (auto found = given->tiles.find({head, window.start}); found != given->tiles.end())
      return checked(found->second, head, window, layout);
  if (layout.config().getQueryOrder() == QueryOrder::Position) return tilesByPosition(window, layout);
  std::vector<int64_t> all(window.queries.end - window.queries.begin);
  std::iota(all.begin(), all.end(), window.queries.begin);
  Tiles tiles;
  bisect(query, head, std::move(all), layout.config().getTileQueries(), tiles);
  return tiles;
}

}  // namespace hsa::ir::reference

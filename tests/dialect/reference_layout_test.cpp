// Which queries share a reference, and which a tile.
#include <algorithm>
#include <ostream>
#include <random>

#include "dialect/reference/layout.h"
#include "dialect/reference/query_tiles.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hsa::ir::reference {
namespace {

using Tiles = std::vector<std::vector<int64_t>>;

class LayoutTest : public testing::Test {
 protected:
  LayoutTest() { context.loadDialect<HsaDialect>(); }

  // Segments of 64, mini-segments and windows of 16, tiles of at most 4 queries.
  Layout Make(int64_t queries, int64_t keys, bool causal = true, QueryOrder order = QueryOrder::Content, int64_t window = 16) {
    return Layout(
        queries, keys, MaskAttr::get(&context, causal, 0, 0),
        ConfigAttr::get(&context, /*order=*/2, mlir::FloatAttr(), /*nearSinkTokens=*/4, window, /*tileQueries=*/4, /*leafTokens=*/4,
                        /*miniSegmentTokens=*/16, /*segmentTokens=*/64, /*bands=*/4, mlir::FloatAttr(), mlir::FloatAttr(), order));
  }

  mlir::MLIRContext context;
};

TEST_F(LayoutTest, TheNearFieldStartsWithTheWindow) {
  EXPECT_EQ(Make(200, 200).nearStart(48), 48);
  EXPECT_EQ(Make(200, 200).nearStart(0), 0);
  EXPECT_EQ(Make(200, 205, /*causal=*/false).nearStart(48), 192);
}

// The segment, then the mini-segments up to the window: no key is left between index and near field.
TEST_F(LayoutTest, TheIndexEndsWhereTheNearFieldStarts) {
  const Layout layout = Make(200, 200);
  std::vector<UnitKey> units;
  for (int64_t u : layout.indexOf(112)) units.push_back(layout.units()[u].key);
  EXPECT_EQ(units, (std::vector<UnitKey>{{0, 64}, {64, 16}, {80, 16}, {96, 16}}));
}

struct BlockCase {
  const char* name;
  int64_t queries, keys;
  bool causal;
  std::vector<int64_t> begins;  // positions where blocks begin
};
std::ostream& operator<<(std::ostream& out, const BlockCase& c) { return out << c.name; }

const BlockCase kBlockCases[] = {
    // name                   N     M    causal  blocks begin at
    {"none", 0, 100, true, {}},
    {"one_region", 30, 60, true, {30}},
    {"two_segments", 200, 256, true, {56, 128}},    // 0 1 | 2 3
    {"short_rest", 100, 159, true, {59, 128}},      // however few follow
    {"four_segments", 320, 512, true, {192, 256}},  // 2 3 | 4 5 6 7
    {"later_ones", 400, 768, true, {368, 512}},
    {"sixteen_segments", 512, 2048, true, {1536}},  // 16 … 31
    {"thirty_two", 1100, 2100, true, {1000, 1024, 2048}},
    {"no_more_than_that", 2200, 6200, true, {4000, 4096, 6144}},
    {"rest_of_ten", 300, 522, true, {222, 256, 512}},
    {"not_causal", 600, 640, false, {40}},  // one near field for all
};

class BlocksTest : public LayoutTest, public testing::WithParamInterface<BlockCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, BlocksTest, testing::ValuesIn(kBlockCases), [](const auto& info) { return info.param.name; });

TEST_P(BlocksTest, BeginWhereTheSpecSays) {
  const BlockCase& c = GetParam();
  const Layout layout = Make(c.queries, c.keys, c.causal);
  std::vector<int64_t> begins;
  int64_t next = 0;
  for (const Block& block : layout.blocks()) {
    begins.push_back(layout.position(block.queries().begin));
    for (const Window& window : block.windows) {
      EXPECT_EQ(window.queries.begin, next);
      EXPECT_EQ(layout.windowOf(window.queries.begin), window.start);
      EXPECT_EQ(layout.windowOf(window.queries.end - 1), window.start);
      next = window.queries.end;
    }
  }
  EXPECT_EQ(begins, c.begins);
  EXPECT_EQ(next, c.queries);
}

Tensor RandomQueries(int64_t heads, int64_t queries, uint64_t seed) {
  Tensor query = Tensor::filled({heads, queries, 5}, 0);
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  for (double& x : query.values) x = normal(random);
  return query;
}

class QueryTilesTest : public LayoutTest {
 protected:
  static Tiles Of(const Tensor& query, int64_t head, const Window& window, const Layout& layout, const GivenIndex* given = nullptr) {
    auto tiles = tilesOf(query, head, window, layout, given);
    if (!tiles) {
      ADD_FAILURE() << llvm::toString(tiles.takeError());
      return {};
    }
    return *tiles;
  }
};

// Every query of a window is in one tile of it, all tiles but the last are whole, and there are as many as the shape of hsa.select says.
TEST_F(QueryTilesTest, CutTheWindow) {
  for (uint64_t seed = 0; seed < 40; ++seed)
    for (QueryOrder order : {QueryOrder::Content, QueryOrder::Position}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " order " << int(order));
      std::mt19937_64 random(seed);
      const int64_t keys = 1 + int64_t(random() % 150), queries = 1 + int64_t(random() % uint64_t(keys));
      const Layout layout = Make(queries, keys, /*causal=*/true, order, /*window=*/seed % 2 ? 16 : 48);
      const Tensor query = RandomQueries(2, queries, seed);
      int64_t count = 0;
      for (const Block& block : layout.blocks())
        for (const Window& window : block.windows) {
          const Tiles tiles = Of(query, 1, window, layout);
          EXPECT_EQ(tiles, Of(query, 1, window, layout));
          count += int64_t(tiles.size());
          std::vector<int64_t> all, wanted;
          for (const auto& tile : tiles) {
            all.insert(all.end(), tile.begin(), tile.end());
            if (order == QueryOrder::Content) {
              EXPECT_TRUE(tile.size() == 4 || &tile == &tiles.back());
            } else {
              EXPECT_EQ(layout.position(tile.front()) / 4, layout.position(tile.back()) / 4);
            }
          }
          std::sort(all.begin(), all.end());
          for (int64_t i = window.queries.begin; i < window.queries.end; ++i) wanted.push_back(i);
          EXPECT_EQ(all, wanted);
        }
      EXPECT_EQ(count, layout.tileCount());
    }
}

// Sixteen queries about four centres, of which neighbours never share one: tiles by content find them. The farther axis is cut first.
TEST_F(QueryTilesTest, QueriesOfOneCentreShareATile) {
  const Layout layout = Make(16, 16);
  Tensor query = RandomQueries(1, 16, 7);
  for (double& x : query.values) x *= 0.01;
  for (int64_t i = 0; i < 16; ++i) query.row(0, i)[1] += i % 2 ? 10 : -10, query.row(0, i)[3] += i / 2 % 2 ? 3 : -3;
  for (const auto& tile : Of(query, 0, layout.blocks()[0].windows[0], layout)) {
    ASSERT_EQ(tile.size(), 4u);
    for (int64_t i : tile) EXPECT_EQ(i % 4, tile[0] % 4);
  }
}

// Five tiles: three go left. On a line, tiles are runs of it, the last one with what is left.
TEST_F(QueryTilesTest, TheLargerHalfOfTheTilesGoesLeft) {
  const Layout layout = Make(18, 48, /*causal=*/true, QueryOrder::Content, /*window=*/48);
  Tensor query = Tensor::filled({1, 18, 5}, 0);
  for (int64_t i = 0; i < 18; ++i) query.row(0, i)[2] = double(i * 7 % 18) - 4;
  const Tiles tiles = Of(query, 0, layout.blocks()[0].windows[0], layout);
  ASSERT_EQ(tiles.size(), 5u);
  std::vector<int64_t> ranks;
  for (const auto& tile : tiles)
    for (int64_t i : tile) ranks.push_back(i * 7 % 18);
  for (size_t begin : {0u, 4u, 8u, 12u, 16u}) std::sort(ranks.begin() + begin, ranks.begin() + std::min<size_t>(begin + 4, 18));
  std::vector<int64_t> upwards(18);
  for (int64_t i = 0; i < 18; ++i) upwards[i] = i;
  EXPECT_EQ(ranks, upwards);
}

// A non-finite query counts as 0: between those at −1 and those at 1.
TEST_F(QueryTilesTest, ANonFiniteQueryCountsAsZero) {
  const Layout layout = Make(12, 16);
  Tensor query = Tensor::filled({1, 12, 5}, 0);
  for (int64_t i = 0; i < 12; ++i) query.row(0, i)[0] = i % 3 == 0 ? NAN : i % 3 == 1 ? -1 : 1;
  const Tiles tiles = Of(query, 0, layout.blocks()[0].windows[0], layout);
  ASSERT_EQ(tiles.size(), 3u);
  for (int64_t i : tiles[1]) EXPECT_EQ(i % 3, 0);
}

TEST_F(QueryTilesTest, GivenTilesAreUsedAndChecked) {
  const Layout layout = Make(6, 16);
  const Tensor query = RandomQueries(2, 6, 7);
  const Window window = layout.blocks()[0].windows[0];
  GivenIndex given;
  given.tiles[{1, 0}] = {{15, 10, 12, 13}, {11, 14}};
  EXPECT_EQ(Of(query, 1, window, layout, &given), (Tiles{{5, 0, 2, 3}, {1, 4}}));
  EXPECT_EQ(Of(query, 0, window, layout, &given), Of(query, 0, window, layout));  // those of another head

  for (const Tiles& wrong : {Tiles{{15, 10, 12, 13}, {11, 11}}, Tiles{{15, 10, 12, 13}, {11}}, Tiles{{15, 10, 12, 13, 14}, {11}},
                             Tiles{{15, 10}, {12, 13}, {11, 14}}, Tiles{{9, 10, 12, 13}, {11, 14}}}) {
    given.tiles[{1, 0}] = wrong;
    auto tiles = tilesOf(query, 1, window, layout, &given);
    EXPECT_THAT(llvm::toString(tiles.takeError()), testing::StartsWith("given tiles of head 1 in the window at 0: "));
  }
}

}  // namespace
}  // namespace hsa::ir::reference

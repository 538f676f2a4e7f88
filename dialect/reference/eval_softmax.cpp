// What the stages of scheme softmax compute: each op is a loop over the tiles of every head.
#include "dialect/hsa_ops.h"
#include "dialect/reference/cut.h"
#include "dialect/reference/exact.h"
#include "dialect/reference/frame.h"
#include "dialect/reference/nodes.h"
#include "dialect/reference/query_tiles.h"

namespace hsa::ir {

using reference::Block;
using reference::Frame;
using reference::Layout;
using reference::Partial;
using reference::SplatIndex;
using reference::Splats;
using reference::Tensor;
using reference::Tile;
using reference::Window;

// The index holds the trees that the queries of its hsa.summarize see; other queries may see more.
static llvm::Error checkTrees(mlir::Operation* op, const SplatIndex& index, const Layout& layout) {
  for (const Block& block : layout.blocks())
    for (const Window& window : block.windows)
      for (int64_t u : layout.indexOf(window.start))
        for (const auto& trees : index.trees)
          if (trees[u].empty())
            return llvm::createStringError(
                "%s: the queries see the unit at key %lld, which no query of hsa.summarize sees; summarize with these queries",
                op->getName().getStringRef().str().c_str(), (long long)layout.units()[u].key.firstToken);
  return llvm::Error::success();
}

// Calls body(tile, number of the tile within its head) for the tiles of `query`, the query of `op`.
template <typename Op, typename Body>
static llvm::Error forEachTile(Op op, const Frame& frame, Body body) {
  const Tensor& query = frame.tensor(op.getQuery());
  const SplatIndex& index = frame.index(op.getIndex());
  const Layout layout(query.shape[1], index.keys(), op.getMask(), op.getConfig());
  const double scale = op.getScale().convertToDouble();
  if (llvm::Error error = checkTrees(op, index, layout)) return error;
  for (int64_t head = 0; head < query.shape[0]; ++head) {
    int64_t number = 0;
    for (const Block& block : layout.blocks()) {
      const Splats splats = splatsOf(query, index, layout, head, block, scale);
      for (const Window& window : block.windows) {
        auto tiles = tilesOf(query, head, window, layout, frame.given);
        if (!tiles) return tiles.takeError();
        for (auto [t, queries] : llvm::enumerate(*tiles))
          body(Tile{query, index, splats, layout, scale, {head, window.start, int64_t(t)}, queries}, number++);
      }
    }
  }
  return llvm::Error::success();
}

// The rows of [H,N,S] that belong to a tile.
template <typename Row, typename T>
static std::vector<Row> rowsOf(T& scores, const Tile& tile) {
  std::vector<Row> rows;
  for (int64_t i : tile.queries) rows.push_back(scores.row(tile.key.head, i));
  return rows;
}

llvm::Error SummarizeOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &key = frame.tensor(getKey());
  const Layout layout(query.shape[1], key.shape[1], getMask(), getConfig());
  frame.set(getIndex(), summarize(query, frame.share(getKey()), frame.share(getValue()), layout, frame.given));
  return llvm::Error::success();
}

llvm::Error ScoreOp::evaluate(Frame& frame) {
  const Tensor& query = frame.tensor(getQuery());
  Tensor scores = Tensor::filled({query.shape[0], query.shape[1], getConfig().getNodeCount(frame.index(getIndex()).keys())}, 0);
  const auto score = [&](const Tile& tile, int64_t) { scoreTile(tile, rowsOf<std::span<double>>(scores, tile)); };
  if (llvm::Error error = forEachTile(*this, frame, score)) return error;
  frame.set(getScore(), std::move(scores));
  return llvm::Error::success();
}

llvm::Error SelectOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &scores = frame.tensor(getScore());
  const int64_t tiles = getConfig().getTileCount(query.shape[1], frame.index(getIndex()).keys());
  Tensor open = Tensor::filled({query.shape[0], tiles, scores.shape[2]}, 0);
  const auto select = [&](const Tile& tile, int64_t number) {
    const std::vector<char> flags = selectTile(tile, rowsOf<std::span<const double>>(scores, tile), frame.partial(getNear()),
                                               getTheta().convertToDouble(), frame.given, frame.candidates);
    std::copy(flags.begin(), flags.end(), open.row(tile.key.head, number).begin());
  };
  if (llvm::Error error = forEachTile(*this, frame, select)) return error;
  frame.set(getOpen(), std::move(open));
  return llvm::Error::success();
}

llvm::Error AttendExactOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &key = frame.tensor(getKey());
  const int64_t first = getFirst() ? frame.number(getFirst()) : 0;
  const int64_t total = getTotal() ? frame.number(getTotal()) : key.shape[1];
  const Layout layout(query.shape[1], total, getMask(), getConfig().value_or(ConfigAttr()));
  frame.set(getPartial(), attendExact(query, key, frame.tensor(getValue()), layout, getField(), getScale().convertToDouble(), first));
  return llvm::Error::success();
}

llvm::Error AttendSplatsOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &value = frame.tensor(getValue());
  const Tensor &scores = frame.tensor(getScore()), &open = frame.tensor(getOpen());
  Partial partial = Partial::empty(query.shape[0], query.shape[1], value.shape[2]);
  const auto attend = [&](const Tile& tile, int64_t number) {
    const std::span<const double> flags = open.row(tile.key.head, number);
    attendTile(tile, frame.tensor(getKey()), value, rowsOf<std::span<const double>>(scores, tile),
               std::vector<char>(flags.begin(), flags.end()), partial);
  };
  if (llvm::Error error = forEachTile(*this, frame, attend)) return error;
  frame.set(getPartial(), std::move(partial));
  return llvm::Error::success();
}

llvm::Error AttendFusedOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &value = frame.tensor(getValue());
  Partial partial = Partial::empty(query.shape[0], query.shape[1], value.shape[2]);
  const int64_t nodes = getConfig().getNodeCount(frame.index(getIndex()).keys());
  const auto attend = [&](const Tile& tile, int64_t) {
    std::vector<std::vector<double>> scores(tile.queries.size(), std::vector<double>(nodes));
    scoreTile(tile, std::vector<std::span<double>>(scores.begin(), scores.end()));
    const std::vector<std::span<const double>> rows(scores.begin(), scores.end());
    const std::vector<char> open =
        selectTile(tile, rows, frame.partial(getNear()), getTheta().convertToDouble(), frame.given, frame.candidates);
    attendTile(tile, frame.tensor(getKey()), value, rows, open, partial);
  };
  if (llvm::Error error = forEachTile(*this, frame, attend)) return error;
  frame.set(getPartial(), std::move(partial));
  return llvm::Error::success();
}

}  // namespace hsa::ir

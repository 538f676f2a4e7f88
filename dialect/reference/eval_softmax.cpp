// What the stages of scheme softmax compute: each op is a loop over the tiles of every head.
#include "dialect/hsa_ops.h"
#include "dialect/reference/cut.h"
#include "dialect/reference/exact.h"
#include "dialect/reference/frame.h"
#include "dialect/reference/splat_tree.h"

namespace hsa::ir {

using reference::Frame;
using reference::Layout;
using reference::Partial;
using reference::Range;
using reference::SplatIndex;
using reference::Tensor;
using reference::Tile;

// The index holds the trees that the queries of its hsa.summarize see; other queries may see more.
static llvm::Error checkTrees(mlir::Operation* op, const SplatIndex& index, const Layout& layout) {
  for (int64_t t = 0; t < layout.tileCount(); ++t)
    for (int64_t u : layout.indexOf(layout.firstTile() + t))
      for (const auto& trees : index.trees)
        if (trees[u].slots.empty())
          return llvm::createStringError("%s: the queries see the unit at key %lld, which no query of hsa.summarize sees; summarize with these queries",
                                         op->getName().getStringRef().str().c_str(), (long long)layout.units()[u].key.firstToken);
  return llvm::Error::success();
}

template <typename Body>
static void forEachTile(const Tensor& query, const SplatIndex& index, const Layout& layout, double scale, Body body) {
  for (int64_t h = 0; h < query.shape[0]; ++h)
    for (int64_t t = 0; t < layout.tileCount(); ++t) body(Tile{query, index, layout, scale, h, layout.firstTile() + t}, t);
}

// The rows of [H,N,S] that belong to a tile.
template <typename Row, typename T>
static std::vector<Row> rowsOf(T& scores, const Tile& tile) {
  std::vector<Row> rows;
  for (int64_t i = tile.queries().begin; i < tile.queries().end; ++i) rows.push_back(scores.row(tile.head, i));
  return rows;
}

llvm::Error SummarizeOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &key = frame.tensor(getKey());
  const Layout layout(query.shape[1], key.shape[1], getMask(), getConfig());
  frame.set(getIndex(), summarize(query, key, frame.tensor(getValue()), layout, getScale().convertToDouble(), frame.given));
  return llvm::Error::success();
}

llvm::Error ScoreOp::evaluate(Frame& frame) {
  const Tensor& query = frame.tensor(getQuery());
  const SplatIndex& index = frame.index(getIndex());
  const Layout layout(query.shape[1], index.keys, getMask(), getConfig());
  if (llvm::Error error = checkTrees(*this, index, layout)) return error;
  Tensor scores = Tensor::filled({query.shape[0], query.shape[1], getConfig().getNodeCount(index.keys)}, 0);
  forEachTile(query, index, layout, getScale().convertToDouble(),
              [&](const Tile& tile, int64_t) { scoreTile(tile, rowsOf<std::span<double>>(scores, tile)); });
  frame.set(getScore(), std::move(scores));
  return llvm::Error::success();
}

llvm::Error SelectOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &scores = frame.tensor(getScore());
  const SplatIndex& index = frame.index(getIndex());
  const Layout layout(query.shape[1], index.keys, getMask(), getConfig());
  if (llvm::Error error = checkTrees(*this, index, layout)) return error;
  Tensor open = Tensor::filled({query.shape[0], layout.tileCount(), scores.shape[2]}, 0);
  forEachTile(query, index, layout, getScale().convertToDouble(), [&](const Tile& tile, int64_t t) {
    const std::vector<char> flags = selectTile(tile, rowsOf<std::span<const double>>(scores, tile), frame.partial(getNear()),
                                               getTheta().convertToDouble(), frame.given, frame.candidates);
    std::copy(flags.begin(), flags.end(), open.row(tile.head, t).begin());
  });
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
  const Tensor &query = frame.tensor(getQuery()), &value = frame.tensor(getValue()), &open = frame.tensor(getOpen());
  const Tensor& scores = frame.tensor(getScore());
  const SplatIndex& index = frame.index(getIndex());
  const Layout layout(query.shape[1], index.keys, getMask(), getConfig());
  if (llvm::Error error = checkTrees(*this, index, layout)) return error;
  Partial partial = Partial::empty(query.shape[0], query.shape[1], value.shape[2]);
  forEachTile(query, index, layout, getScale().convertToDouble(), [&](const Tile& tile, int64_t t) {
    const std::span<const double> row = open.row(tile.head, t);
    attendTile(tile, frame.tensor(getKey()), value, rowsOf<std::span<const double>>(scores, tile), std::vector<char>(row.begin(), row.end()),
               partial);
  });
  frame.set(getPartial(), std::move(partial));
  return llvm::Error::success();
}

llvm::Error AttendFusedOp::evaluate(Frame& frame) {
  const Tensor &query = frame.tensor(getQuery()), &value = frame.tensor(getValue());
  const SplatIndex& index = frame.index(getIndex());
  const Layout layout(query.shape[1], index.keys, getMask(), getConfig());
  if (llvm::Error error = checkTrees(*this, index, layout)) return error;
  Partial partial = Partial::empty(query.shape[0], query.shape[1], value.shape[2]);
  const int64_t nodes = getConfig().getNodeCount(index.keys);
  forEachTile(query, index, layout, getScale().convertToDouble(), [&](const Tile& tile, int64_t) {
    std::vector<std::vector<double>> scores(tile.queries().end - tile.queries().begin, std::vector<double>(nodes));
    scoreTile(tile, std::vector<std::span<double>>(scores.begin(), scores.end()));
    const std::vector<std::span<const double>> rows(scores.begin(), scores.end());
    const std::vector<char> open =
        selectTile(tile, rows, frame.partial(getNear()), getTheta().convertToDouble(), frame.given, frame.candidates);
    attendTile(tile, frame.tensor(getKey()), value, rows, open, partial);
  });
  frame.set(getPartial(), std::move(partial));
  return llvm::Error::success();
}

}  // namespace hsa::ir

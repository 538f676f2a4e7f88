#include "runtime/near_lists.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/affinity.h"

namespace hsa {
namespace {

constexpr double kThresholdTokens = 8192;                 // up to so many the threshold is as given
constexpr auto kNone = static_cast<float>(kNothingSent);  // of a slot that no splat has taken

}  // namespace

void SearchStages::BindTokens(Worker& worker, const SplatPanels& splats, const float* rows, int64_t tokens) const {
  worker.SetTileRows(tokens);
  worker.Bind("q_rows", rows, {kSplatTile, splats.depth});
  if (splats.isotropic.center.empty()) return;
  worker.Bind("level_center", splats.isotropic.center.data(), {splats.depth});
  worker.Call(center);
}

NearLists::NearLists(int64_t levels, int64_t top) : levels_(levels), top_(top), slots_(nearListSlots(static_cast<int>(top))) {}

int64_t NearLists::Search(Worker& worker, const SearchStages& stages, const std::vector<LevelTree>& levels, int64_t tokens,
                          const float* rows) {
  tokens_ = tokens;
  // Tiles of 64 begin anywhere, so the last one of a level may reach behind it.
  const int64_t list_rows = levels_ * tokens + kSplatTile;
  score_.assign(list_rows * slots_, kNone);
  splat_.assign(list_rows * slots_, 0);
  count_.assign(levels_ * tokens, 0);
  int64_t looked_at = 0;
  for (int64_t level = 0; level < levels_; ++level)
    looked_at +=
        levels[level].nodes ? Descend(worker, stages, levels[level], level, rows) : LookAtAll(worker, stages, levels[level], level, rows);
  return looked_at;
}

void NearLists::Reuse(const FoundLists& found, int64_t tokens) {
  tokens_ = tokens;
  score_ = found.score, splat_ = found.splat;
  count_.assign(levels_ * tokens, 0);
}

int64_t NearLists::LookAtAll(Worker& worker, const SearchStages& stages, const LevelTree& tree, int64_t level, const float* rows) {
  const SplatPanels& splats = tree.splats;
  for (int64_t first = 0; first < tokens_; first += kSplatTile) {
    const int64_t row = level * tokens_ + first;
    stages.BindTokens(worker, splats, rows + first * splats.depth, std::min<int64_t>(kSplatTile, tokens_ - first));
    splats.Bind(worker, 0, splats.slots());
    worker.Bind("near_score", &score_[row * slots_], {kSplatTile, slots_});
    worker.Bind("near_splat", &splat_[row * slots_], {kSplatTile, slots_});
    worker.Call(stages.nearest);
  }
  return tokens_ * splats.splats;
}

// Tokens that look into the same node are gathered, so that it is multiplied as densely as a level is.
int64_t NearLists::Descend(Worker& worker, const SearchStages& stages, const LevelTree& tree, int64_t level, const float* rows) {
  const int64_t nodes = tree.nodes->splats;
  const int64_t node_rows = tree.nodes->slots() / kSplatTile * tokens_ + kSplatTile;
  node_score_.assign(node_rows * slots_, kNone);
  node_.assign(node_rows * slots_, 0);
  tree.graph ? AskGraph(tree, rows) : FindNodes(worker, stages, *tree.nodes, rows);
  SortByNode(nodes);
  gathered_rows_.resize(kSplatTile * tree.splats.depth);
  gathered_score_.resize(kSplatTile * slots_);
  gathered_splat_.resize(kSplatTile * slots_);
  for (int64_t node = 0; node < nodes; ++node)
    for (int64_t first = node_begin_[node]; first < node_begin_[node + 1]; first += kSplatTile) {
      const int64_t count = std::min<int64_t>(kSplatTile, node_begin_[node + 1] - first);
      LookInto(worker, stages, tree, node, std::span(node_tokens_).subspan(first, count), level, rows);
    }
  return (tree.graph ? 0 : tokens_ * nodes) + static_cast<int64_t>(node_tokens_.size()) * kSplatTile;
}

void NearLists::FindNodes(Worker& worker, const SearchStages& stages, const SplatPanels& nodes, const float* rows) {
  for (int64_t some = 0; some < nodes.slots(); some += kSplatTile) {
    nodes.Bind(worker, some, kSplatTile);
    for (int64_t first = 0; first < tokens_; first += kSplatTile) {
      const int64_t row = some / kSplatTile * tokens_ + first;
      stages.BindTokens(worker, nodes, rows + first * nodes.depth, std::min<int64_t>(kSplatTile, tokens_ - first));
      worker.Bind("near_score", &node_score_[row * slots_], {kSplatTile, slots_});
      worker.Bind("near_splat", &node_[row * slots_], {kSplatTile, slots_});
      worker.Call(stages.nearest);
    }
  }
}

// The nodes of the splats that the graph names, each once.
void NearLists::AskGraph(const LevelTree& tree, const float* rows) {
  std::vector<int32_t> slots;
  for (int64_t token = 0; token < tokens_; ++token) {
    const float* row = rows + token * tree.splats.depth;
    if (std::isnan(row[0])) continue;
    tree.graph->Nearest(row, top_, slots);
    int32_t *begin = &node_[token * slots_], *end = begin;
    for (const int32_t slot : slots)
      if (const int32_t node = slot / static_cast<int32_t>(kSplatTile); std::find(begin, end, node) == end) *end++ = node;
    std::fill_n(&node_score_[token * slots_], end - begin, 0.0f);
  }
}

// By counting: tokens of a node stay in their order, and a token without nodes, which is not finite, is nowhere.
void NearLists::SortByNode(int64_t nodes) {
  node_begin_.assign(nodes + 1, 0);
  const auto for_each = [&](auto body) {
    const auto node_rows = static_cast<int64_t>(node_.size()) / slots_ - kSplatTile;
    for (int64_t row = 0; row < node_rows; ++row)
      for (int64_t probe = 0; probe < top_; ++probe)
        if (node_score_[row * slots_ + probe] > kNone) body(row % tokens_, node_[row * slots_ + probe]);
  };
  for_each([&](int64_t, int32_t node) { ++node_begin_[node + 1]; });
  std::partial_sum(node_begin_.begin(), node_begin_.end(), node_begin_.begin());
  node_tokens_.resize(node_begin_[nodes]);
  std::vector<int32_t> next(node_begin_.begin(), node_begin_.end() - 1);
  for_each([&](int64_t token, int32_t node) { node_tokens_[next[node]++] = static_cast<int32_t>(token); });
}

void NearLists::LookInto(Worker& worker, const SearchStages& stages, const LevelTree& tree, int64_t node, std::span<const int32_t> tokens,
                         int64_t level, const float* rows) {
  const int64_t depth = tree.splats.depth;
  const auto list = [&](int32_t token) { return (level * tokens_ + token) * slots_; };
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::copy_n(rows + tokens[i] * depth, depth, &gathered_rows_[i * depth]);
    std::copy_n(&score_[list(tokens[i])], slots_, &gathered_score_[i * slots_]);
    std::copy_n(&splat_[list(tokens[i])], slots_, &gathered_splat_[i * slots_]);
  }
  stages.BindTokens(worker, tree.splats, gathered_rows_.data(), static_cast<int64_t>(tokens.size()));
  tree.splats.Bind(worker, node * kSplatTile, kSplatTile);
  worker.Bind("near_score", gathered_score_.data(), {kSplatTile, slots_});
  worker.Bind("near_splat", gathered_splat_.data(), {kSplatTile, slots_});
  worker.Call(stages.nearest);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::copy_n(&gathered_score_[i * slots_], slots_, &score_[list(tokens[i])]);
    std::copy_n(&gathered_splat_[i * slots_], slots_, &splat_[list(tokens[i])]);
  }
}

float LogThreshold(const format::Sparse& sparse, double tokens) {
  const double threshold = sparse.threshold() * std::sqrt(std::max(1.0, tokens / kThresholdTokens));
  return static_cast<float>(threshold > 0 ? std::log2(std::min(1.0, threshold)) : kNotNear);
}

void NearLists::Count(Worker& worker, const SearchStages& stages, std::span<const float> least) {
  BindKeys(worker);
  worker.Bind("near_least", least.data(), {tokens_});
  worker.Call(stages.count);
}

void NearLists::Drop(int64_t token) {
  for (int64_t level = 0; level < levels_; ++level) count_[level * tokens_ + token] = 0;
}

void NearLists::BindKeysOf(Worker& worker, int64_t level, int64_t levels) const {
  const int64_t first = level * tokens_, lists = levels * tokens_;
  worker.Bind("near_score", score_.data() + first * slots_, {lists, slots_});
  worker.Bind("near_splat", splat_.data() + first * slots_, {lists, slots_});
  worker.Bind("near_count", count_.data() + first, {lists});
}

void NearLists::BindQueriesOf(Worker& worker, int64_t level, int64_t levels) const {
  const int64_t first = level * tokens_, lists = levels * tokens_;
  worker.Bind("query_score", score_.data() + first * slots_, {lists, slots_});
  worker.Bind("query_splat", splat_.data() + first * slots_, {lists, slots_});
  worker.Bind("query_count", count_.data() + first, {lists});
}

void NearLists::BindKeys(Worker& worker) const { BindKeysOf(worker, 0, levels_); }

void NearLists::BindQueries(Worker& worker) const { BindQueriesOf(worker, 0, levels_); }

void NearLists::BindLevels(Worker& worker, int64_t as_keys, int64_t as_queries) const {
  BindKeysOf(worker, as_keys, 1);
  BindQueriesOf(worker, as_queries, 1);
}

int64_t NearLists::kept() const { return std::accumulate(count_.begin(), count_.end(), int64_t{0}); }

std::span<const int32_t> NearLists::splats(int64_t level, int64_t token) const {
  const int64_t row = level * tokens_ + token;
  return {&splat_[row * slots_], static_cast<size_t>(count_[row])};
}

std::span<const float> NearLists::scores(int64_t level, int64_t token) const {
  const int64_t row = level * tokens_ + token;
  return {&score_[row * slots_], static_cast<size_t>(count_[row])};
}

int64_t NearLists::Bytes(int64_t levels, int64_t top, int64_t tokens) {
  return (levels * tokens + kSplatTile) * (2 * nearListSlots(static_cast<int>(top)) + 1) * static_cast<int64_t>(sizeof(float));
}

}  // namespace hsa

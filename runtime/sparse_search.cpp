#include "runtime/sparse_search.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "runtime/check_window.h"
#include "runtime/covariance.h"
#include "runtime/format/level_name.h"
#include "runtime/search_recall.h"

namespace hsa {
namespace {

constexpr int64_t kRecallTokens = 256;  // of each kv_head: where not every splat is looked at, these look at all of them too

}  // namespace

SparseSearch::SparseSearch(const Job& job, int64_t tokens_before)
    : job_(job),
      g_(job.geometry),
      routed_(job.plan.graph().routed()),
      tokens_before_(tokens_before),
      keys_(job.program, job.inputs.key.dtype),
      stages_(job.program),
      levels_(g_.kv_heads),
      hashes_(g_.kv_heads) {}

void SparseSearch::Learn(Worker& worker, int64_t kv_head, const RoutedTables& table) {
  levels_[kv_head] = LevelsOf(worker, table, Looking::kAsAsked);
  if (job_.options.affinity_cache != nullptr) hashes_[kv_head] = HashOf(levels_[kv_head], routed_.sparse().top());
}

std::vector<LevelTree> SparseSearch::LevelsOf(Worker& worker, const RoutedTables& table, Looking looking) const {
  std::vector<LevelTree> levels;
  int64_t first = 0;
  for (const format::SplatLevel& level : routed_.levels()) {
    const int64_t splats = level.splats(), width = g_.padded_head_dim + g_.padded_value_dim;
    const LevelSplats of{table, first, splats, IsIsotropic(routed_)};
    switch (looking == Looking::kAsAsked ? SearchOf(splats) : LevelSearch::kBrute) {
      case LevelSearch::kBrute:
        levels.push_back(LevelTree::Flat(of));
        break;
      case LevelSearch::kDescent:
        levels.push_back(LevelTree::WithNodes(job_.program, worker, of, width));
        break;
      case LevelSearch::kHnsw:
        levels.push_back(LevelTree::WithGraph(job_.program, worker, of, width));
        break;
    }
    first += splats;
  }
  return levels;
}

LevelSearch SparseSearch::SearchOf(int64_t splats) const {
  if (StoredRows(job_.plan.graph()) > 0) return LevelSearch::kBrute;
  return job_.options.search.value_or(FastestSearch(routed_.sparse().top(), splats));
}

float SparseSearch::LogThresholdAt(int64_t position) const {
  return LogThreshold(routed_.sparse(), static_cast<double>(tokens_before_ + (g_.causal ? position + 1 : g_.keys)));
}

void SparseSearch::Search(Worker& worker, int64_t kv_head, TokenRows& tokens, int64_t rows) {
  const auto search = [&] { looked_at_ += tokens.lists.Search(worker, stages_, levels_[kv_head], rows, tokens.wide.rows.data()); };
  ++segments_;
  AffinityCache* cache = job_.options.affinity_cache;
  if (cache == nullptr) return search();
  const ContentHash key = HashOf(std::span(tokens.wide.rows).first(rows * g_.padded_head_dim), hashes_[kv_head]);
  if (const std::shared_ptr<const FoundLists> found = cache->Find(key)) {
    ++reused_;
    return tokens.lists.Reuse(*found, rows);
  }
  search();
  cache->Put(key, tokens.lists.Found());
}

void SparseSearch::Find(Worker& worker, int64_t kv_head, TokenRows& tokens, int64_t first, int64_t count, int64_t heads) {
  std::vector<float> least(heads * count);
  for (int64_t row = 0; row < heads * count; ++row) {
    SpreadNaN(tokens.wide, row, g_.padded_head_dim);
    least[row] = LogThresholdAt(first + row % count);
  }
  Search(worker, kv_head, tokens, heads * count);
  tokens.lists.Count(worker, stages_, least);
  kept_ += tokens.lists.kept();
}

bool SparseSearch::LooksAtAll() const {
  return std::none_of(levels_[0].begin(), levels_[0].end(), [](const LevelTree& level) { return level.nodes.has_value(); });
}

std::string SparseSearch::PerToken(int64_t splats) const {
  const auto tokens = static_cast<double>(g_.kv_heads * (g_.keys - FirstKeyRead(job_.options, g_)) + g_.heads * g_.queries);
  return absl::StrCat(std::round(10 * static_cast<double>(splats) / tokens) / 10);
}

// " (every splat)", or " (8 of 64 nodes of level 0 'token')", or " (up to 8 of 64 nodes of level 0 'token' by hnsw)".
std::string SparseSearch::Text() const {
  std::string text;
  for (size_t level = 0; level < levels_[0].size(); ++level)
    if (const LevelTree& tree = levels_[0][level]; tree.nodes)
      absl::StrAppend(&text, text.empty() ? " (" : ", ", tree.graph ? "up to " : "",
                      std::min<int64_t>(routed_.sparse().top(), tree.nodes->splats), " of ", tree.nodes->splats, " nodes of ",
                      format::LevelText(routed_.levels(), static_cast<int64_t>(level)), tree.graph ? " by hnsw" : "");
  return text.empty() ? " (every splat)" : text + ")";
}

double SparseSearch::flop() const { return 2 * static_cast<double>(looked_at_ * g_.head_dim + kept_ * g_.value_dim); }

void SparseSearch::AddTo(RunReport& report, Worker& worker, const std::vector<RoutedTables>& tables) const {
  report.mode += absl::StrCat(", kept ", PerToken(kept_), " and looked at ", PerToken(looked_at_), Text());
  for (int level = 0; level < routed_.levels_size(); ++level) {
    report.search.levels.emplace_back(LevelSearchName(SearchOf(routed_.levels(level).splats())));
    report.search.names.push_back(format::LevelName(routed_.levels(), level));
  }
  report.search.recall = report.search.mass = 1;
  report.search.segments = segments_, report.search.reused = reused_;
  if (reused_ > 0) absl::StrAppend(&report.mode, ", ", reused_.load(), " of ", segments_.load(), " segments reused");
  if (!LooksAtAll()) AddRecall(report, worker, tables);
}

// Keys evenly spread over each kv_head look for their splats again, at all of them.
void SparseSearch::AddRecall(RunReport& report, Worker& worker, const std::vector<RoutedTables>& tables) const {
  Recall recall;
  for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) {
    const std::vector<LevelTree> flat = LevelsOf(worker, tables[kv_head], Looking::kAtEverySplat);
    TokenRows found(routed_), whole(routed_);
    const int64_t from = FirstKeyRead(job_.options, g_), keys = g_.keys - from, count = std::min(kRecallTokens, keys),
                  d = g_.padded_head_dim;
    found.wide.Resize(count + kSplatTile, d);
    std::vector<float> least;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t position = from + i * keys / count;
      keys_.Read(worker, job_.inputs.key, kv_head, position, 1, d, &found.wide.rows[i * d], &found.wide.bad[i]);
      SpreadNaN(found.wide, i, d);
      least.push_back(LogThresholdAt(position));
    }
    found.lists.Search(worker, stages_, levels_[kv_head], count, found.wide.rows.data());
    whole.lists.Search(worker, stages_, flat, count, found.wide.rows.data());
    for (TokenRows* tokens : {&found, &whole}) tokens->lists.Count(worker, stages_, least);
    hsa::AddRecall(found.lists, whole.lists, routed_.levels_size(), count, recall);
  }
  if (recall.nearest == 0) return;
  report.search.recall = static_cast<double>(recall.found) / static_cast<double>(recall.nearest);
  report.search.mass = recall.mass_found / recall.mass;
  const auto percent = [](double share) { return absl::StrCat(std::round(1000 * share) / 10, " %"); };
  report.mode += absl::StrCat(", recall ", percent(report.search.recall), ", of the mass ", percent(report.search.mass));
}

}  // namespace hsa

// How the tokens of a sparse run find their splats: on each level by the search that suits it, out of a cache where one was there before, and what a report
// says of it (docs/spec.md, "Sparse").
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/affinity_cache.h"
#include "runtime/level_search.h"
#include "runtime/level_tree.h"
#include "runtime/near_lists.h"
#include "runtime/report.h"
#include "runtime/rows.h"
#include "runtime/run_state.h"
#include "runtime/worker.h"

namespace hsa {

// Rows of tokens with room behind them for a whole tile, and the splats that they keep.
struct TokenRows {
  explicit TokenRows(const format::Routed& routed) : lists(routed.levels_size(), routed.sparse().top()) {}

  WideRows wide;
  NearLists lists;
};

class SparseSearch {
 public:
  // `tokens_before`: of the states that the run goes on from. Learn comes before Find.
  SparseSearch(const Job& job, int64_t tokens_before);

  // The splats of a kv_head are those of `table` from here on. Not beside a Find of the same kv_head.
  void Learn(Worker& worker, int64_t kv_head, const RoutedTables& table);

  // The lists of `tokens`: key positions [first, first + count), one head after the other. Thread-safe.
  void Find(Worker& worker, int64_t kv_head, TokenRows& tokens, int64_t first, int64_t count, int64_t heads);

  // What was looked at and kept, and where not every splat was looked at how much of it was found: some keys look again, at all of `tables`.
  void AddTo(RunReport& report, Worker& worker, const std::vector<RoutedTables>& tables) const;

  double flop() const;  // of the lists, and of sending to and receiving from what they keep

 private:
  enum class Looking { kAsAsked, kAtEverySplat };

  std::vector<LevelTree> LevelsOf(Worker& worker, const RoutedTables& table, Looking looking) const;
  LevelSearch SearchOf(int64_t splats) const;
  float LogThresholdAt(int64_t position) const;  // of the token at a position
  void Search(Worker& worker, int64_t kv_head, TokenRows& tokens, int64_t rows);
  bool LooksAtAll() const;
  std::string PerToken(int64_t splats) const;
  std::string Text() const;
  void AddRecall(RunReport& report, Worker& worker, const std::vector<RoutedTables>& tables) const;

  const Job& job_;
  const Geometry& g_;
  const format::Routed& routed_;
  int64_t tokens_before_;
  RowReader keys_;
  SearchStages stages_;
  std::vector<std::vector<LevelTree>> levels_;  // of each kv_head
  std::vector<ContentHash> hashes_;             // of each kv_head: what a search depends on beside the tokens; used with a cache
  std::atomic<int64_t> kept_{0}, looked_at_{0}, segments_{0}, reused_{0};
};

}  // namespace hsa

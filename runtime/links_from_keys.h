// Links between levels from data: how much of what a splat was sent the splats of another level were sent, too (docs/routed.md, "Splats from data").
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"
#include "runtime/level_tree.h"
#include "runtime/near_lists.h"
#include "runtime/run.h"
#include "runtime/worker.h"

namespace hsa {

inline constexpr int64_t kLinkKeys = 8192;      // of a kv_head that are looked at, at most
inline constexpr double kLeastLink = 1.0 / 64;  // of the greatest link of a splat: smaller ones are 0

// Of one kv_head, by the stages of its plan. A key belongs to splat s of a level with p_s = a_s φ_s(k) / Σ_t a_t φ_t(k), over the splats of the level that it
// keeps: the graph's `top` and threshold, or 8; every splat is looked at.
// link_st = Σ_j p_js p_jt / Σ_s Σ_j p_js p_jt, s of the level that the link leads to, without what is below kLeastLink of max_s link_st: what t was sent
// goes on whole, to the splats that the same keys belong to. A splat t of no key leads nowhere. In f32.
class LinksFromKeys {
 public:
  // Whether the plan has the stages.
  // FAILED_PRECONDITION  it was written before links were made by them
  static absl::Status Check(const format::PlanHeader& header);

  // `splats` are of one kv_head; links and gates count for nothing. `tokens`: how many keys there will be.
  // the errors of BuildRoutedTables
  static absl::StatusOr<LinksFromKeys> Of(const Program& program, Worker& worker, const SplatTensors& splats, int64_t tokens);

  // Keys [count + 64, padded head_dim], finite.
  void Add(Worker& worker, const float* rows, int64_t count);

  // weight[s, t] of each splat s of the level that the link leads to, [splats of to, splats of from]. Once, behind all keys.
  std::vector<float> Weight(Worker& worker, int link);

 private:
  LinksFromKeys(const Program& program, const format::Graph& graph, int64_t tokens);

  struct Level {
    int32_t first = 0;
    int64_t splats = 0;
  };
  int64_t Width(int level) const;  // its splats, filled up to whole vectors

  const format::Graph graph_;  // one kv_head, without links and gate
  const SearchStages search_;
  const Program::Stage shares_, overlap_, threshold_;
  float log_threshold_;
  std::vector<Level> levels_;
  std::vector<LevelTree> trees_;
  NearLists lists_;
  std::vector<std::pair<int, int>> links_;  // from, to
  std::vector<std::vector<float>> shared_;  // of each link: Σ_j p_jt p_js, [splats of from, Width(to)]
};

}  // namespace hsa

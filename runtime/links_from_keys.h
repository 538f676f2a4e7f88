// Links between levels from data: how much of what a splat was sent the splats of another level were sent, too (docs/routed.md, "Splats from data").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/exact_splats.h"
#include "runtime/format/plan.pb.h"
#include "runtime/kept_matrix.h"
#include "runtime/run.h"

namespace hsa {

inline constexpr int64_t kLinkKeys = 8192;      // of a kv_head that are looked at, at most
inline constexpr double kLeastLink = 1.0 / 64;  // of the greatest link of a splat: smaller ones are 0

// Of one kv_head. A key belongs to splat s of a level with p_s = a_s φ_s(k) / Σ_t a_t φ_t(k), over the splats of the level that it keeps: the graph's `top`, or 8.
// link_st = Σ_j p_js p_jt / Σ_s Σ_j p_js p_jt, s of the level that the link leads to, without what is below kLeastLink of max_s link_st: what t was sent
// goes on whole, to the splats that the same keys belong to. A splat t of no key leads nowhere.
class LinksFromKeys {
 public:
  // Links and gates of the graph count for nothing; `splats` have been checked as ExactSplats wants it.
  LinksFromKeys(const format::Graph& graph, const SplatTensors& splats, int64_t head);

  // Some keys [keys, dim], finite.
  void Add(std::span<const std::vector<double>> keys);

  // [splats of to, splats of from]: a link of the graph, of all keys that were added.
  KeptMatrix Weight(int link) const;

 private:
  // What keys are to the splats of each level: one matrix [keys, splats] for each level, whose rows have sum 1.
  std::vector<KeptMatrix> Memberships(std::span<const std::vector<double>> keys) const;

  const format::Graph graph_;  // without links and gate
  const ExactSplats splats_;
  std::vector<std::pair<uint32_t, uint32_t>> links_;  // from, to
  std::vector<KeptMatrix> shared_;                    // of each link: Σ_j p_jt p_js, [splats of from, splats of to]
};

}  // namespace hsa

// A graph of neighbours among the splats of one level: which of them are near a token, without a look at all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/routed_tables.h"

namespace hsa {

// Hierarchical navigable small worlds (Malkov and Yashunin 2016, arXiv 1603.09320), from x to splat s −log2 a_s φ_s(x), x being the center of a splat or a token:
// no metric, since each splat has a covariance of its own, but what is asked for. The same splats give the same graph.
class SplatGraph {
 public:
  // Of the splats `which` of a kv_head.
  SplatGraph(const RoutedTables& tables, std::span<const int32_t> which);
  ~SplatGraph();
  SplatGraph(SplatGraph&&) noexcept;

  // Places in `which` of splats that are among the nearest to `token` [depth], which is finite: `most` of them, or all there are, in no order. Thread-safe.
  void Nearest(const float* token, int64_t most, std::vector<int32_t>& places) const;

  static int64_t Bytes(int64_t splats, int64_t depth);

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace hsa

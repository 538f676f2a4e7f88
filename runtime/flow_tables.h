// The links between the levels of one kv_head as the compiled code of scheme routed reads them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"
#include "runtime/huge_pages.h"
#include "runtime/tensor.h"
#include "runtime/worker.h"

namespace hsa {

// log2 F, F = 1 + links, in tiles of 64 × 64 splats, rows of tiles in order: the tiles of the diagonal, and those with a link in them. kNoLink where F is 0.
struct FlowTables {
  std::vector<float, HugePages<float>> tiles;  // [T, 64, 64]
  std::vector<int32_t> index;                  // [T, 2]: row and column of a tile

  bool empty() const { return index.empty(); }  // of a graph without links
  int64_t count() const { return static_cast<int64_t>(index.size()) / 2; }
  void Bind(Worker& worker) const;
};

// `links` are the tensors of the plan's links in order: weight, or expand and compress.
// INVALID_ARGUMENT  a tensor that is missing, not f32 or of another shape than the plan wants; an entry that is negative or not finite: names tensor, kv_head,
//                   row and column
absl::StatusOr<FlowTables> BuildFlowTables(const format::Routed& routed, const std::vector<TensorView>& links, int64_t heads, int64_t head);

}  // namespace hsa

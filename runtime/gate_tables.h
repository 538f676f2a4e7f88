// The gate of one kv_head as the compiled code of scheme routed reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"
#include "runtime/run.h"
#include "runtime/worker.h"

namespace hsa {

// Times log2 e; levels are padded to 16, with a bias of kSendsNothing.
struct GateTables {
  int64_t depth = 0, splats = 0;    // padded
  std::vector<float> weight, bias;  // [depth, 16]: level beside level; [16]
  std::vector<float> level_panel;   // [splats / 16, 16, 16]: 1 at (level of the splat, splat)

  bool empty() const { return bias.empty(); }  // of a graph without a gate
  void Bind(Worker& worker) const;             // nothing when there is none
};

// INVALID_ARGUMENT  a tensor that is missing, not f32 or of another shape than the plan wants; an entry that is not finite, a bias beyond 10,000: names tensor,
//                   kv_head and level
absl::StatusOr<GateTables> BuildGateTables(const format::Graph& graph, const SplatTensors& tensors, int64_t head);

}  // namespace hsa

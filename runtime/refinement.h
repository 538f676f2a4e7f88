// Queries that receive from the coarse levels first (docs/spec.md, "Refinement").
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/geometry.h"
#include "runtime/report.h"
#include "runtime/run.h"
#include "runtime/tile.h"
#include "runtime/worker.h"

namespace hsa {

// Splats [begin, end) that a step adds, and the levels that it is the first to look at: [finest, coarsest].
struct RefineStep {
  int32_t begin = 0, end = 0;
  int finest = 0, coarsest = 0;
};

// Coarse to fine. All of one tile of 64 splats are of one step, and what fills up the last tile is of the first step.
std::vector<RefineStep> RefineStepsOf(const format::Routed& routed);

// `options` have `refine`.
// INVALID_ARGUMENT     --refine is not in (0, 1); the graph is sparse, all its levels are of one step, or levels may sleep: a step that adds nothing says
//                      nothing about the next
// FAILED_PRECONDITION  the plan was written before there was refinement
absl::Status CheckRefine(const RunOptions& options, const format::PlanHeader& header);

// Of one run. Thread-safe.
class Refinement {
 public:
  Refinement(const format::Routed& routed, const Geometry& geometry, double error);

  // Receives for the tile whose queries are loaded, step after step, and stores its rows. What `receive` reads is bound, but for splat_range.
  void Receive(Worker& worker, const TileIo& io, const Tile& tile, const Program::Stage& receive);

  double Looked() const;  // at so many splats of all that all queries could have looked at: a share
  // What was asked for, which queries looked at which levels, and the error of the audited tiles: to the report and behind its mode.
  void AddTo(RunReport& report) const;

 private:
  bool Audits(const Tile& tile) const;

  const format::Routed& routed_;
  const Geometry& geometry_;
  const double error_;
  const std::vector<RefineStep> steps_;
  std::array<std::atomic<int64_t>, 16> queries_{};  // that took each step
  std::mutex mutex_;
  double audited_error_ = 0, audited_norm_ = 0;  // squares, under mutex_
  int64_t audited_ = 0;                          // tiles, under mutex_
};

}  // namespace hsa

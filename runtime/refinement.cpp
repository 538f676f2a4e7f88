#include "runtime/refinement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kernels/affinity.h"
#include "runtime/format/level_name.h"

namespace hsa {
namespace {

constexpr int64_t kTileQueries = 64, kAuditEvery = 16;  // of a head

// ‖a − b‖² and ‖a‖² of the rows of a tile that are finite.
struct Squares {
  double apart = 0, norm = 0;
};
Squares SquaresOf(const std::vector<float>& a, const std::vector<float>& b, int64_t rows, int64_t dim) {
  Squares all;
  for (int64_t r = 0; r < rows; ++r) {
    Squares row;
    for (int64_t i = r * dim; i < (r + 1) * dim; ++i) {
      const double x = a[i], apart = x - b[i];
      row.apart += apart * apart, row.norm += x * x;
    }
    if (std::isfinite(row.apart) && std::isfinite(row.norm)) all.apart += row.apart, all.norm += row.norm;
  }
  return all;
}

}  // namespace

std::vector<RefineStep> RefineStepsOf(const format::Routed& routed) {
  int32_t splats = 0;
  std::vector<int32_t> begin;  // of each level, in whole tiles
  for (const format::SplatLevel& level : routed.levels()) {
    begin.push_back(splats / kSplatTile * kSplatTile);
    splats += static_cast<int32_t>(level.splats());
  }
  std::vector<RefineStep> steps;
  int32_t end = (splats + kSplatTile - 1) / kSplatTile * kSplatTile;
  for (int level = routed.levels_size() - 1; level >= 0; --level) {
    if (begin[level] < end)
      steps.push_back({begin[level], end, level, level}), end = begin[level];
    else
      steps.back().finest = level;  // that begins in the same tile as a coarser one
  }
  return steps;
}

absl::Status CheckRefine(const RunOptions& options, const format::PlanHeader& header) {
  const double error = *options.refine;
  const format::Routed& routed = header.graph().routed();
  if (!(error > 0 && error < 1)) return absl::InvalidArgumentError(absl::StrCat("--refine: ", error, ", wanted more than 0, less than 1"));
  if (routed.has_sparse())
    return absl::InvalidArgumentError("--refine: the graph is sparse, whose tokens look for few splats of every level; leave it out");
  if (RefineStepsOf(routed).size() < 2)
    return absl::InvalidArgumentError(
        "--refine: all levels of the graph begin in one tile of 64 splats, which is looked at as a whole; leave it out, or give finer "
        "levels 64 splats or more");
  if (options.adapt && (options.adapt->asleep > 0 || options.adapt->level_gain > 0))
    return absl::InvalidArgumentError(
        "--refine: levels may sleep (adapt: asleep, level_gain), and one that does changes nothing; leave one of them out");
  for (const format::Stage& stage : header.stages())
    for (const format::Argument& argument : stage.arguments())
      if (argument.port() == "splat_range") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--refine: the plan, written by ", header.producer(), ", receives from all splats at once; compile the graph again"));
}

Refinement::Refinement(const format::Routed& routed, const Geometry& geometry, double error)
    : routed_(routed), geometry_(geometry), error_(error), steps_(RefineStepsOf(routed)) {}

bool Refinement::Audits(const Tile& tile) const {
  const int64_t tiles = (geometry_.queries + kTileQueries - 1) / kTileQueries;
  return (tile.position[0] - geometry_.first_position()) / kTileQueries % kAuditEvery == std::min(kAuditEvery, tiles) / 2;
}

void Refinement::Receive(Worker& worker, const TileIo& io, const Tile& tile, const Program::Stage& receive) {
  thread_local std::vector<float> rows, before, kept, lse;
  const bool audit = Audits(tile);
  bool stopped = false;
  for (size_t t = 0; t < steps_.size() && (!stopped || audit); ++t) {
    const std::array<int32_t, 2> range = {steps_[t].begin, steps_[t].end};
    worker.Bind("splat_range", range.data(), {2});
    worker.Call(receive);
    std::swap(rows, before);
    io.Finish(worker, rows, lse);
    if (stopped) continue;
    queries_[t] += tile.count;
    if (t > 0) {
      const Squares changed = SquaresOf(rows, before, tile.count, geometry_.padded_value_dim);
      stopped = changed.apart <= error_ * error_ * changed.norm;
    }
    stopped = stopped || t + 1 == steps_.size();
    if (!stopped) continue;
    io.Store(worker, tile, rows, lse);
    if (audit) kept = rows;
  }
  if (!audit) return;
  const Squares error = SquaresOf(rows, kept, tile.count, geometry_.padded_value_dim);
  const std::lock_guard lock(mutex_);
  audited_error_ += error.apart, audited_norm_ += error.norm, ++audited_;
}

double Refinement::Looked() const {
  double looked = 0;
  for (size_t t = 0; t < steps_.size(); ++t)
    looked += static_cast<double>(queries_[t]) * static_cast<double>(steps_[t].end - steps_[t].begin);
  return queries_[0] > 0 ? looked / static_cast<double>(queries_[0]) / static_cast<double>(steps_[0].end) : 1;
}

void Refinement::AddTo(RunReport& report) const {
  RefineReport& refined = report.refined;
  refined.asked = error_;
  refined.error = audited_norm_ > 0 ? std::sqrt(audited_error_ / audited_norm_) : 0;
  refined.audited = audited_;
  absl::StrAppend(&report.mode, ", refined to ", error_, ":");
  for (size_t t = 0; t < steps_.size(); ++t) {
    const double share = queries_[0] > 0 ? static_cast<double>(queries_[t]) / static_cast<double>(queries_[0]) : 0;
    for (int level = steps_[t].coarsest; level >= steps_[t].finest; --level) {
      refined.levels.emplace_back(format::LevelName(routed_.levels(), level), share);
      absl::StrAppendFormat(&report.mode, " %s %.3g %%", refined.levels.back().first, 100 * share);
    }
  }
  if (refined.error > error_)
    report.warnings.push_back(absl::StrFormat(
        "--refine %g: the audited tiles have an error of %.2g; a smaller number looks at finer levels", error_, refined.error));
  absl::StrAppend(&report.mode, " of the queries, ",
                  audited_ == 0 ? "no tile audited" : absl::StrFormat("error %.2g of %d audited tiles", refined.error, audited_));
}

}  // namespace hsa

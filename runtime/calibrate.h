// The error knob: the largest θ with which the audited queries of one head and block keep the tolerance (docs/spec.md, "Calibration").
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "runtime/audit.h"
#include "runtime/window.h"

namespace hsa {

// The grid of thresholds: θ = 2^(step/4). A larger step opens less.
double ThetaOfStep(int64_t step);
int64_t StepOfTheta(double theta);

struct Calibrated {
  double theta = kReadAll;    // kReadAll: no θ is cheaper than reading everything, or the sample is too small to certify one
  int64_t step = 0;           // of θ, or where the search of a dense block ended: the next block's search begins there
  double wasted_seconds = 0;  // of one thread, in trials of another θ
};

// A tile that holds audited queries, and what it came to at one θ.
struct AuditedTile {
  Window* window = nullptr;
  size_t tile = 0;                                // of the window
  std::vector<std::pair<int64_t, int64_t>> rows;  // row of the tile, row of the audit
  NearField near;                                 // of the tile's rows: attended before the search
  struct Result {
    TileCost cost;
    std::vector<float> o, lse;  // as TileIo::Finish makes them
    std::vector<float> doubt;   // as TileOpener::doubt tells it
  } fresh, kept;                // of the trial that runs, and of the largest θ that passed so far

  const Tile& queries() const { return window->tiles[tile]; }
};

// The tiles of those `windows` that hold audited queries, which must be ordered: Holds tells which they are. In a random order that `seed` fixes, so
// that a trial that is broken off has seen tiles from everywhere.
bool Holds(const Audit& audit, const Window& window);
std::vector<AuditedTile> AuditedTilesOf(std::span<Window> windows, const Audit& audit, uint64_t seed);

// Attends the tiles of the audited queries at one θ after the other; stores what they came to at the θ that is found.
class Calibrator {
 public:
  Calibrator(const Job& job, Workers& workers, oneapi::tbb::enumerable_thread_specific<WindowAttender>& attenders, const TileIo& io,
             ProgressMeter& progress)
      : job_(job), workers_(workers), attenders_(attenders), io_(io), progress_(progress) {}

  // `tiles` of the audit's head, near fields attended; `share` of the block's tiles are among them. Updates `done` of their windows, and the
  // audit's `doubt`.
  Calibrated Search(std::span<AuditedTile> tiles, Audit& audit, const Tolerance& tolerance, int64_t first_step, double share);

 private:
  struct Trial {
    bool kept = false;    // the tolerance, by all queries that were looked at
    bool dear = false;    // as dear as reading everything, or dearer: broken off
    bool loose = false;   // far below the tolerance: broken off
    double quantile = 0;  // the error that decides, over ε
    double seconds = 0;   // of one thread
  };

  Trial Try(std::span<AuditedTile> tiles, const Audit& audit, const Tolerance& tolerance, double theta, bool may_be_loose);
  void Store(std::span<AuditedTile> tiles, Audit& audit, double theta);

  const Job& job_;
  Workers& workers_;
  oneapi::tbb::enumerable_thread_specific<WindowAttender>& attenders_;
  const TileIo& io_;
  ProgressMeter& progress_;  // asked between chunks of tiles whether the run goes on; a search that does not is void
};

}  // namespace hsa

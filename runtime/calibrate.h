// The error knob: the largest θ with which the audited queries of one head and block keep the tolerance (docs/spec.md, "Calibration").
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/audit.h"
#include "runtime/window.h"

namespace hsa {

// The grid of thresholds: θ = 2^(step/4). A larger step opens less.
double ThetaOfStep(int64_t step);
int64_t StepOfTheta(double theta);

struct Calibrated {
  double theta = kReadAll;  // kReadAll: no θ is cheaper than reading everything, or the sample is too small to certify one
  int64_t step = 0;         // of θ, or where the search of a dense block ended: the next block's search begins there
};

// Attends the tiles of the audited queries at one θ after the other and stores them; what was stored with another θ is void.
class Calibrator {
 public:
  Calibrator(const Job& job, Workers& workers, oneapi::tbb::enumerable_thread_specific<WindowAttender>& attenders, const TileIo& io,
             ProgressMeter& progress)
      : job_(job), workers_(workers), attenders_(attenders), io_(io), progress_(progress) {}

  // `windows` of the audit's head, near fields attended. Updates their `done`.
  Calibrated Search(std::span<Window> windows, const Audit& audit, const Tolerance& tolerance, int64_t first_step);

 private:
  struct Audited {  // a tile with audited queries
    Window* window;
    size_t tile;
    std::vector<std::pair<int64_t, int64_t>> rows;  // row of the tile, row of the audit
  };
  struct Trial {
    bool kept = false;    // the tolerance, by all queries that were looked at
    bool dear = false;    // as dear as reading everything, or dearer: broken off
    double quantile = 0;  // the error that decides, over ε
  };

  std::vector<Audited> TilesOf(std::span<Window> windows, const Audit& audit) const;
  Trial Try(std::vector<Audited>& tiles, const Audit& audit, const Tolerance& tolerance, double theta);

  const Job& job_;
  Workers& workers_;
  oneapi::tbb::enumerable_thread_specific<WindowAttender>& attenders_;
  const TileIo& io_;
  ProgressMeter& progress_;  // asked between chunks of tiles whether the run goes on; a search that does not is void
};

}  // namespace hsa

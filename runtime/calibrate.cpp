#include "runtime/calibrate.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "oneapi/tbb/parallel_for.h"
#include "runtime/coverage.h"

namespace hsa {

namespace {

constexpr int64_t kChunk = 8;        // tiles between two looks at a trial: fixed, so that a search takes the same path with any threads
constexpr int64_t kMostTrials = 16;  // of one search
constexpr int64_t kMostStride = 12;  // steps from one trial to the next
constexpr int64_t kLeastStep = -80;  // θ = 1e-6: finer ones open everything that matters
constexpr int64_t kMostStep = 8;     // θ = 4: nothing opens
constexpr double kStepError = 1.19;  // a step of θ changes the error by at most about this factor
constexpr double kStepSaves = 0.06;  // and saves about this share of what the index costs
constexpr double kLoose = 0.5;       // of ε: a trial whose first third has no error above it is broken off for a larger θ
constexpr double kReads = 0.3;       // what a trial costs, in keys that are read: fewer of these are worth some time
constexpr double kClose = 0.7;       // of ε: where a search is content; a larger θ would often not keep it
// Cost of a scored node and of a leaf key in keys of the near field (docs/performance.md, stages).
constexpr double kNodeCost = 1.7, kLeafCost = 1.2;

double CostOf(const TileCost& cost) { return kNodeCost * cost.nodes + kLeafCost * cost.leaves; }

}  // namespace

double ThetaOfStep(int64_t step) { return std::exp2(0.25 * static_cast<double>(step)); }
int64_t StepOfTheta(double theta) { return std::llround(4 * std::log2(theta)); }

bool Holds(const Audit& audit, const Window& window) {
  const auto first = std::lower_bound(audit.positions.begin(), audit.positions.end(), window.begin);
  return first != audit.positions.end() && *first < window.end;
}

std::vector<AuditedTile> AuditedTilesOf(std::span<Window> windows, const Audit& audit, uint64_t seed) {
  std::vector<AuditedTile> tiles;
  for (Window& window : windows)
    for (size_t t = 0; t < window.tiles.size(); ++t) {
      AuditedTile audited;
      audited.window = &window, audited.tile = t;
      const std::span<const int32_t> positions = window.tiles[t].positions();
      for (size_t r = 0; r < positions.size(); ++r) {
        const auto found = std::lower_bound(audit.positions.begin(), audit.positions.end(), positions[r]);
        if (found != audit.positions.end() && *found == positions[r]) audited.rows.push_back({r, found - audit.positions.begin()});
      }
      if (!audited.rows.empty()) tiles.push_back(std::move(audited));
    }
  std::mt19937_64 random(seed);
  for (size_t i = tiles.size(); i > 1; --i) std::swap(tiles[i - 1], tiles[random() % i]);
  return tiles;
}

Calibrator::Trial Calibrator::Try(std::span<AuditedTile> tiles, const Audit& audit, const Tolerance& tolerance, double theta,
                                  bool may_be_loose) {
  const Geometry& g = job_.geometry;
  const auto n = static_cast<int64_t>(audit.positions.size());
  const int64_t allowed = AllowedMisses(n, tolerance.confidence), dv = g.padded_value_dim;
  std::vector<double> errors(n, -1.0);
  double cost = 0, visible = 0;
  int64_t seen = 0, misses = 0;
  Trial trial;
  for (size_t first = 0; first < tiles.size() && misses <= allowed && !trial.dear && !trial.loose && progress_.Advance(0);
       first += kChunk) {
    const size_t last = std::min(tiles.size(), first + kChunk);
    oneapi::tbb::parallel_for(first, last, [&](size_t i) {
      const TraceScope scope(job_.options.trace, "trial", "calibrate");
      Worker& worker = workers_.local();
      AuditedTile& tile = tiles[i];
      AuditedTile::Result& result = tile.fresh;
      WindowAttender& attender = attenders_.local();
      result.cost = attender.AttendFar(worker, io_, *tile.window, tile.queries(), tile.near, theta, TileOpener::Depth::kWhole);
      result.doubt.assign(attender.opener().doubt().begin(), attender.opener().doubt().end());
      io_.Finish(worker, result.o, result.lse);
      for (const auto& [row, audited] : tile.rows)
        errors[audited] = RowError(std::span(result.o).subspan(row * dv, dv), std::span(audit.exact).subspan(audited * dv, dv));
    });
    for (const AuditedTile& tile : tiles.subspan(first, last - first)) {
      trial.seconds += tile.fresh.cost.seconds();
      cost += CostOf(tile.fresh.cost);
      for (float keys : tile.near.keys) cost += keys;
      for (int32_t position : tile.queries().positions()) visible += static_cast<double>(g.VisibleKeys(position));
      seen += static_cast<int64_t>(tile.rows.size());
      for (const auto& [row, audited] : tile.rows) misses += errors[audited] > tolerance.error;
    }
    trial.dear = cost >= visible;
    if (may_be_loose && 3 * seen >= n && last < tiles.size())
      trial.loose = std::all_of(errors.begin(), errors.end(), [&](double error) { return error <= kLoose * tolerance.error; });
  }
  std::erase(errors, -1.0);
  std::sort(errors.begin(), errors.end(), std::greater());
  // Of a trial that was broken off, the error at the same share of what it saw.
  const auto rank =
      static_cast<size_t>(static_cast<double>(allowed) * static_cast<double>(seen) / static_cast<double>(std::max<int64_t>(n, 1)));
  trial.quantile = errors.empty() ? 0 : errors[std::min(rank, errors.size() - 1)] / tolerance.error;
  trial.kept = misses <= allowed && !trial.loose;
  return trial;
}

Calibrated Calibrator::Search(std::span<AuditedTile> tiles, Audit& audit, const Tolerance& tolerance, int64_t first_step, double share) {
  Calibrated result{kReadAll, first_step};
  if (AllowedMisses(static_cast<int64_t>(audit.positions.size()), tolerance.confidence) < 0) return result;
  constexpr int64_t kNone = kLeastStep - 1;
  int64_t low = kNone, high = kMostStep + 1;  // between them lies what is worth a trial
  int64_t loose = kNone;                      // a step that would probably pass: larger ones are tried before it
  int64_t next = first_step, fails = 0;
  double kept_seconds = 0;
  for (int64_t trials = 0; trials < kMostTrials && low + 1 < high && !progress_.cancelled(); ++trials) {
    const int64_t step = std::clamp(next, low + 1, high - 1);
    const Trial trial = Try(tiles, audit, tolerance, ThetaOfStep(step), /*may_be_loose=*/high > kMostStep && step < kMostStep);
    if (progress_.cancelled()) return {kReadAll, first_step};
    // Steps of θ between this trial's error and the one that is asked for; twice as many after every trial that failed.
    const auto apart = static_cast<int64_t>(std::abs(std::log(std::max(trial.quantile, 1e-3))) / std::log(kStepError));
    const int64_t distance = std::clamp<int64_t>(apart << std::min<int64_t>(fails, 2), 1, kMostStride);
    const bool best = trial.kept && !trial.dear;
    result.wasted_seconds += best ? std::exchange(kept_seconds, trial.seconds) : trial.seconds;
    if (trial.loose)
      loose = step;
    else if (trial.kept || trial.dear)
      low = step;
    if (!trial.kept && !trial.loose) {
      high = step, ++fails;
      if (step <= loose) loose = kNone;  // its first third had promised more
    }
    next = trial.kept || trial.loose ? step + distance : step - distance;
    const int64_t below = std::max(low, loose - 1);
    if (below > kNone && high <= kMostStep) next = (below + high) / 2;
    if (!best) continue;
    result.theta = ThetaOfStep(step), result.step = step;
    for (AuditedTile& tile : tiles) std::swap(tile.fresh, tile.kept);
    // A further trial costs its share of the block, and saves what the larger θ saves of the rest.
    const auto steps = static_cast<double>(next - step);
    if (trial.quantile > kClose || (1 - share) * (1 - std::pow(1 - kStepSaves, steps)) < kReads * share) break;
  }
  // The next block begins where this one ended, or where reading everything became as cheap.
  if (result.theta == kReadAll)
    result.step = std::clamp(next, low, high);
  else
    Store(tiles, audit, result.theta);
  return result;
}

void Calibrator::Store(std::span<AuditedTile> tiles, Audit& audit, double theta) {
  audit.doubt.resize(audit.positions.size());
  oneapi::tbb::parallel_for(size_t{0}, tiles.size(), [&](size_t i) {
    const AuditedTile& tile = tiles[i];
    io_.Store(workers_.local(), tile.queries(), tile.kept.o, tile.kept.lse);
    io_.StoreError(tile.queries(), tile.kept.doubt);
    for (const auto& [row, audited] : tile.rows) audit.doubt[audited] = tile.kept.doubt[row];
    tile.window->done[tile.tile] = {theta, tile.kept.cost};
  });
}

}  // namespace hsa

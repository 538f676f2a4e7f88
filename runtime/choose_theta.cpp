#include "runtime/choose_theta.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/parallel_for.h"

namespace hsa {

namespace {

// Thresholds from "nothing opens" to "almost everything", each √2 below the last.
constexpr int kSteps = 48;
double ThetaAt(int step) { return std::pow(2.0, 1.0 - 0.5 * step); }

constexpr int64_t kRegions = 8, kTilesPerRegion = 6;  // sampled, of each head
constexpr double kMargin = 0.97;                      // what the sample may be wrong by

}  // namespace

absl::StatusOr<std::vector<double>> ChooseTheta(const Job& job, Workers& workers, IndexStore& store) {
  const Geometry& g = job.geometry;
  const std::vector<Region> regions = RegionsOf(g);
  if (regions.empty()) return std::vector<double>(g.heads, 1.0);
  store.BuildSegments(workers, regions.back().segment);
  const TileIo io(job.program, g, job.inputs, job.outputs);
  TileClock clock;
  std::mutex mutex;
  std::vector<std::vector<double>> cost(g.heads, std::vector<double>(kSteps, 0.0));  // nodes and leaves
  std::vector<double> near(g.heads, 0.0), visible(g.heads, 0.0);
  // Work grows with the position, so regions are sampled evenly, the last one always among them.
  const int64_t stride = std::max<int64_t>(1, (static_cast<int64_t>(regions.size()) + kRegions - 1) / kRegions);
  for (int64_t r = (static_cast<int64_t>(regions.size()) - 1) % stride; r < static_cast<int64_t>(regions.size()); r += stride) {
    store.BuildRegion(workers, regions[r].segment, regions[r].minis);
    const std::vector<RegionKeys> keys = PackRegion(job, workers, store, regions[r]);
    const std::vector<Tile> all = TilesOf(g, regions[r]);
    const int64_t per_head = static_cast<int64_t>(all.size()) / g.heads, step = std::max<int64_t>(1, per_head / kTilesPerRegion);
    std::vector<Tile> tiles;
    for (int64_t head = 0, seen = 0; head < g.heads; ++head, seen = 0)
      for (const Tile& tile : all)
        if (tile.head == head && seen++ % step == step / 2) tiles.push_back(tile);
    oneapi::tbb::enumerable_thread_specific<TileOpener> openers{[&] { return TileOpener(job, store, clock); }};
    oneapi::tbb::parallel_for(size_t{0}, tiles.size(), [&](size_t i) {
      const Tile& tile = tiles[i];
      const RegionKeys& own = keys[tile.head / g.group()];
      const int64_t near_start = g.NearStart(tile.begin / g.window * g.window);
      std::vector<double> probed(kSteps, 0.0);
      double near_keys = 0, visible_keys = 0;
      for (int64_t p = tile.begin; p < tile.end; ++p) {
        near_keys += openers.local().NearKeys(p, near_start, own);
        visible_keys += static_cast<double>(g.VisibleKeys(p));
      }
      for (int s = 0; s < kSteps; ++s) {
        const TileCost c = openers.local().Open(workers.local(), io, tile, near_start, own, ThetaAt(s), TileOpener::Depth::kProbe);
        probed[s] = c.nodes + c.leaves;
        if (near_keys + probed[s] > visible_keys) {  // dearer than dense: smaller thresholds only more so
          std::fill(probed.begin() + s, probed.end(), probed[s]);
          break;
        }
      }
      const std::lock_guard lock(mutex);
      near[tile.head] += near_keys;
      visible[tile.head] += visible_keys;
      for (int s = 0; s < kSteps; ++s) cost[tile.head][s] += probed[s];
    });
  }
  std::vector<double> theta(g.heads);
  double least = 0;  // budget that every head can keep; all keys can be read whatever the head
  int64_t dearest = 0;
  for (int64_t head = 0; head < g.heads; ++head) {
    const double share = kMargin * job.options.budget * visible[head];
    int best = job.options.budget >= 1 ? 0 : -1;
    for (int s = 0; s < kSteps && near[head] + cost[head][s] <= share; ++s) best = s;
    theta[head] = ThetaAt(std::max(best, 0));
    const double wanted = std::min(1.0, std::ceil(1000 * (near[head] + cost[head][0]) / visible[head] / kMargin) / 1000);
    if (best < 0 && wanted > least) least = wanted, dearest = head;
  }
  if (least > 0)
    return absl::FailedPreconditionError(absl::StrCat("--budget: ", job.options.budget, " is below what query head ", dearest,
                                                      " reads when nothing is opened; the least that works is ", least));
  return theta;
}

}  // namespace hsa

#include "runtime/choose_theta.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/window.h"

namespace hsa {

namespace {

constexpr int64_t kTilesPerWindow = 3, kWindowsPerRegion = 2;     // sampled, of each head
constexpr double kMostLogTheta = 2, kLeastLogTheta = -22;         // log2 θ: nothing opens, everything does
constexpr int kCoarse = 6, kFine = 5;                             // halvings of that range, with few tiles and with all: to 1/85 in log2 θ
constexpr double kMargin = 0.95;                                  // what the sample may be wrong by

// Numbers below `count`, each in the middle of its share: work grows with the position.
std::vector<int64_t> Sample(int64_t count, int64_t wanted) {
  std::vector<int64_t> numbers;
  const int64_t parts = std::min(count, wanted);
  for (int64_t i = 0; i < parts; ++i) numbers.push_back((2 * i + 1) * count / (2 * parts));
  return numbers;
}

// Of one head, over all its queries.
struct Keys {
  double near = 0, visible = 0;
};
Keys KeysOf(const Geometry& g) {
  Keys keys;
  for (int64_t position = g.first_position(); position < g.keys; ++position) {
    const int64_t lo = g.VisibleLo(position), near_start = g.NearStart(position / g.window * g.window);
    keys.visible += static_cast<double>(g.VisibleKeys(position));
    keys.near += static_cast<double>(g.VisibleHi(position) + 1 - std::max(lo, near_start));
    if (lo < g.near_sinks) keys.near += static_cast<double>(std::min(g.near_sinks, near_start) - std::min(lo, near_start));
  }
  return keys;
}

// Sampled windows of every head, near fields attended, and what the index costs their tiles.
class Prober {
 public:
  Prober(const Job& job, IndexStore& store)
      : job_(job), g_(job.geometry), store_(store), io_(job.program, g_, job.inputs, job.outputs), workers_([this] { return Worker(job_.program); }),
        attenders_([this] { return WindowAttender(job_, store_); }) {
    const std::vector<Region> regions = RegionsOf(g_);
    for (int64_t r : Sample(static_cast<int64_t>(regions.size()), kProbedRegions)) {
      store_.BuildRegion(workers_, regions[r].segment, regions[r].minis);
      const std::vector<RegionKeys> keys = PackRegion(job_, workers_, store_, regions[r]);
      const auto first = static_cast<int64_t>(windows_.size());
      for (int64_t head = 0; head < g_.heads; ++head) {
        std::vector<Window> all = WindowsOf(g_, head, std::span(&regions[r], 1));
        const std::vector<int64_t> sample = Sample(static_cast<int64_t>(all.size()), kWindowsPerRegion);
        const double weight = static_cast<double>(all.back().end - all.front().begin) / static_cast<double>(sample.size());
        for (int64_t w : sample) {
          windows_.push_back(std::move(all[w]));
          weights_.push_back(weight);
        }
      }
      oneapi::tbb::parallel_for(first, static_cast<int64_t>(windows_.size()), [&](int64_t w) {
        attenders_.local().AttendNear(workers_.local(), io_, windows_[w], keys[windows_[w].kv_head]);
      });
    }
  }

  // Key-equivalents that the index costs a query of each head at these thresholds, from so many tiles of each window.
  std::vector<double> Cost(const std::vector<double>& theta, int64_t tiles_per_window) {
    std::vector<double> cost(g_.heads, 0.0), queries(g_.heads, 0.0);
    std::mutex mutex;
    oneapi::tbb::parallel_for(size_t{0}, windows_.size(), [&](size_t w) {
      const Window& window = windows_[w];
      double keys = 0, rows = 0;
      for (int64_t t : Sample(static_cast<int64_t>(window.tiles.size()), tiles_per_window)) {
        keys += attenders_.local().AttendFar(workers_.local(), io_, window, window.tiles[t], theta[window.head], TileOpener::Depth::kProbe).keys();
        rows += static_cast<double>(window.tiles[t].rows());
      }
      const std::lock_guard lock(mutex);
      cost[window.head] += weights_[w] * keys / rows, queries[window.head] += weights_[w];
    });
    for (int64_t head = 0; head < g_.heads; ++head) cost[head] /= std::max(queries[head], 1.0);
    return cost;
  }

 private:
  const Job& job_;
  const Geometry& g_;
  IndexStore& store_;
  TileIo io_;
  Workers workers_;
  oneapi::tbb::enumerable_thread_specific<WindowAttender> attenders_;
  std::vector<Window> windows_;
  std::vector<double> weights_;  // queries that each of them stands for
};

}  // namespace

absl::StatusOr<std::vector<double>> ChooseTheta(const Job& job, IndexStore& store) {
  const Geometry& g = job.geometry;
  std::vector<double> most(g.heads, kMostLogTheta), least(g.heads, kLeastLogTheta), theta(g.heads, std::exp2(kMostLogTheta));
  if (g.queries == 0) return theta;
  if (job.options.budget >= 1) return std::vector<double>(g.heads, kReadAll);
  const Keys keys = KeysOf(g);
  const auto queries = static_cast<double>(g.queries);
  const double far = (kMargin * job.options.budget * keys.visible - keys.near) / queries;  // what the index may cost a query
  Prober prober(job, store);
  const std::vector<double> roots = prober.Cost(theta, kTilesPerWindow);
  if (const auto dearest = std::max_element(roots.begin(), roots.end()); *dearest > far) {
    const double wanted = std::min(1.0, std::ceil(1000 * (keys.near + *dearest * queries) / keys.visible / kMargin) / 1000);
    return absl::FailedPreconditionError(absl::StrCat("--budget: ", job.options.budget, " is below what query head ", dearest - roots.begin(),
                                                      " reads when nothing is opened; the least that works is ", wanted));
  }
  for (int i = 0; i < kCoarse + kFine; ++i) {
    if (i == kCoarse)  // few tiles may have erred: one step back
      for (int64_t head = 0; head < g.heads; ++head) {
        const double width = most[head] - least[head];
        most[head] = std::min(kMostLogTheta, most[head] + width), least[head] = std::max(kLeastLogTheta, least[head] - width);
      }
    for (int64_t head = 0; head < g.heads; ++head) theta[head] = std::exp2((most[head] + least[head]) / 2);
    const std::vector<double> cost = prober.Cost(theta, i < kCoarse ? 1 : kTilesPerWindow);
    for (int64_t head = 0; head < g.heads; ++head) (cost[head] <= far ? most : least)[head] = std::log2(theta[head]);
  }
  for (int64_t head = 0; head < g.heads; ++head) theta[head] = std::exp2(most[head]);
  return theta;
}

}  // namespace hsa

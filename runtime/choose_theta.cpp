#include "runtime/choose_theta.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/group_nodes.h"
#include "runtime/window.h"

namespace hsa {

namespace {

// Thresholds from "nothing opens" to "almost everything", each half of the last.
constexpr int kSteps = 25;
double ThetaAt(double step) { return std::exp2(2.0 - step); }

constexpr int64_t kRegions = 8, kWindows = 24, kTilesPerWindow = 3;  // sampled, of each head; windows over all regions
constexpr double kEnough = 4;     // times the budget: where the probe of a tile ends; dear tiles weigh in at the θ of the others, too
constexpr double kMargin = 0.96;  // what the sample may be wrong by

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
  Keys keys{.visible = g.AllVisibleKeys()};
  for (int64_t position = g.first_position(); position < g.keys; ++position) {
    const int64_t lo = g.VisibleLo(position), near_start = g.NearStart(position / g.window * g.window);
    keys.near += static_cast<double>(g.VisibleHi(position) + 1 - std::max(lo, near_start));
    if (lo < g.near_sinks) keys.near += static_cast<double>(std::min(g.near_sinks, near_start) - std::min(lo, near_start));
  }
  return keys;
}

// Key-equivalents that the index costs a query of one head at each step.
struct HeadProbe {
  double queries = 0;
  std::vector<double> far = std::vector<double>(kSteps, 0.0);
};

// Probes sampled tiles of every head, region by region.
class Prober {
 public:
  Prober(const Job& job, IndexStore& store, Overlay* overlay)
      : job_(job),
        g_(job.geometry),
        store_(store),
        io_(job.program, g_, job.inputs, job.outputs),
        workers_([this] { return Worker(job_.program); }),
        attenders_([this] { return WindowAttender(job_, store_); }),
        nodes_(job, store, overlay),
        heads_(g_.heads) {}

  std::vector<HeadProbe> Probe() {
    const std::vector<Block> blocks = BlocksOf(g_);
    std::vector<std::pair<const Block*, size_t>> regions;
    for (const Block& block : blocks)
      for (size_t r = 0; r < block.regions.size(); ++r) regions.push_back({&block, r});
    const std::vector<int64_t> sample = Sample(static_cast<int64_t>(regions.size()), kRegions);
    for (int64_t i : sample) ProbeRegion(*regions[i].first, regions[i].second, kWindows / static_cast<int64_t>(sample.size()));
    for (HeadProbe& head : heads_)
      for (double& cost : head.far) cost /= head.queries;
    return heads_;
  }

 private:
  void ProbeRegion(const Block& block, size_t number, int64_t windows_wanted) {
    const std::span<const Region> region = std::span(block.regions).subspan(number, 1);
    store_.BuildRegion(workers_, region[0].segment, region[0].minis);
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) {
      const RegionKeys keys = PackRegion(KeysFor::kQueries, job_, workers_.local(), store_, region[0], kv_head);
      nodes_.Build(workers_, kv_head, block, region);
      std::vector<Window> windows;
      for (int64_t head = kv_head * g_.group(); head < (kv_head + 1) * g_.group(); ++head) {
        std::vector<Window> all = WindowsOf(g_, head, region, nodes_.of(head));
        for (int64_t w : Sample(static_cast<int64_t>(all.size()), windows_wanted)) windows.push_back(std::move(all[w]));
      }
      const double weight = static_cast<double>(std::min(g_.keys, region[0].end_window * g_.window) - region[0].first_window * g_.window);
      oneapi::tbb::parallel_for(size_t{0}, windows.size(), [&](size_t w) { ProbeWindow(windows[w], keys, weight); });
    }
  }

  void ProbeWindow(Window& window, const RegionKeys& keys, double weight) {
    WindowAttender& attender = attenders_.local();
    attender.AttendNear(workers_.local(), io_, window, keys);
    HeadProbe sum;
    for (int64_t t : Sample(static_cast<int64_t>(window.tiles.size()), kTilesPerWindow)) {
      const Tile& tile = window.tiles[t];
      double near = 0, visible = 0, far = 0;
      for (int32_t position : tile.positions()) {
        near += window.near.keys[position - window.begin];
        visible += static_cast<double>(g_.VisibleKeys(position));
      }
      for (int s = 0; s < kSteps; ++s) {
        if (near + far <= kEnough * job_.options.budget * visible || s == 0)  // smaller thresholds only read more
          far = attender.AttendFar(workers_.local(), io_, window, tile, ThetaAt(s), TileOpener::Depth::kProbe).keys();
        sum.far[s] += far;
      }
      sum.queries += static_cast<double>(tile.rows());
    }
    const std::lock_guard lock(mutex_);
    HeadProbe& head = heads_[window.head];
    head.queries += weight;
    for (int s = 0; s < kSteps; ++s) head.far[s] += weight * sum.far[s] / sum.queries;
  }

  const Job& job_;
  const Geometry& g_;
  IndexStore& store_;
  TileIo io_;
  Workers workers_;
  oneapi::tbb::enumerable_thread_specific<WindowAttender> attenders_;
  GroupNodes nodes_;
  std::mutex mutex_;
  std::vector<HeadProbe> heads_;  // under mutex_
};

// The θ whose key-equivalents are `keys`, between the last step that stays below and the next: there, their logarithm is near to linear in that of θ.
double ThetaFor(const HeadProbe& head, double keys) {
  int step = 0;
  while (step + 1 < kSteps && head.far[step + 1] <= keys) ++step;
  if (step + 1 == kSteps || head.far[step] <= 0) return ThetaAt(step);
  return ThetaAt(step + std::log(keys / head.far[step]) / std::log(head.far[step + 1] / head.far[step]));
}

}  // namespace

absl::StatusOr<std::vector<double>> ChooseTheta(const Job& job, IndexStore& store, Overlay* overlay) {
  const Geometry& g = job.geometry;
  if (g.queries == 0) return std::vector<double>(g.heads, ThetaAt(0));
  if (job.options.budget >= 1) return std::vector<double>(g.heads, kReadAll);
  const Keys keys = KeysOf(g);
  const auto queries = static_cast<double>(g.queries);
  const double far = (kMargin * job.options.budget * keys.visible - keys.near) / queries;  // what the index may cost a query
  const std::vector<HeadProbe> heads = Prober(job, store, overlay).Probe();
  const auto dearest =
      std::max_element(heads.begin(), heads.end(), [](const HeadProbe& a, const HeadProbe& b) { return a.far[0] < b.far[0]; });
  if (dearest->far[0] > far) {
    const double least = std::min(1.0, std::ceil(1000 * (keys.near + dearest->far[0] * queries) / keys.visible / kMargin) / 1000);
    return absl::FailedPreconditionError(absl::StrCat("--budget: ", job.options.budget, " is below what query head ",
                                                      dearest - heads.begin(), " reads when nothing is opened; the least that works is ",
                                                      least));
  }
  std::vector<double> theta;
  for (const HeadProbe& head : heads) theta.push_back(ThetaFor(head, far));
  return theta;
}

}  // namespace hsa

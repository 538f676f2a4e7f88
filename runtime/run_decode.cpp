// A few queries at the end of a sequence whose index and overlay are in a file: each is a tile of its own, so that it opens what it needs and no more.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/choose_theta.h"
#include "runtime/index_file.h"
#include "runtime/overlay.h"
#include "runtime/report_reads.h"
#include "runtime/run_state.h"
#include "runtime/splat_run.h"
#include "runtime/window.h"

namespace hsa {

namespace {

// Anonymous memory that a run needs beside the index: its threads' scratch, and keys of at most two windows and a segment that has become whole.
int64_t WorkingBytes(const Job& job) {
  const Geometry& g = job.geometry;
  const int64_t builder = g.segment * (g.padded_head_dim + g.padded_value_dim) * 16;
  return job.threads * (builder + static_cast<int64_t>(job.plan.header().arena_bytes())) + 2 * KeyPanelBytes(g, 2 * g.window) * g.kv_heads +
         (int64_t{32} << 20);
}

class DecodeRun {
 public:
  DecodeRun(const Job& job, IndexStore& store, Overlay& overlay)
      : job_(job),
        g_(job.geometry),
        store_(store),
        overlay_(overlay),
        regions_(RegionsOf(g_)),
        io_(job.program, g_, job.inputs, job.outputs),
        workers_([this] { return Worker(job_.program); }),
        attenders_([this] { return WindowAttender(job_, store_); }) {}

  // `theta` of each head.
  absl::Status Execute(std::span<const double> theta, RunReport& report) {
    std::vector<std::vector<RegionKeys>> keys;  // [region][kv_head]
    for (const Region& region : regions_) {
      store_.BuildRegion(workers_, region.segment, region.minis);
      std::vector<RegionKeys>& of_region = keys.emplace_back(g_.kv_heads);
      oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads, [&](int64_t kv_head) {
        of_region[kv_head] = PackRegion(KeysFor::kQueries, job_, workers_.local(), store_, region, kv_head);
      });
    }
    overlay_.Extend(workers_, regions_);
    for (int64_t head = 0; head < g_.heads; ++head)
      for (Window& window : WindowsOf(g_, head, regions_, overlay_.nodes(head))) windows_.push_back(std::move(window));
    oneapi::tbb::parallel_for(size_t{0}, windows_.size(), [&](size_t w) {
      const TraceScope scope(job_.options.trace, "near", "splats");
      Window& window = windows_[w];
      attenders_.local().AttendNear(workers_.local(), io_, window, keys[window.region][window.kv_head]);
      if (ThetaOf(window, theta) == kReadAll) JoinTiles(window);
    });
    std::vector<std::pair<Window*, size_t>> tiles;
    for (Window& window : windows_)
      for (size_t t = 0; t < window.tiles.size(); ++t) tiles.push_back({&window, t});
    ProgressMeter progress(job_.options.progress, static_cast<double>(tiles.size()));
    oneapi::tbb::parallel_for(size_t{0}, tiles.size(), [&](size_t i) {
      if (progress.cancelled()) return;
      const TraceScope scope(job_.options.trace, "tile", "splats");
      const auto& [window, t] = tiles[i];
      WindowAttender& attender = attenders_.local();
      const Tile& tile = window->tiles[t];
      const double opened_at = ThetaOf(*window, theta);
      window->done[t] = {opened_at, attender.AttendFar(workers_.local(), io_, *window, tile, opened_at, TileOpener::Depth::kWhole)};
      io_.Store(workers_.local(), tile);
      std::vector<float> error(attender.opener().doubt().begin(), attender.opener().doubt().end());
      for (float& expected : error) expected *= overlay_.heads[tile.head].error_scale;
      io_.StoreError(tile, error);
      progress.Advance(1);
    });
    if (progress.cancelled()) return absl::CancelledError("cancelled by the caller");
    Fill(theta, report);
    return job_.outputs.rows_ready ? job_.outputs.rows_ready(0, g_.queries) : absl::OkStatus();
  }

 private:
  // A tolerance is not kept by nodes whose values do not lean as they did when θ was calibrated.
  double ThetaOf(const Window& window, std::span<const double> theta) const {
    if (job_.options.mode == Mode::kTolerance && !overlay_.HasTilt(regions_[window.region].segment)) return kReadAll;
    return theta[window.head];
  }

  // Queries that read the same keys read them together.
  void JoinTiles(Window& window) const {
    window.tiles.clear();
    for (int64_t begin = window.begin; begin < window.end; begin += g_.tile)
      window.tiles.push_back(Tile::Range(window.head, begin, std::min(window.end, begin + g_.tile)));
    window.done.assign(window.tiles.size(), {});
  }

  void Fill(std::span<const double> theta, RunReport& report) const {
    double leaf_rows = 0, node_rows = 0;
    std::vector<HeadReads> heads(g_.heads);
    for (int64_t head = 0; head < g_.heads; ++head) heads[head].theta = std::max(theta[head], 0.0);
    for (const Window& window : windows_) {
      HeadReads& head = heads[window.head];
      for (float keys : window.near.keys) head.near += keys;
      for (size_t t = 0; t < window.tiles.size(); ++t) {
        const TileCost& cost = window.done[t].cost;
        head.cost += cost;
        leaf_rows += cost.leaves / static_cast<double>(window.tiles[t].rows());
        node_rows += cost.nodes / static_cast<double>(window.tiles[t].rows());
      }
      report.seconds.near += window.near_seconds / job_.threads;
      if (!window.done.empty() && window.done[0].theta == kReadAll) head.dense_blocks = 1;
    }
    for (const HeadReads& head : heads) report.dense_blocks += head.dense_blocks;
    ReportReads(job_, heads, report);
    report.seconds.index += store_.seconds() + overlay_.seconds();
    // The near field is shared by a group and by the queries of a window; what a tile opens is its own.
    double near_rows = 0;
    for (const Region& region : regions_)
      near_rows += static_cast<double>(g_.keys - g_.NearStart(region.first_window * g_.window)) * static_cast<double>(g_.kv_heads);
    report.bytes_read += BytesOf(job_, near_rows + leaf_rows, node_rows);
  }

  const Job& job_;
  const Geometry& g_;
  IndexStore& store_;
  Overlay& overlay_;
  const std::vector<Region> regions_;
  TileIo io_;
  Workers workers_;
  oneapi::tbb::enumerable_thread_specific<WindowAttender> attenders_;
  std::vector<Window> windows_;
};

// θ of each head for the tolerance that is asked for: what the prompt left, or every key.
std::vector<double> CarriedThetas(const Job& job, const Overlay& overlay, RunReport& report) {
  const Tolerance& asked = job.options.tolerance;
  report.tolerance.asked = asked.error, report.tolerance.confidence = asked.confidence;
  std::vector<double> theta;
  int64_t carried = 0;
  for (int64_t head = 0; head < job.geometry.heads; ++head) {
    const std::optional<double> found = overlay.CarriedTheta(head, asked);
    theta.push_back(found.value_or(kReadAll));
    carried += found.has_value();
  }
  report.tolerance.carried = carried > 0;
  if (carried > 0) {
    report.mode += ": theta carried over from the prompt";
    report.warnings.push_back(absl::StrCat("tolerance: theta is that of the prompt's last block, calibrated for ", overlay.tolerance.error,
                                           " at ", overlay.tolerance.confidence, "; ", job.geometry.queries,
                                           " queries are too few to certify it again"));
  } else {
    report.mode += ": every key, the index has no theta for it";
  }
  if (carried < job.geometry.heads)
    report.warnings.push_back(
        absl::StrCat("index: ", job.options.load_index, ": ", job.geometry.heads - carried, " of ", job.geometry.heads,
                     " heads have no theta for ", asked.error, " at ", asked.confidence,
                     " and read every key; give --theta or --budget, or save the index in a run with that --tolerance"));
  return theta;
}

}  // namespace

absl::Status RunDecode(const Job& job, RunReport& report) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Region> regions = RegionsOf(job.geometry);
  int64_t memory = 0;
  if (const int64_t budget = job.options.memory_budget_bytes; budget > 0) {
    const int64_t least = WorkingBytes(job);
    if (budget < least)
      return absl::ResourceExhaustedError(absl::StrCat("--memory-budget: ", budget, " bytes are too few for ", job.threads,
                                                       " threads; the least that works is ", least, ", or give fewer --threads"));
    memory = std::max<int64_t>(1, budget - least);
  }
  absl::StatusOr<IndexFile> file = IndexFile::Open(job.options.load_index, job);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::unique_ptr<IndexStore>> store =
      IndexStore::Create(job, regions.back().segment, static_cast<int64_t>(regions.size()), memory);
  if (!store.ok()) return store.status();
  absl::StatusOr<std::unique_ptr<Overlay>> overlay = Overlay::Create(job, **store);
  if (!overlay.ok()) return overlay.status();
  if (absl::Status put = file->Put(**store, overlay->get()); !put.ok()) return put;
  std::vector<double> theta(job.geometry.heads, job.options.theta.value_or(job.plan.graph().splats().theta()));
  if (job.options.mode == Mode::kTolerance) theta = CarriedThetas(job, **overlay, report);
  report.seconds.index = SecondsSince(start);
  if (job.options.mode == Mode::kBudget) {
    absl::StatusOr<std::vector<double>> chosen = ChooseTheta(job, **store, overlay->get());
    if (!chosen.ok()) return chosen.status();
    theta = *std::move(chosen);
  }
  // What is read entirely is checked entirely.
  const auto reads_all = [&](const Region& region) { return job.options.mode == Mode::kTolerance && !(*overlay)->HasTilt(region.segment); };
  if (job.options.check_index || std::ranges::count(theta, kReadAll) > 0 || std::ranges::any_of(regions, reads_all)) {
    const auto check = std::chrono::steady_clock::now();
    if (absl::Status whole = file->CheckWhole(); !whole.ok()) return whole;
    report.seconds.index += SecondsSince(check);
  }
  if (job.outputs.error.data != nullptr)
    for (int64_t head = 0; head < job.geometry.heads; ++head)
      if (theta[head] != kReadAll && (*overlay)->heads[head].error_scale == 0)
        return absl::FailedPreconditionError(
            absl::StrCat(job.options.load_index, ": has no scale for the errors of query head ", head,
                         ", which a calibrated prompt leaves; save the index in a run with --tolerance, or leave --error out"));
  report.bytes_read = file->bytes_read();
  return DecodeRun(job, **store, **overlay).Execute(theta, report);
}

}  // namespace hsa

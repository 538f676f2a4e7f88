// Splat attention of all queries: region by region (a segment of keys and the windows behind it), the index of a region built before its
// windows are attended, so that keys stream through once and a later key never enters a sum.
#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/choose_theta.h"
#include "runtime/open_tile.h"
#include "runtime/run_state.h"
#include "runtime/splat_run.h"

namespace hsa {

namespace {

// Anonymous memory that a run needs beside the index.
int64_t WorkingBytes(const Job& job) {
  const Geometry& g = job.geometry;
  const int64_t width = g.padded_head_dim + g.padded_value_dim;
  const int64_t builder = g.segment * (width * 4 + 16) * 4;  // rows, metric, its moved copy, panels
  const int64_t region = KeyPanelBytes(g, g.segment + g.mini) * 2;
  return job.threads * (builder + static_cast<int64_t>(job.plan.header().arena_bytes())) + region * g.kv_heads + (int64_t{32} << 20);
}

}  // namespace

std::vector<Region> RegionsOf(const Geometry& g) {
  std::vector<Region> regions;
  const int64_t first_window = g.first_position() / g.window, windows = (g.keys + g.window - 1) / g.window;
  for (int64_t w = first_window; w < windows; ++w) {
    const int64_t near_start = g.NearStart(w * g.window), segment = near_start / g.segment;
    if (regions.empty() || regions.back().segment != segment) regions.push_back({segment, 0, w, w});
    regions.back().end_window = w + 1;
    regions.back().minis = std::max(regions.back().minis, near_start % g.segment / g.mini);
  }
  return regions;
}

std::vector<Tile> TilesOf(const Geometry& g, const Region& region) {
  std::vector<Tile> tiles;
  const int64_t begin = std::max(g.first_position(), region.first_window * g.window), end = std::min(g.keys, region.end_window * g.window);
  for (int64_t kv_head = 0; kv_head < g.kv_heads; ++kv_head)
    for (int64_t t = begin / g.tile; t * g.tile < end; ++t)
      for (int64_t i = 0; i < g.group(); ++i)  // tiles of a group back to back: they share panels
        tiles.push_back({kv_head * g.group() + i, std::max(begin, t * g.tile), std::min(end, (t + 1) * g.tile)});
  return tiles;
}

std::vector<RegionKeys> PackRegion(const Job& job, Workers& workers, const IndexStore& store, const Region& region) {
  const Geometry& g = job.geometry;
  const PanelPacker packer(job.program, g, job.inputs.key.dtype);
  std::vector<RegionKeys> keys(g.kv_heads);
  const int64_t first = g.NearStart(region.first_window * g.window) / g.mini * g.mini;
  const int64_t end = g.causal ? std::min(g.keys, region.end_window * g.window) : g.keys;
  oneapi::tbb::parallel_for(int64_t{0}, g.kv_heads, [&](int64_t kv_head) {
    RegionKeys& out = keys[kv_head];
    out.first = first;
    packer.PackRange(workers.local(), job.inputs.key, job.inputs.value, kv_head, first, end - first, out.natural);
    out.exception_positions = store.Exceptions(kv_head, end);
    packer.PackList(workers.local(), job.inputs.key, job.inputs.value, kv_head, out.exception_positions, out.exceptions);
  });
  return keys;
}

namespace {

class SplatRun {
 public:
  SplatRun(const Job& job, IndexStore& store, std::vector<double> theta)
      : job_(job),
        g_(job.geometry),
        store_(store),
        theta_(std::move(theta)),
        io_(job.program, g_, job.inputs, job.outputs),
        progress_(job.options.progress, static_cast<double>(g_.heads) * g_.queries),
        costs_(g_.heads) {}

  absl::Status Execute(Workers& workers, RunReport& report) {
    for (const Region& region : RegionsOf(g_)) {
      if (absl::Status done = Attend(workers, region); !done.ok()) return done;
    }
    report.seconds.near = clock_.near.seconds() / job_.threads;
    report.seconds.score = clock_.score.seconds() / job_.threads;
    report.seconds.leaves = clock_.leaves.seconds() / job_.threads;
    FillReads(report);
    return absl::OkStatus();
  }

 private:
  absl::Status Attend(Workers& workers, const Region& region) {
    store_.BuildRegion(workers, region.segment, region.minis);
    const std::vector<RegionKeys> keys = PackRegion(job_, workers, store_, region);
    const std::vector<Tile> tiles = TilesOf(g_, region);
    oneapi::tbb::enumerable_thread_specific<TileOpener> openers{[&] { return TileOpener(job_, store_, clock_); }};
    oneapi::tbb::parallel_for(oneapi::tbb::blocked_range<size_t>(0, tiles.size(), g_.group()), [&](const auto& range) {
      int64_t rows = 0;
      for (size_t i = range.begin(); i != range.end() && !progress_.cancelled(); ++i) {
        const TraceScope scope(job_.options.trace, "tile", "splats");
        const Tile& tile = tiles[i];
        Worker& worker = workers.local();
        const int64_t near_start = g_.NearStart(tile.begin / g_.window * g_.window);
        const TileCost cost =
            openers.local().Open(worker, io_, tile, near_start, keys[tile.head / g_.group()], theta_[tile.head], TileOpener::Depth::kWhole);
        io_.Store(worker, tile);
        rows += tile.rows();
        const std::lock_guard lock(mutex_);
        costs_[tile.head] += cost;
      }
      progress_.Advance(static_cast<double>(rows));
    }, oneapi::tbb::simple_partitioner());
    if (progress_.cancelled()) return absl::CancelledError("cancelled by the caller");
    if (!job_.outputs.rows_ready || tiles.empty()) return absl::OkStatus();
    return job_.outputs.rows_ready(tiles.front().begin - g_.first_position(), tiles.back().end - g_.first_position());
  }

  void FillReads(RunReport& report) const {
    double visible = 0;  // of one head
    for (int64_t position = g_.first_position(); position < g_.keys; ++position) visible += static_cast<double>(g_.VisibleKeys(position));
    const auto share = [](const TileCost& cost, double keys) {
      return ReadFractions{cost.near / keys, cost.nodes / keys, cost.leaves / keys, (cost.near + cost.nodes + cost.leaves) / keys};
    };
    TileCost all;
    for (int64_t head = 0; head < g_.heads; ++head) {
      all += costs_[head];
      report.heads.push_back({head, theta_[head], share(costs_[head], std::max(visible, 1.0))});
    }
    report.read = share(all, std::max(visible * static_cast<double>(g_.heads), 1.0));
    const double flop_per_key = 2.0 * static_cast<double>(g_.head_dim + g_.value_dim);
    report.flop = flop_per_key * (all.near + all.nodes + all.leaves);
    const double key_bytes = static_cast<double>(g_.head_dim + g_.value_dim) * DTypeBytes(job_.inputs.key.dtype);
    const double node_bytes = static_cast<double>(g_.padded_head_dim + g_.padded_value_dim + g_.bands + 4) * 4;
    report.bytes_read = static_cast<int64_t>(((all.near + all.leaves) * key_bytes + all.nodes * node_bytes) / static_cast<double>(g_.tile));
  }

  const Job& job_;
  const Geometry& g_;
  IndexStore& store_;
  const std::vector<double> theta_;
  TileIo io_;
  TileClock clock_;
  ProgressMeter progress_;
  std::mutex mutex_;
  std::vector<TileCost> costs_;  // of each head, under mutex_
};

}  // namespace

absl::Status RunSplats(const Job& job, RunReport& report) {
  const Geometry& g = job.geometry;
  const std::vector<Region> regions = RegionsOf(g);
  const int64_t segments = regions.empty() ? 0 : regions.back().segment;
  int64_t memory = 0;
  if (const int64_t budget = job.options.memory_budget_bytes; budget > 0) {
    const int64_t least = WorkingBytes(job);
    if (budget < least)
      return absl::ResourceExhaustedError(absl::StrCat("--memory-budget: ", budget, " bytes are too few for ", job.threads,
                                                       " threads; the least that works is ", least, ", or give fewer --threads"));
    memory = std::max<int64_t>(1, budget - least);
  }
  absl::StatusOr<std::unique_ptr<IndexStore>> store = IndexStore::Create(job, segments, memory);
  if (!store.ok()) return store.status();
  if ((*store)->scratch()) report.warnings.push_back(absl::StrCat("index: ", (*store)->bytes(), " bytes went to scratch, over --memory-budget"));
  if (!job.options.load_index.empty())
    if (absl::Status loaded = (*store)->Load(job.options.load_index); !loaded.ok()) return loaded;
  Workers workers([&] { return Worker(job.program); });
  std::vector<double> theta(g.heads, job.options.theta.value_or(job.plan.graph().splats().theta()));
  if (job.options.mode == Mode::kBudget) {
    absl::StatusOr<std::vector<double>> chosen = ChooseTheta(job, workers, **store);
    if (!chosen.ok()) return chosen.status();
    theta = *std::move(chosen);
  }
  if (absl::Status done = SplatRun(job, **store, theta).Execute(workers, report); !done.ok()) return done;
  report.seconds.index = (*store)->seconds();
  if (!job.options.save_index.empty()) return (*store)->Save(job.options.save_index);
  return absl::OkStatus();
}

}  // namespace hsa

// Splat attention of all queries: block by block (some segments of keys and the windows behind them), the index of a block built before its
// windows are attended, so that keys stream through once and a later key never enters a sum.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/audit.h"
#include "runtime/calibrate.h"
#include "runtime/choose_theta.h"
#include "runtime/coverage.h"
#include "runtime/element.h"
#include "runtime/group_nodes.h"
#include "runtime/index_file.h"
#include "runtime/overlay.h"
#include "runtime/report_reads.h"
#include "runtime/run_state.h"
#include "runtime/splat_run.h"
#include "runtime/window.h"

namespace hsa {

namespace {

constexpr double kFirstTheta = 0.06;   // θ/ε at which the first search begins
constexpr size_t kTilesPerTask = 4;    // neighbours in the bisection: they open the same leaves
constexpr size_t kWindowsAtOnce = 16;  // of a head: enough for many threads, few enough to remember their near fields

int64_t MostRegions(std::span<const Block> blocks) {
  size_t most = 1;
  for (const Block& block : blocks) most = std::max(most, block.regions.size());
  return static_cast<int64_t>(most);
}

// Anonymous memory that a run needs beside the index.
int64_t WorkingBytes(const Job& job, std::span<const Block> blocks) {
  const Geometry& g = job.geometry;
  const int64_t width = g.padded_head_dim + g.padded_value_dim, regions = MostRegions(blocks);
  const int64_t builder = g.segment * (width * 4 + 16) * 4;  // rows, metric, its moved copy, panels
  const int64_t keys = KeyPanelBytes(g, g.segment + g.mini);
  const int64_t windows = kWindowsAtOnce * g.window * g.group() * (g.padded_value_dim + 20) * 4;  // partial results
  const int64_t segments = blocks.empty() ? 0 : blocks.back().regions.back().segment;
  // Of every head while an index is saved, of a group else; with what the tilt of each level is summed from.
  const int64_t nodes =
      SplatNodes::Bytes(job.plan.graph(), g, segments + regions) * (job.options.save_index.empty() ? g.group() : g.group() + g.heads);
  const int64_t tilt = g.group() * g.levels * g.padded_head_dim * g.padded_value_dim * 4 * (segments + regions);
  // Exact rows in shards, all heads at once; near field and results of each audited tile, a group at a time.
  const int64_t state = (g.padded_value_dim + 20) * g.tile * 4, sample = AuditSample(job);
  const int64_t audited = g.heads * (sample / g.tile + 1) * kAuditShards * state + g.group() * sample * 3 * state;
  return nodes + tilt + job.threads * (builder + static_cast<int64_t>(job.plan.header().arena_bytes())) + keys * (g.kv_heads + 1) +
         windows + audited + (int64_t{32} << 20);
}

// Of one query head, over the blocks so far.
struct HeadTotals {
  HeadReads reads;                                            // θ of the last block that was not read entirely
  float error_scale = 0;                                      // c of the last block, 0 while there is none
  std::optional<int64_t> step;                                // where the last search ended
  double carried = std::numeric_limits<double>::quiet_NaN();  // of the last block that could be calibrated, kReadAll included
};

class SplatRun {
 public:
  SplatRun(const Job& job, IndexStore& store, std::vector<double> theta)
      : job_(job),
        g_(job.geometry),
        store_(store),
        theta_(std::move(theta)),
        io_(job.program, g_, job.inputs, job.outputs),
        workers_([this] { return Worker(job_.program); }),
        attenders_([this] { return WindowAttender(job_, store_); }),
        nodes_(job, store),
        progress_(job.options.progress, static_cast<double>(g_.heads) * g_.queries),
        heads_(g_.heads) {
    for (int64_t head = 0; head < g_.heads; ++head) heads_[head].reads.theta = calibrated() ? 0 : theta_[head];
  }

  absl::Status Execute(std::span<const Block> blocks, RunReport& report) {
    for (const Block& block : blocks)
      if (absl::Status done = Attend(block, report); !done.ok()) return done;
    const auto threads = static_cast<double>(job_.threads);
    report.seconds.index = store_.seconds() + nodes_.seconds();
    report.seconds.near = near_seconds_ / threads;
    report.seconds.calibrate = audit_seconds_ + wasted_seconds_ / threads;
    FillReads(report);
    FillErrors(report);
    return absl::OkStatus();
  }

  // θ of each head that may be carried over to the queries behind these.
  void CarryOver(Overlay& overlay) const {
    for (int64_t head = 0; head < g_.heads; ++head) {
      overlay.heads[head].theta = heads_[head].carried;
      overlay.heads[head].error_scale = heads_[head].error_scale;
    }
    if (calibrated()) overlay.tolerance = job_.options.tolerance;
  }

 private:
  bool calibrated() const { return job_.options.mode == Mode::kTolerance; }
  bool audited() const { return calibrated() || job_.options.mode == Mode::kBudget; }

  absl::Status Attend(const Block& block, RunReport& report) {
    for (const Region& region : block.regions) store_.BuildRegion(workers_, region.segment, region.minis);
    std::vector<Audit> audits = audited() ? AttendAudits(block) : std::vector<Audit>();
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) AttendGroup(block, kv_head, audits);
    if (progress_.cancelled()) return absl::CancelledError("cancelled by the caller");
    for (const Audit& audit : audits) NoteErrors(audit, block, report);
    if (!job_.outputs.rows_ready) return absl::OkStatus();
    return job_.outputs.rows_ready(block.begin - g_.first_position(), block.end - g_.first_position());
  }

  std::vector<Audit> AttendAudits(const Block& block) {
    const auto start = std::chrono::steady_clock::now();
    const int64_t count = AuditSample(job_);
    std::vector<Audit> audits;
    for (int64_t head = 0; head < g_.heads; ++head)
      // A calibrated block that is not larger than its sample is read entirely, so there is nothing to audit.
      audits.push_back({.head = head,
                        .positions = calibrated() && count >= block.end - block.begin
                                         ? std::vector<int32_t>()
                                         : DrawQueries(g_, job_.options.seed, head, block, count),
                        .exact = {},
                        .doubt = {}});
    AttendExactly(job_, workers_, store_, io_, block.regions.back(), audits);
    audit_seconds_ += SecondsSince(start);
    return audits;
  }

  // All query heads of a kv_head, over a block: what was audited first, for θ, then the windows, some at a time.
  void AttendGroup(const Block& block, int64_t kv_head, std::span<Audit> audits) {
    nodes_.Build(workers_, kv_head, block, block.regions);
    std::vector<std::vector<Window>> windows;  // of each head
    for (int64_t head = kv_head * g_.group(); head < (kv_head + 1) * g_.group(); ++head)
      windows.push_back(WindowsOf(g_, head, block.regions, nodes_.of(head)));
    std::vector<double> theta(theta_.begin() + kv_head * g_.group(), theta_.begin() + (kv_head + 1) * g_.group());
    if (calibrated()) theta = Calibrate(block, kv_head, windows, audits);
    size_t first = 0;
    for (const Region& region : block.regions) {
      const RegionKeys keys = PackRegion(KeysFor::kQueries, job_, workers_.local(), store_, region, kv_head);
      for (const size_t end = first + region.end_window - region.first_window; first < end; first = std::min(end, first + kWindowsAtOnce)) {
        std::vector<Window*> some;  // those that share keys back to back
        for (size_t w = first; w < std::min(end, first + kWindowsAtOnce); ++w)
          for (std::vector<Window>& of_head : windows) some.push_back(&of_head[w]);
        AttendWindows(some, keys, theta);
        if (progress_.cancelled()) return;
      }
    }
  }

  void AttendWindows(std::span<Window* const> windows, const RegionKeys& keys, std::span<const double> theta) {
    oneapi::tbb::parallel_for(size_t{0}, windows.size(), [&](size_t i) {
      if (progress_.cancelled()) return;
      const TraceScope scope(job_.options.trace, "near", "splats");
      attenders_.local().AttendNear(workers_.local(), io_, *windows[i], keys);
    });
    std::vector<std::pair<Window*, size_t>> tiles;
    for (Window* window : windows)
      for (size_t t = 0; t < window->tiles.size(); ++t) tiles.push_back({window, t});
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<size_t>(0, tiles.size(), kTilesPerTask),
        [&](const auto& range) {
          int64_t rows = 0;
          for (size_t i = range.begin(); i != range.end() && !progress_.cancelled(); ++i) {
            const auto& [window, t] = tiles[i];
            AttendTile(*window, t, theta[window->head % g_.group()]);
            rows += window->tiles[t].rows();
          }
          progress_.Advance(static_cast<double>(rows));
        },
        oneapi::tbb::simple_partitioner());
    for (Window* window : windows) {
      Count(*window);
      window->near = {};
    }
  }

  // θ of each head of the group.
  std::vector<double> Calibrate(const Block& block, int64_t kv_head, std::vector<std::vector<Window>>& windows, std::span<Audit> audits) {
    const int64_t first_head = kv_head * g_.group();
    std::vector<std::pair<Window*, const Audit*>> held;
    for (int64_t i = 0; i < g_.group(); ++i)
      for (Window& window : windows[i])
        if (Holds(audits[first_head + i], window)) held.push_back({&window, &audits[first_head + i]});
    oneapi::tbb::parallel_for(size_t{0}, held.size(), [&](size_t i) { attenders_.local().Order(workers_.local(), *held[i].first); });
    const auto ordered = std::chrono::steady_clock::now();  // what the windows need in any case
    std::vector<std::vector<AuditedTile>> tiles;            // of each head
    for (int64_t i = 0; i < g_.group(); ++i) tiles.push_back(AuditedTilesOf(windows[i], audits[first_head + i], job_.options.seed));
    for (size_t r = 0; r < block.regions.size(); ++r) AttendNear(block.regions[r], static_cast<int64_t>(r), kv_head, tiles);
    audit_seconds_ += SecondsSince(ordered);
    std::vector<double> theta;
    for (int64_t i = 0; i < g_.group(); ++i)
      theta.push_back(Search(tiles[i], audits[first_head + i], static_cast<double>(block.end - block.begin)));
    return theta;
  }

  // The near fields of those audited tiles that stand in a region.
  void AttendNear(const Region& region, int64_t number, int64_t kv_head, std::vector<std::vector<AuditedTile>>& tiles) {
    std::vector<AuditedTile*> own;
    for (std::vector<AuditedTile>& of_head : tiles)
      for (AuditedTile& tile : of_head)
        if (tile.window->region == number) own.push_back(&tile);
    if (own.empty()) return;
    const RegionKeys keys = PackRegion(KeysFor::kQueries, job_, workers_.local(), store_, region, kv_head);
    oneapi::tbb::parallel_for(size_t{0}, own.size(), [&](size_t i) {
      const TraceScope scope(job_.options.trace, "near of a trial", "calibrate");
      own[i]->near = attenders_.local().AttendNear(workers_.local(), io_, *own[i]->window, own[i]->queries(), keys);
    });
  }

  double Search(std::span<AuditedTile> tiles, Audit& audit, double queries) {
    HeadTotals& totals = heads_[audit.head];
    const int64_t first = totals.step.value_or(StepOfTheta(kFirstTheta * job_.options.tolerance.error));
    const double share = std::min(1.0, static_cast<double>(tiles.size()) * static_cast<double>(g_.tile) / queries);
    const Calibrated found =
        Calibrator(job_, workers_, attenders_, io_, progress_).Search(tiles, audit, job_.options.tolerance, first, share);
    totals.step = found.step - 1;  // a longer context takes a smaller θ
    wasted_seconds_ += found.wasted_seconds;
    if (!audit.positions.empty()) totals.carried = found.theta;
    if (found.theta == kReadAll)
      ++totals.reads.dense_blocks;
    else
      totals.reads.theta = found.theta;
    return found.theta;
  }

  // Unless its trial was stored.
  void AttendTile(Window& window, size_t t, double theta) {
    TileDone& done = window.done[t];
    if (done.theta == theta) return;
    const TraceScope scope(job_.options.trace, "tile", "splats");
    Worker& worker = workers_.local();
    WindowAttender& attender = attenders_.local();
    done = {theta, attender.AttendFar(worker, io_, window, window.tiles[t], theta, TileOpener::Depth::kWhole)};
    io_.Store(worker, window.tiles[t]);
    io_.StoreError(window.tiles[t], attender.opener().doubt());
  }

  void Count(const Window& window) {
    HeadTotals& totals = heads_[window.head];
    for (float near : window.near.keys) totals.reads.near += near;
    near_seconds_ += window.near_seconds;
    for (const TileDone& done : window.done) totals.reads.cost += done.cost;
  }

  // Of the block's audited queries, as they stand in the output.
  void NoteErrors(const Audit& audit, const Block& block, RunReport& report) {
    const int64_t dv = g_.padded_value_dim;
    const DType dtype = job_.outputs.o.dtype;
    std::vector<float> row(g_.value_dim);
    std::vector<double> ratios;  // of an error to what was doubted of it
    for (size_t i = 0; i < audit.positions.size(); ++i) {
      const std::byte* stored = job_.outputs.o.Row(audit.head, audit.positions[i] - g_.first_position());
      for (float& x : row) x = LoadElement(std::exchange(stored, stored + DTypeBytes(dtype)), dtype);
      errors_.push_back(RowError(row, std::span(audit.exact).subspan(i * dv, g_.value_dim)));
      report.audited_positions.push_back(audit.positions[i]);
      float doubt = 0;
      if (!audit.doubt.empty())
        doubt = audit.doubt[i];
      else if (job_.outputs.error.data != nullptr)
        doubt = *ElementOf(job_.outputs.error, audit.head, audit.positions[i] - g_.first_position());
      if (doubt > 0 && std::isfinite(errors_.back())) ratios.push_back(errors_.back() / doubt);
    }
    ScaleErrors(audit.head, block, ratios);
  }

  // error = c · doubt, c the median ratio of the audited queries (docs/spec.md, "Expected error"); the last block's c where there is none.
  void ScaleErrors(int64_t head, const Block& block, std::vector<double>& ratios) {
    if (!ratios.empty()) {
      const auto middle = ratios.begin() + static_cast<int64_t>(ratios.size() / 2);
      std::nth_element(ratios.begin(), middle, ratios.end());
      heads_[head].error_scale = static_cast<float>(*middle);
    }
    if (job_.outputs.error.data == nullptr) return;
    const float scale = heads_[head].error_scale > 0 ? heads_[head].error_scale : 1;
    for (int64_t position = block.begin; position < block.end; ++position)
      *ElementOf(job_.outputs.error, head, position - g_.first_position()) *= scale;
  }

  void FillErrors(RunReport& report) {
    if (calibrated())
      report.tolerance.asked = job_.options.tolerance.error, report.tolerance.confidence = job_.options.tolerance.confidence;
    for (const HeadTotals& head : heads_) report.dense_blocks += head.reads.dense_blocks;
    report.tolerance.audited = static_cast<int64_t>(errors_.size());
    if (errors_.empty()) return;
    std::sort(errors_.begin(), errors_.end());
    const auto rank = [&](double share) {
      return errors_[static_cast<size_t>(std::ceil(share * static_cast<double>(errors_.size()))) - 1];
    };
    report.tolerance.median = rank(0.5), report.tolerance.p95 = rank(0.95), report.tolerance.max = errors_.back();
    std::sort(report.audited_positions.begin(), report.audited_positions.end());
    report.audited_positions.erase(std::unique(report.audited_positions.begin(), report.audited_positions.end()),
                                   report.audited_positions.end());
  }

  void FillReads(RunReport& report) const {
    std::vector<HeadReads> heads;
    double near = 0;
    TileCost all;
    for (const HeadTotals& head : heads_) {
      heads.push_back(head.reads);
      near += head.reads.near, all += head.reads.cost;
    }
    ReportReads(job_, heads, report);
    const auto tile = static_cast<double>(g_.tile);  // whose queries read together
    report.bytes_read = BytesOf(job_, (near + all.leaves) / tile, all.nodes / tile);
  }

  const Job& job_;
  const Geometry& g_;
  IndexStore& store_;
  const std::vector<double> theta_;  // of each query head, unless it is calibrated
  TileIo io_;
  Workers workers_;
  oneapi::tbb::enumerable_thread_specific<WindowAttender> attenders_;
  GroupNodes nodes_;
  ProgressMeter progress_;
  std::vector<HeadTotals> heads_;
  std::vector<double> errors_;  // of all audited queries
  double near_seconds_ = 0, audit_seconds_ = 0, wasted_seconds_ = 0;
};

absl::Status LoadWhole(const Job& job, IndexStore& store) {
  absl::StatusOr<IndexFile> file = IndexFile::Open(job.options.load_index, job);
  if (!file.ok()) return file.status();
  if (absl::Status whole = file->CheckWhole(); !whole.ok()) return whole;
  return file->Put(store, nullptr);
}

}  // namespace

absl::Status RunSplats(const Job& job, RunReport& report) {
  const Geometry& g = job.geometry;
  const std::vector<Block> blocks = BlocksOf(g);
  const int64_t segments = blocks.empty() ? 0 : blocks.back().regions.back().segment;
  int64_t memory = 0;
  if (const int64_t budget = job.options.memory_budget_bytes; budget > 0) {
    const int64_t least = WorkingBytes(job, blocks);
    if (budget < least)
      return absl::ResourceExhaustedError(absl::StrCat("--memory-budget: ", budget, " bytes are too few for ", job.threads,
                                                       " threads; the least that works is ", least, ", or give fewer --threads"));
    memory = std::max<int64_t>(1, budget - least);
  }
  absl::StatusOr<std::unique_ptr<IndexStore>> store = IndexStore::Create(job, segments, MostRegions(blocks), memory);
  if (!store.ok()) return store.status();
  if ((*store)->scratch())
    report.warnings.push_back(absl::StrCat("index: ", (*store)->bytes(), " bytes went to scratch, over --memory-budget"));
  if (!job.options.load_index.empty())
    if (absl::Status loaded = LoadWhole(job, **store); !loaded.ok()) return loaded;
  std::vector<double> theta(g.heads, job.options.theta.value_or(job.plan.graph().splats().theta()));
  if (job.options.mode == Mode::kBudget) {
    absl::StatusOr<std::vector<double>> chosen = ChooseTheta(job, **store);
    if (!chosen.ok()) return chosen.status();
    theta = *std::move(chosen);
  }
  SplatRun run(job, **store, theta);
  if (absl::Status done = run.Execute(blocks, report); !done.ok()) return done;
  if (job.options.save_index.empty()) return absl::OkStatus();
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<std::unique_ptr<Overlay>> overlay = OverlayOf(job, **store, blocks.back());
  if (!overlay.ok()) return overlay.status();
  run.CarryOver(**overlay);
  const absl::Status saved = SaveIndex(job.options.save_index, job, **store, **overlay);
  report.seconds.write += SecondsSince(start);
  return saved;
}

}  // namespace hsa

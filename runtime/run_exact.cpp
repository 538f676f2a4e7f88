// Exact attention: every tile over every segment of keys that it sees, segments packed when they are needed and kept as long as they fit.
#include <algorithm>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/machine.h"
#include "kernels/tile_shape.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/bytes.h"
#include "runtime/pairs.h"
#include "runtime/run_state.h"
#include "runtime/segment_cache.h"
#include "runtime/tile.h"
#include "runtime/tile_state.h"

namespace hsa {

namespace {

// Query and partial result of one tile, outside of the worker's arena: a segment is read once for all tiles of a task.
struct TileMemory {
  std::vector<float, UnfilledPages<float>> query, pair_query, byte_query, query_scale, max, sum,
      acc;  // from a cache line on: rows of AMX tiles are lines

  explicit TileMemory(const Worker& worker)
      : query(worker.BufferFloats("query")),
        pair_query(worker.BufferFloats("pair_query")),
        byte_query(worker.BufferFloats("byte_query")),
        query_scale(worker.BufferFloats("query_scale")),
        max(worker.BufferFloats("max")),
        sum(worker.BufferFloats("sum")),
        acc(worker.BufferFloats("acc")) {}
  void Point(Worker& worker) {
    worker.Point("query", query.data());
    worker.Point("pair_query", pair_query.data());
    worker.Point("byte_query", byte_query.data());
    worker.Point("query_scale", query_scale.data());
    worker.Point("max", max.data());
    worker.Point("sum", sum.data());
    worker.Point("acc", acc.data());
  }
};

// Some tiles of every head of a group, and what they have read so far.
struct Task {
  int64_t kv_head = 0;
  std::vector<Tile> tiles;
  std::vector<TileMemory> memory;
  std::vector<TileBounds> bounds;
  int64_t lo = 0, hi = 0;  // positions that some query sees
};

// Whether each segment of keys is read by one tile of a head only, or two.
bool ReadsOnce(const Geometry& g) { return g.queries <= g.tile; }

// How many parts the segments of such a run are read in: as many as they allow, whatever the number of threads, so that it changes no bit.
int64_t PartsOf(int64_t segments) {
  constexpr int64_t kMostParts = 8;
  return std::clamp<int64_t>(segments, 1, kMostParts);
}

// In which form keys are read.
enum class KeyForm { kPanels, kPairs, kBytes };

KeyForm FormOf(const Job& job) { return ReadsPairs(job) ? KeyForm::kPairs : ReadsBytes(job) ? KeyForm::kBytes : KeyForm::kPanels; }

int64_t BytesOfKeys(const Geometry& g, KeyForm form, int64_t keys) {
  if (form == KeyForm::kPairs) return KeyPairBytes(g, keys);
  return form == KeyForm::kBytes ? KeyByteBytes(g, keys) : KeyPanelBytes(g, keys);
}

class ExactRun {
 public:
  ExactRun(const Job& job, int64_t segment, int64_t capacity)
      : job_(job),
        g_(job.geometry),
        segment_(segment),
        io_(job.program, g_, job.inputs, job.outputs),
        packer_(job.program, g_, job.inputs.key.dtype),
        pair_packer_(job.program, g_, job.inputs.key.dtype),
        byte_packer_(job.program, g_, job.inputs.key.dtype),
        form_(FormOf(job)),
        narrow_query_(job.program.Find(form_ == KeyForm::kBytes ? "byte_query" : "pair_query")),
        attend_(job.program.Find(form_ == KeyForm::kPairs   ? "attend_pairs"
                                 : form_ == KeyForm::kBytes ? "attend_bytes"
                                                            : "attend_panels")),
        cache_(capacity,
               [this](Worker& worker, SegmentCache::Id id, KeyPanels& out) {
                 const TraceScope scope(job_.options.trace, "pack", "keys");
                 const int64_t first = id.segment * segment_;
                 const int64_t count = std::min(segment_, g_.keys - first);
                 if (form_ == KeyForm::kPairs)
                   pair_packer_.PackRange(worker, job_.inputs.key, job_.inputs.value, id.kv_head, first, count, out);
                 else if (form_ == KeyForm::kBytes)
                   byte_packer_.PackRange(worker, job_.inputs.key, job_.inputs.value, id.kv_head, first, count, out);
                 else
                   packer_.PackRange(worker, job_.inputs.key, job_.inputs.value, id.kv_head, first, count, out);
               }),
        progress_(job.options.progress, static_cast<double>(g_.heads) * g_.queries) {}

  absl::Status Execute(RunReport& report) {
    const int64_t first_tile = g_.first_position() / g_.tile, last_tile = (g_.keys + g_.tile - 1) / g_.tile;
    if (ReadsOnce(g_))
      RunShared(first_tile, last_tile);
    else
      RunTasks(first_tile, last_tile);
    if (progress_.cancelled()) return absl::CancelledError("cancelled by the caller");
    report.seconds.near = near_.seconds() / job_.threads;
    report.bytes_read =
        cache_.packed() * segment_ * (g_.head_dim * DTypeBytes(job_.inputs.key.dtype) + g_.value_dim * DTypeBytes(job_.inputs.value.dtype));
    return job_.outputs.rows_ready ? job_.outputs.rows_ready(0, g_.queries) : absl::OkStatus();
  }

 private:
  // A task for every few tiles, so that all threads have work to the end.
  void RunTasks(int64_t first_tile, int64_t last_tile) {
    const int64_t wanted = std::max<int64_t>(1, (last_tile - first_tile) * g_.kv_heads / (8 * job_.threads));
    const int64_t tiles_per_task = std::min(wanted, std::max<int64_t>(1, g_.window / g_.tile));
    const int64_t tasks = (last_tile - first_tile + tiles_per_task - 1) / tiles_per_task;
    // Later tasks have more keys to read under a causal mask: they go first.
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<int64_t>(0, tasks * g_.kv_heads, 1),
        [&](const auto& range) {
          for (int64_t i = range.begin(); i != range.end(); ++i) {
            const int64_t begin = first_tile + (tasks - 1 - i / g_.kv_heads) * tiles_per_task;
            if (!progress_.cancelled()) RunTask(i % g_.kv_heads, begin, std::min(begin + tiles_per_task, last_tile));
          }
        },
        oneapi::tbb::simple_partitioner());
  }

  void RunTask(int64_t kv_head, int64_t first_tile, int64_t last_tile) {
    const TraceScope scope(job_.options.trace, "exact", "tiles");
    Worker& worker = workers_.local();
    const auto start = std::chrono::steady_clock::now();
    Task task = Load(worker, kv_head, first_tile, last_tile);
    Read(worker, task, 0, Segments());
    Store(worker, task);
    near_.Add(SecondsSince(start));
  }

  // One task for each KV head, whose keys are read in parts.
  void RunShared(int64_t first_tile, int64_t last_tile) {
    const int64_t count = PartsOf(Segments());
    std::vector<Task> parts(g_.kv_heads * count);
    oneapi::tbb::parallel_for(size_t{0}, parts.size(), [&](size_t p) {
      const TraceScope scope(job_.options.trace, "exact", "tiles");
      Worker& worker = workers_.local();
      const auto start = std::chrono::steady_clock::now();
      const auto part = static_cast<int64_t>(p) % count;
      parts[p] = Load(worker, static_cast<int64_t>(p) / count, first_tile, last_tile);
      Read(worker, parts[p], Segments() * part / count, Segments() * (part + 1) / count);
      near_.Add(SecondsSince(start));
    });
    for (auto task = parts.begin(); task != parts.end(); task += count)
      Store(workers_.local(), Merge(workers_.local(), {task, task + count}));
  }

  // The first of the parts, with what all of them have read.
  static Task& Merge(Worker& worker, std::span<Task> parts) {
    for (size_t i = 0; i < parts[0].tiles.size(); ++i) {
      const auto state = [&](Task& part) {
        part.memory[i].Point(worker);
        return TileState::Of(worker);
      };
      TileState all = state(parts[0]);
      for (Task& part : parts.subspan(1)) {
        TileState more = state(part);
        MergePartials(all.rows(), more.rows());
      }
      parts[0].memory[i].Point(worker);
      all.Put(worker);
    }
    return parts[0];
  }

  int64_t Segments() const { return (g_.keys + segment_ - 1) / segment_; }

  Task Load(Worker& worker, int64_t kv_head, int64_t first_tile, int64_t last_tile) {
    Task task;
    task.kv_head = kv_head, task.lo = g_.keys;
    for (int64_t head = kv_head * g_.group(); head < (kv_head + 1) * g_.group(); ++head)
      for (int64_t t = first_tile; t < last_tile; ++t)
        task.tiles.push_back(Tile::Range(head, std::max(t * g_.tile, g_.first_position()), std::min((t + 1) * g_.tile, g_.keys)));
    task.memory.reserve(task.tiles.size());
    for (const Tile& tile : task.tiles) {
      task.memory.emplace_back(worker).Point(worker);
      io_.Load(worker, tile);
      if (form_ != KeyForm::kPanels) worker.Call(narrow_query_);
      const TileBounds& bounds = task.bounds.emplace_back(TileBounds::Of(g_, tile));
      task.lo = std::min<int64_t>(task.lo, bounds.least_lo);
      task.hi = std::max<int64_t>(task.hi, bounds.most_hi);
    }
    return task;
  }

  // Segments [first, end), as far as the task sees them.
  void Read(Worker& worker, Task& task, int64_t first, int64_t end) {
    for (int64_t segment = first; segment < end && segment * segment_ <= task.hi; ++segment) {
      const bool sinks = segment * segment_ < g_.sink_tokens;
      if ((segment + 1) * segment_ <= task.lo && !sinks) continue;
      Prefetch(task.kv_head, (segment + 1) * segment_, task.hi);
      const std::shared_ptr<const KeyPanels> panels = cache_.Pin(worker, {task.kv_head, segment});
      panels->Bind(worker, g_);
      const int64_t chunk = ChunkPanels();
      for (int64_t panel = 0; panel < panels->panels; panel += chunk)
        for (size_t i = 0; i < task.tiles.size(); ++i)
          Attend(worker, task, i, segment * segment_, panel, std::min(panel + chunk, panels->panels));
    }
  }

  void Store(Worker& worker, Task& task) {
    int64_t rows = 0;
    for (size_t i = 0; i < task.tiles.size(); ++i) {
      task.memory[i].Point(worker);
      worker.SetTileRows(task.tiles[i].rows());
      io_.Store(worker, task.tiles[i]);
      rows += task.tiles[i].rows();
    }
    progress_.Advance(static_cast<double>(rows));
  }

  // Panels that all tiles of a task read before the next ones: half of the second-level cache in f32; of pairs, which are gone through so much faster, as many
  // as leave the rest of it to what the tiles hold.
  int64_t ChunkPanels() const {
    constexpr int64_t kPairChunk = 256 << 10, kUsualCache = 1 << 20;
    const bool pairs = form_ == KeyForm::kPairs;
    const int64_t cache = ThisMachine().l2_bytes, chunk = pairs ? kPairChunk : (cache > 0 ? cache : kUsualCache) / 2;
    const int64_t keys = pairs ? kPairSegmentKeys : kBatchKeys,
                  bytes = std::max<int64_t>(BytesOfKeys(g_, form_, segment_) * keys / std::max(segment_, keys), 1);
    return std::max<int64_t>(chunk / bytes, 1) * keys / kPanelKeys;
  }

  // Panels [first, end) of the segment that starts at first_key, for tile `i` of the task.
  void Attend(Worker& worker, Task& task, size_t i, int64_t first_key, int64_t first, int64_t end) {
    const int64_t batch = form_ == KeyForm::kPairs ? kPairSegmentKeys : kBatchKeys;
    const int64_t visible = std::max<int64_t>(task.bounds[i].most_hi + 1 - first_key, 0);  // keys of the segment that some query may see
    const int64_t last = std::min(end, (visible + batch - 1) / batch * batch / kPanelKeys);
    if (last <= first) return;
    const std::array<int32_t, 2> range = {static_cast<int32_t>(first), static_cast<int32_t>(last)};
    task.memory[i].Point(worker);
    worker.SetTileRows(task.tiles[i].rows());
    task.bounds[i].Bind(worker, g_);
    worker.Bind("panel_range", range.data(), {2});
    worker.Call(attend_);
  }

  void Prefetch(int64_t kv_head, int64_t first, int64_t hi) const {
    const int64_t count = std::min(segment_, hi + 1 - first);
    WillNeed(job_.inputs.key, kv_head, first, count);
    WillNeed(job_.inputs.value, kv_head, first, count);
  }

  const Job& job_;
  const Geometry& g_;
  const int64_t segment_;
  TileIo io_;
  PanelPacker packer_;
  PairPacker pair_packer_;
  BytePacker byte_packer_;
  KeyForm form_;
  Program::Stage narrow_query_, attend_;
  SegmentCache cache_;
  ProgressMeter progress_;
  Stopwatch near_;
  Workers workers_{[this] { return Worker(job_.program); }};
};

}  // namespace

absl::Status RunExact(const Job& job, RunReport& report) {
  const Geometry& g = job.geometry;
  // The queries of a tile read a segment once: it is packed into memory that the next one takes over, and stays in the second-level cache.
  const bool once = ReadsOnce(g);
  const int64_t usual = once ? g.mini : g.segment;
  const int64_t segment = job.options.segment_tokens > 0 ? std::min(job.options.segment_tokens, std::max<int64_t>(g.keys, 1)) : usual;
  const int64_t segments = (g.keys + segment - 1) / segment * g.kv_heads;
  // Besides its pinned segment a thread has the segment's rows as f32, the partial results of a task and the worker's arena; parts that are read in
  // turn keep theirs to the end.
  const KeyForm form = FormOf(job);
  const int64_t resident = BytesOfKeys(g, form, segment);
  const int64_t rows = segment * (g.padded_head_dim + g.padded_value_dim + 2) * 4;
  const int64_t tile = g.tile * ((g.padded_head_dim + g.padded_value_dim + 17) * 4 + (ReadsPairs(job) ? g.paired_head_dim * 2 : 0));
  const int64_t per_thread =
      rows + static_cast<int64_t>(job.plan.header().arena_bytes()) + (once ? 0 : (g.window / g.tile) * g.group() * tile);
  const int64_t parts = once ? g.kv_heads * PartsOf(segments / g.kv_heads) * g.group() * 2 * tile : 0;
  int64_t capacity = once ? job.threads : std::max<int64_t>(segments, job.threads);
  if (const int64_t budget = job.options.memory_budget_bytes; budget > 0) {
    const int64_t least = parts + job.threads * (per_thread + resident);
    if (budget < least)
      return absl::ResourceExhaustedError(absl::StrCat("--memory-budget: ", budget, " bytes are too few for ", job.threads,
                                                       " threads and segments of ", segment, " keys; the least that works is ", least,
                                                       ", or give a smaller --segment"));
    capacity = std::min(capacity, (budget - parts - job.threads * per_thread) / resident);
  }
  return ExactRun(job, segment, capacity).Execute(report);
}

}  // namespace hsa

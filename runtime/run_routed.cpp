// Scheme routed: tokens send to a state and receive from it. Not causal: all send, then all receive. Causal: chunk by chunk, the chunk's tokens receive from
// the state before it and from each other, then join the state.
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "oneapi/tbb/parallel_for.h"
#include "oneapi/tbb/parallel_invoke.h"
#include "oneapi/tbb/parallel_pipeline.h"
#include "runtime/adapted_heads.h"
#include "runtime/check_window.h"
#include "runtime/format/kept_dims.h"
#include "runtime/give_back.h"
#include "runtime/pane_states.h"
#include "runtime/refinement.h"
#include "runtime/required_stages.h"
#include "runtime/routed_snapshot.h"
#include "runtime/routed_state.h"
#include "runtime/routed_tables.h"
#include "runtime/run_state.h"
#include "runtime/tile.h"
#include "runtime/token_panels.h"
#include "runtime/token_relevance.h"

namespace hsa {
namespace {

constexpr int64_t kSendTokens = 1024;  // sent at a time: their panels stay in the second-level cache while all splats look at them
// Parts of the tokens whose states are made side by side and then merged, in order: of a length that does not depend on the threads, so outputs do not.
constexpr int64_t kPartTokens = 16384, kMostParts = 16;

class RoutedRun {
 public:
  // Begins with the sum of `before`, of each kv_head.
  RoutedRun(const Job& job, std::vector<RoutedTables> tables, const std::vector<RoutedSnapshot>& before)
      : job_(job),
        g_(job.geometry),
        tables_(std::move(tables)),
        before_(before),
        states_(StatesOf(g_), EmptyState()),
        relevance_(states_.size()),
        io_(job.program, g_, job.inputs, job.outputs),
        give_back_(job.inputs, job.outputs),
        send_(job.program.Find("send")),
        settle_(job.program.Find("settle_state")),
        receive_(job.program.Find(g_.causal ? "receive_chunk" : "receive")),
        begin_(job.program.Find(HasFlow() ? "begin_flow_chunk" : "begin_chunk")),
        flow_state_(job.program.Find("flow_state")),
        flow_chunk_(job.program.Find("flow_chunk")),
        gate_(job.program.Find("gate")),
        center_(job.program.Find("center_query")),
        extend_(job.program.Find("extend_state")),
        progress_(job.options.progress, static_cast<double>(g_.kv_heads * KeysSent(job.options, g_) + g_.heads * g_.queries)) {}

  // From here on splats adapt, beginning with `splats`; the run is causal.
  absl::Status Adapt(const SplatTensors& splats) {
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) PassOn(kv_head, states_[kv_head]);
    return adapted_.Start(job_, splats, before_, states_, tables_);
  }

  // States that are there at once.
  static int64_t StatesOf(const Geometry& g) { return g.kv_heads * PartsOf(g); }

  absl::Status Execute(RunReport& report) {
    if (job_.options.refine) refinement_.emplace(job_.plan.graph().routed(), g_, *job_.options.refine);
    g_.causal ? RunPrefixes() : RunWhole();
    if (progress_.cancelled()) return absl::CancelledError("cancelled by the caller");
    const auto splats = static_cast<double>(tables_[0].CountSplats());
    const double dims = static_cast<double>(g_.head_dim + g_.value_dim);
    report.flop = 2 * splats * (static_cast<double>(g_.head_dim) + MeanValueDim(job_.plan.graph())) *
                  (static_cast<double>(g_.kv_heads * KeysSent(job_.options, g_)) +
                   (refinement_ ? refinement_->Looked() : 1) * static_cast<double>(g_.heads * g_.queries));
    report.bytes_read =
        static_cast<int64_t>(dims) * g_.kv_heads * (g_.keys - FirstKeyRead(job_.options, g_)) * DTypeBytes(job_.inputs.key.dtype) +
        g_.head_dim * g_.heads * g_.queries * DTypeBytes(job_.inputs.query.dtype);
    if (bad_tokens_ > 0)
      report.warnings.push_back(absl::StrCat(bad_tokens_.load(), " tokens with a key or value that is not finite sent nothing"));
    if (job_.options.token_error) report.mode += RelevanceText();
    if (refinement_) refinement_->AddTo(report);
    report.mode += WindowText(job_.options, RoutedState::Bytes(tables_[0].splats, g_.padded_value_dim));
    adapted_.AddTo(report);
    return job_.outputs.rows_ready ? job_.outputs.rows_ready(0, g_.queries) : absl::OkStatus();
  }

  std::vector<const AdaptedHead*> Adapted() const { return adapted_.all(); }

  // Of each kv_head, once all tokens were sent.
  std::vector<const RoutedState*> States() const {
    std::vector<const RoutedState*> states;
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) states.push_back(&states_[kv_head * PartsOf(g_)]);
    return states;
  }

 private:
  struct Chunk;
  class ChunkPool;

  // Of the values, what a splat keeps.
  static double MeanValueDim(const format::Graph& graph) {
    double dims = 0, splats = 0;
    for (const format::SplatLevel& level : graph.routed().levels()) {
      splats += level.splats();
      dims += static_cast<double>(level.splats()) * format::KeptDims(graph, level);
    }
    return dims / splats;
  }
  static int64_t PartsOf(const Geometry& g) {
    return g.causal ? 1 : std::clamp<int64_t>((g.keys + kPartTokens - 1) / kPartTokens, 1, kMostParts);
  }
  bool HasFlow() const { return !tables_[0].flow.empty(); }
  bool HasGate() const { return !tables_[0].gate.empty(); }
  // Lets splats pass on what the tokens of this run have sent so far, and joins what those before it sent, which has been passed on.
  void PassOn(int64_t kv_head, RoutedState& state) {
    if (HasFlow()) state.PassOn(workers_.local(), flow_state_, tables_[kv_head].flow);
    RoutedState scratch = EmptyState();
    for (const RoutedSnapshot& snapshot : before_) snapshot.MergeInto(kv_head, state, scratch);
  }
  RoutedState EmptyState() const { return RoutedState(tables_[0].splats, g_.padded_value_dim); }

  // ", tokens 1000 sent as 600, bound 0.0003 (300 joined others, 100 left out)"
  std::string RelevanceText() const {
    Relevance all;
    for (const Relevance& part : relevance_) all.Add(part);
    return absl::StrFormat(", tokens %d sent as %d, bound %.2g (%d joined others, %d left out)", all.tokens,
                           all.tokens - all.joined - all.left_out, all.bound(), all.joined, all.left_out);
  }

  // Every state first: of parts of a kv_head side by side, merged in order.
  void RunWhole() {
    const int64_t parts = PartsOf(g_);
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads * parts, [&](int64_t i) {
      const int64_t part = i % parts;
      bad_tokens_ += Send(i / parts, g_.keys * part / parts, g_.keys * (part + 1) / parts, states_[i]);
    });
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) {
      RoutedState& state = states_[kv_head * parts];
      for (int64_t part = 1; part < parts; ++part) state.Merge(states_[kv_head * parts + part]);
      PassOn(kv_head, state);
      state.Settle(workers_.local(), settle_, tables_[kv_head]);
    }
    const int64_t tiles = (g_.queries + g_.tile - 1) / g_.tile;
    oneapi::tbb::parallel_for(int64_t{0}, g_.heads * tiles, [&](int64_t i) {
      if (progress_.cancelled()) return;
      const int64_t head = i / tiles, kv_head = head / g_.group(), first = g_.first_position() + i % tiles * g_.tile;
      Worker& worker = workers_.local();
      states_[kv_head * parts].Bind(worker);
      states_[kv_head * parts].BindSettled(worker);
      tables_[kv_head].BindPanels(worker);
      Receive(worker, Tile::Range(head, first, std::min(first + g_.tile, g_.keys)));
    });
  }

  void RunPrefixes() {
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads, [&](int64_t kv_head) {
      ChunkPool chunks([&] { return std::make_unique<Chunk>(*this, kv_head); });
      if (!adapted_.empty()) return RunAdapting(kv_head, chunks);
      if (job_.options.window_tokens) return RunWindow(kv_head, TokenWindow(*job_.options.window_tokens), chunks);
      bad_tokens_ += Send(kv_head, 0, g_.first_position(), states_[kv_head]);
      PassOn(kv_head, states_[kv_head]);
      RunRange(kv_head, g_.first_position(), g_.keys, chunks);
    });
  }

  // Pane after pane: its queries receive from the panes before it and from each other, while another thread makes the state of its tokens alone for the
  // panes behind it. Keys before the first pane that is seen are not read.
  void RunWindow(int64_t kv_head, const TokenWindow& window, ChunkPool& chunks) {
    PaneStates panes;  // before flow
    for (int64_t begin = window.FirstSeen(g_.first_position()); begin < g_.keys && !progress_.cancelled(); begin += window.pane()) {
      const int64_t end = std::min(begin + window.pane(), g_.keys);
      RoutedState own = EmptyState();
      oneapi::tbb::parallel_invoke([&] { ReceivePane(kv_head, begin, end, panes, chunks); },
                                   [&] {
                                     if (end < g_.keys) SendPane(kv_head, begin, end, own);
                                   });
      panes.Push(std::move(own));
    }
  }

  void ReceivePane(int64_t kv_head, int64_t begin, int64_t end, PaneStates& panes, ChunkPool& chunks) {
    if (end <= g_.first_position()) return;  // no query in it
    RoutedState& state = states_[kv_head];
    state = EmptyState();
    panes.AddTo(state);
    const int64_t first = std::max(begin, g_.first_position());
    bad_tokens_ += Send(kv_head, begin, first, state);
    PassOn(kv_head, state);
    RunRange(kv_head, first, end, chunks);
  }

  // Tokens that ReceivePane has counted count once.
  void SendPane(int64_t kv_head, int64_t begin, int64_t end, RoutedState& own) {
    const int64_t bad = Send(kv_head, begin, end, own);
    if (end <= g_.first_position()) bad_tokens_ += bad;
  }

  // Tokens [begin, end).
  void RunRange(int64_t kv_head, int64_t begin, int64_t end, ChunkPool& chunks) {
    g_.kv_heads < job_.threads ? RunPipeline(kv_head, begin, end, chunks) : RunChunks(kv_head, begin, end, chunks);
  }

  // Segment after segment. Tokens before the first query are observed as well.
  void RunAdapting(int64_t kv_head, ChunkPool& chunks) {
    adapted_.ForEachSegment(
        kv_head, g_,
        [&](int64_t begin, int64_t end) {
          RunRange(kv_head, begin, end, chunks);
          return !progress_.cancelled();
        },
        [] {});
  }

  // Chunk after chunk on one thread.
  void RunChunks(int64_t kv_head, int64_t begin, int64_t end, ChunkPool& chunks) {
    RoutedState& state = states_[kv_head];
    Chunk& chunk = *chunks.Take();
    for (int64_t first = begin; first < end && !progress_.cancelled(); first += chunk.count) {
      Begin(chunk, first, end, state);
      ReceiveChunk(chunk, state);
      Extend(chunk, state);
    }
    chunks.Give(&chunk);
  }

  // One thread takes the chunks into the state, the others receive, each from the state as it was before its chunk. The same bits as RunChunks.
  void RunPipeline(int64_t kv_head, int64_t begin, int64_t end, ChunkPool& chunks) {
    RoutedState& state = states_[kv_head];
    int64_t first = begin;
    const auto take = [&](oneapi::tbb::flow_control& control) -> Chunk* {
      if (first >= end || progress_.cancelled()) {
        control.stop();
        return nullptr;
      }
      Chunk* chunk = chunks.Take();
      Begin(*chunk, first, end, state);
      chunk->before = state;
      Extend(*chunk, state);
      first += chunk->count;
      return chunk;
    };
    const auto receive = [&](Chunk* chunk) {
      ReceiveChunk(*chunk, chunk->before);
      chunks.Give(chunk);
    };
    oneapi::tbb::parallel_pipeline(static_cast<size_t>(job_.threads) + 1,
                                   oneapi::tbb::make_filter<void, Chunk*>(oneapi::tbb::filter_mode::serial_in_order, take) &
                                       oneapi::tbb::make_filter<Chunk*, void>(oneapi::tbb::filter_mode::parallel, receive));
  }

  // At most 64 tokens on their way through.
  struct Chunk {
    Chunk(const RoutedRun& run, int64_t head)
        : kv_head(head),
          panels(run.job_.program, run.g_, run.job_.inputs),
          sent(run.tables_[head].splats * kBatchKeys),
          own_sent(run.HasFlow() ? sent.size() : 0),
          before(run.EmptyState()) {}

    int64_t kv_head, first = 0, count = 0;
    TokenPanels panels;
    std::vector<float, HugePages<float>> sent, own_sent;  // own: before flow
    RoutedState before;                                   // where the chunk is received beside the state going on
  };

  // Chunks that are not under way. Thread-safe.
  class ChunkPool {
   public:
    explicit ChunkPool(std::function<std::unique_ptr<Chunk>()> make) : make_(std::move(make)) {}
    Chunk* Take() {
      const std::lock_guard lock(mutex_);
      if (free_.empty()) free_.push_back(all_.emplace_back(make_()).get());
      Chunk* chunk = free_.back();
      free_.pop_back();
      return chunk;
    }
    void Give(Chunk* chunk) {
      const std::lock_guard lock(mutex_);
      free_.push_back(chunk);
    }

   private:
    const std::function<std::unique_ptr<Chunk>()> make_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Chunk>> all_;  // under mutex_
    std::vector<Chunk*> free_;                 // under mutex_
  };

  // Finds where the chunk that starts at `first` ends, before `end`, and settles the state for those who receive.
  void Begin(Chunk& chunk, int64_t first, int64_t end, RoutedState& state) {
    const TraceScope scope(job_.options.trace, "chunk", "tokens");
    Worker& worker = workers_.local();
    const RoutedTables& tables = tables_[chunk.kv_head];
    const int64_t most = std::min<int64_t>(kBatchKeys, end - first);
    tables.BindRows(worker);
    chunk.panels.Read(worker, chunk.kv_head, first, most);
    std::array<int32_t, 1> chunk_tokens = {};
    state.Bind(worker);
    worker.Bind("sent", chunk.sent.data(), {tables.splats, kBatchKeys});
    worker.Bind("chunk_tokens", chunk_tokens.data(), {1});
    if (HasFlow()) {
      state.BindOwn(worker);
      worker.Bind("own_sent", chunk.own_sent.data(), {tables.splats, kBatchKeys});
      tables.flow.Bind(worker);
    }
    worker.Call(begin_);
    if (HasFlow()) worker.Call(flow_chunk_);
    chunk.first = first, chunk.count = std::clamp<int64_t>(chunk_tokens[0], 1, most);
    bad_tokens_ += chunk.panels.Bad(chunk.count);  // the rest is read again
    if (!adapted_.empty())
      adapted_.See(chunk.kv_head, first, [&](AdaptedHead& head, int64_t position) {
        head.Observe(chunk.panels, position, chunk.count, HasFlow() ? chunk.own_sent : chunk.sent);
      });
    state.Settle(worker, settle_, tables);
  }

  void ReceiveChunk(const Chunk& chunk, const RoutedState& before) {
    if (chunk.first < g_.first_position()) return;
    Worker& worker = workers_.local();
    const RoutedTables& tables = tables_[chunk.kv_head];
    tables.BindPanels(worker);
    before.Bind(worker);
    before.BindSettled(worker);
    chunk.panels.Bind(worker);
    worker.Bind("sent", chunk.sent.data(), {tables.splats, kBatchKeys});
    for (int64_t head = chunk.kv_head * g_.group(); head < (chunk.kv_head + 1) * g_.group(); ++head)
      Receive(worker, Tile::Range(head, chunk.first, chunk.first + chunk.count));
  }

  void Extend(const Chunk& chunk, RoutedState& state) {
    Worker& worker = workers_.local();
    state.Bind(worker);
    chunk.panels.Bind(worker);
    worker.Bind("sent", chunk.sent.data(), {tables_[chunk.kv_head].splats, kBatchKeys});
    worker.Call(extend_);
    TokensSent(chunk.kv_head, chunk.first, chunk.first + chunk.count);
    progress_.Advance(static_cast<double>(chunk.count));
  }

  // Returns how many tokens were not finite.
  int64_t Send(int64_t kv_head, int64_t begin, int64_t end, RoutedState& state) {
    const TraceScope scope(job_.options.trace, "send", "tokens");
    Worker& worker = workers_.local();
    TokenPanels panels(job_.program, g_, job_.inputs);
    tables_[kv_head].BindRows(worker);
    state.Bind(worker);
    int64_t bad = 0;
    std::optional<RelevantTokens> relevant;
    if (job_.options.token_error) relevant.emplace(job_.program, tables_[kv_head], *job_.options.token_error, end - begin);
    for (int64_t first = begin; first < end && !progress_.cancelled(); first += kSendTokens) {
      const int64_t count = std::min(kSendTokens, end - first);
      if (relevant) {
        panels.ReadRows(worker, kv_head, first, count);
        relevant->Pack(worker, panels, state);
      } else {
        panels.Read(worker, kv_head, first, count);
      }
      bad += panels.Bad(count);
      worker.Call(send_);
      TokensSent(kv_head, first, first + count);
      progress_.Advance(static_cast<double>(count));
    }
    if (relevant) relevance_[&state - states_.data()] = relevant->counts();
    return bad;
  }

  void TokensSent(int64_t kv_head, int64_t begin, int64_t end) const {
    give_back_.Read(job_.inputs.key, kv_head, begin, end);
    give_back_.Read(job_.inputs.value, kv_head, begin, end);
  }

  // The state, what is settled of it and the panels of its splats are bound.
  void Receive(Worker& worker, const Tile& tile) {
    const TraceScope scope(job_.options.trace, "receive", "tokens");
    io_.Load(worker, tile);
    if (HasGate()) worker.Call(gate_);
    if (!tables_[0].isotropic.center.empty()) worker.Call(center_);
    ReceiveSplats(worker, tile);
    const int64_t query = tile.position[0] - g_.first_position();
    give_back_.Read(job_.inputs.query, tile.head, query, query + tile.count);
    give_back_.Written(tile.head, query, query + tile.count);
    progress_.Advance(static_cast<double>(tile.count));
  }

  void ReceiveSplats(Worker& worker, const Tile& tile) {
    if (refinement_) return refinement_->Receive(worker, io_, tile, receive_);
    const std::array<int32_t, 2> all = {0, static_cast<int32_t>(tables_[0].splats)};
    worker.Bind("splat_range", all.data(), {2});
    worker.Call(receive_);
    io_.Store(worker, tile);
  }

  const Job& job_;
  const Geometry& g_;
  std::vector<RoutedTables> tables_;
  const std::vector<RoutedSnapshot>& before_;
  std::vector<RoutedState> states_;   // of each part of each kv_head; that of its first part is that of all once they are merged
  std::vector<Relevance> relevance_;  // of each of them
  TileIo io_;
  GiveBack give_back_;
  Program::Stage send_, settle_, receive_, begin_, flow_state_, flow_chunk_, gate_, center_, extend_;
  AdaptedHeads adapted_;
  std::optional<Refinement> refinement_;
  ProgressMeter progress_;
  std::atomic<int64_t> bad_tokens_{0};
  Workers workers_{[this] { return Worker(job_.program); }};
};

}  // namespace

// Anonymous memory of a run, about: tables and states of every kv_head, and what a thread holds.
static int64_t MemoryOf(const Job& job, const RoutedTables& of) {
  const int64_t splats = of.splats;
  const Geometry& g = job.geometry;
  const int64_t rows = (g.padded_head_dim + g.padded_value_dim) * static_cast<int64_t>(sizeof(float));
  const int64_t product = static_cast<int64_t>(of.isotropic.product.size()), links = static_cast<int64_t>(of.flow.tiles.size());
  const int64_t tables = (4 * splats * g.padded_head_dim + 2 * static_cast<int64_t>(of.factor.size()) + 2 * product + links) *
                         static_cast<int64_t>(sizeof(float));
  const int64_t chunk =
      RoutedState::Bytes(splats, g.padded_value_dim) + splats * kBatchKeys * static_cast<int64_t>(sizeof(float)) + 2 * kBatchKeys * rows;
  const int64_t panes = job.options.window_tokens ? g.kv_heads * PaneStates::Bytes(splats, g.padded_value_dim) : 0;
  const int64_t states = RoutedRun::StatesOf(g) * RoutedState::Bytes(splats, g.padded_value_dim) + panes;
  const int64_t thread = static_cast<int64_t>(job.plan.header().arena_bytes()) + 2 * kSendTokens * rows + (g.causal ? 2 * chunk : 0);
  return g.kv_heads * tables + states + job.threads * thread;
}

absl::Status RunRouted(const Job& job, RunReport& report) {
  SplatTensors splats = job.inputs.splats;
  absl::StatusOr<std::vector<RoutedSnapshot>> before = OpenSnapshots(job.options.load_states, job.plan.graph(), splats);
  if (!before.ok()) return before.status();
  if (absl::Status adapted = CheckAdapted(job.options, *before); !adapted.ok()) return adapted;
  absl::StatusOr<std::vector<RoutedTables>> tables = BuildRoutedTables(job.plan.graph(), splats);
  if (!tables.ok()) return tables.status();
  for (const RoutedSnapshot& state : *before)
    if (absl::Status same = state.CheckSameSplats(splats); !same.ok()) return same;
  const int64_t least = MemoryOf(job, tables->front()), budget = job.options.memory_budget_bytes;
  if (budget > 0 && budget < least)
    return absl::ResourceExhaustedError(absl::StrCat("--memory-budget: ", budget, " bytes are too few for ", tables->front().splats,
                                                     " splats of ", job.geometry.kv_heads, " kv_heads on ", job.threads,
                                                     " threads; the least that works is ", least));
  RoutedRun run(job, *std::move(tables), *before);
  if (job.options.adapt)
    if (absl::Status adapts = run.Adapt(splats); !adapts.ok()) return adapts;
  if (absl::Status done = run.Execute(report); !done.ok()) return done;
  if (job.options.save_state.empty()) return absl::OkStatus();
  return SaveSnapshot(job.options.save_state,
                      {job.plan.graph(), splats, run.States(), job.geometry.keys + TokensOf(*before), run.Adapted()});
}

}  // namespace hsa

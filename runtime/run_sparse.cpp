// Scheme routed where a token keeps a few splats only (docs/spec.md, "Sparse"): tokens find their splats, many at a time and in any order; then they send to
// and receive from the rows of those, one after the other. Not causal: all send, then all receive. Causal: token by token.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "oneapi/tbb/parallel_for.h"
#include "oneapi/tbb/parallel_pipeline.h"
#include "runtime/adapted_heads.h"
#include "runtime/affinity_cache.h"
#include "runtime/check_window.h"
#include "runtime/covariance.h"
#include "runtime/link_columns.h"
#include "runtime/pane_states.h"
#include "runtime/routed_snapshot.h"
#include "runtime/routed_state.h"
#include "runtime/run_state.h"
#include "runtime/sparse_search.h"
#include "runtime/tile.h"

namespace hsa {
namespace {

constexpr int64_t kPackTokens = 1024;  // on their way at once: their lists stay in the second-level cache
constexpr int64_t kSentBytes =
    4 << 20;  // of a pack's lists of what tokens send along links, which hold every splat: packs are shorter then
// Parts of the tokens whose states are made side by side and then merged, in order: of a length that does not depend on the threads, so outputs do not.
constexpr int64_t kPartTokens = 16384, kMostParts = 16;

int64_t PartsOf(const Geometry& g) { return g.causal ? 1 : std::clamp<int64_t>((g.keys + kPartTokens - 1) / kPartTokens, 1, kMostParts); }

bool PassesOnByToken(const Geometry& g, const format::Routed& routed) { return g.causal && !routed.links().empty(); }

int64_t PackTokens(const Geometry& g, const format::Routed& routed, int64_t splats) {
  if (!PassesOnByToken(g, routed)) return kPackTokens;
  return std::clamp(kSentBytes / SentLists::Bytes(1, splats) / kSplatTile * kSplatTile, int64_t{kSplatTile}, kPackTokens);
}

// Some tokens of one kv_head on their way: as keys, and as queries of every head that reads it, head by head.
struct Pack {
  Pack(int64_t kv_head, const format::Routed& routed) : kv_head(kv_head), keys(routed), queries(routed) {}

  int64_t kv_head, first = 0, count = 0;  // key positions
  TokenRows keys, queries;
  WideRows values;
  SentLists sent;             // of the keys, where links pass on what each of them sends
  std::vector<float> gate;    // [heads of the group · count + 64, 16]: log2 weights of levels, with a gate
  std::vector<float> output;  // [heads of the group · count, padded value_dim]
};

class SparseRun {
 public:
  // Goes on behind the tokens of `before`.
  SparseRun(const Job& job, std::vector<RoutedTables> tables, const std::vector<RoutedSnapshot>& before)
      : job_(job),
        g_(job.geometry),
        routed_(job.plan.graph().routed()),
        tables_(std::move(tables)),
        before_(before),
        search_(job, TokensOf(before)),
        pack_tokens_(PackTokens(g_, routed_, tables_[0].splats)),
        no_amplitude_(tables_[0].splats, 0.0f),
        states_(g_.kv_heads * PartsOf(g_), EmptyState()),
        keys_(job.program, job.inputs.key.dtype),
        gate_(job.program.Find("gate")),
        flow_state_(job.program.Find("flow_state")),
        pass_on_(job.program.Find("pass_on")),
        send_(job.program.Find("send_sparse")),
        receive_(job.program.Find(g_.causal ? "receive_prefix" : "receive_sparse")),
        store_(job.program.Find("store_rows", job.outputs.o.dtype)),
        progress_(job.options.progress,
                  static_cast<double>(g_.kv_heads * (g_.keys - FirstKeyRead(job.options, g_)) + g_.heads * g_.queries)) {
    std::vector<float> log_weights;
    for (const format::SplatLevel& level : routed_.levels()) log_weights.push_back(static_cast<float>(std::log2(level.weight())));
    log_weights_.assign(tables_.size(), log_weights);
    columns_.resize(tables_.size());
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) MakeLevels(kv_head);
  }

  // From here on splats adapt, beginning with `splats`; the run is causal.
  absl::Status Adapt(const SplatTensors& splats) {
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) JoinBefore(kv_head, states_[kv_head]);
    if (absl::Status started = adapted_.Start(job_, splats, before_, states_, tables_); !started.ok()) return started;
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) MakeLevels(kv_head);
    return absl::OkStatus();
  }

  absl::Status Execute(RunReport& report) {
    g_.causal ? RunPrefixes() : RunWhole();
    if (progress_.cancelled()) return absl::CancelledError("cancelled by the caller");
    report.flop = search_.flop();
    search_.AddTo(report, workers_.local(), tables_);
    report.bytes_read =
        (g_.head_dim + g_.value_dim) * g_.kv_heads * (g_.keys - FirstKeyRead(job_.options, g_)) * DTypeBytes(job_.inputs.key.dtype) +
        g_.head_dim * g_.heads * g_.queries * DTypeBytes(job_.inputs.query.dtype);
    if (bad_tokens_ > 0)
      report.warnings.push_back(absl::StrCat(bad_tokens_.load(), " tokens with a key or value that is not finite sent nothing"));
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
  RoutedState EmptyState() const { return RoutedState(tables_[0].splats, g_.padded_value_dim); }
  void JoinBefore(int64_t kv_head, RoutedState& state) const {
    RoutedState scratch = EmptyState();
    for (const RoutedSnapshot& snapshot : before_) snapshot.MergeInto(kv_head, state, scratch);
  }
  std::unique_ptr<Pack> NewPack(int64_t kv_head) const { return std::make_unique<Pack>(kv_head, routed_); }

  void MakeLevels(int64_t kv_head) {
    if (!adapted_.empty()) std::ranges::copy(adapted_.head(kv_head).log_weights(), log_weights_[kv_head].begin());
    search_.Learn(workers_.local(), kv_head, tables_[kv_head]);
    if (PassesOnByToken(g_, routed_)) columns_[kv_head] = LinkColumns::Of(tables_[kv_head].flow, tables_[kv_head].splats);
  }

  void RunWhole() {
    const int64_t parts = PartsOf(g_);
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads * parts, [&](int64_t i) {
      const int64_t part = i % parts;
      Send(i / parts, g_.keys * part / parts, g_.keys * (part + 1) / parts, states_[i]);
    });
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) {
      for (int64_t part = 1; part < parts; ++part) states_[kv_head * parts].Merge(states_[kv_head * parts + part]);
      if (!tables_[kv_head].flow.empty()) states_[kv_head * parts].PassOn(workers_.local(), flow_state_, tables_[kv_head].flow);
      JoinBefore(kv_head, states_[kv_head * parts]);
    }
    const int64_t packs = (g_.queries + pack_tokens_ - 1) / pack_tokens_;
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads * packs, [&](int64_t i) {
      if (progress_.cancelled()) return;
      std::unique_ptr<Pack> pack = NewPack(i / packs);
      pack->first = g_.first_position() + i % packs * pack_tokens_;
      pack->count = std::min(pack_tokens_, g_.keys - pack->first);
      FindQueries(*pack);
      Receive(*pack, states_[pack->kv_head * parts]);
      Store(*pack);
    });
  }

  // Packs find their splats on any thread, go through the state in their order, and are stored on any thread again.
  void RunPrefixes() {
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads, [&](int64_t kv_head) {
      if (!adapted_.empty()) return RunAdapting(kv_head);
      RoutedState& state = states_[kv_head];
      JoinBefore(kv_head, state);
      if (job_.options.window_tokens) return RunWindow(kv_head, TokenWindow(*job_.options.window_tokens));
      Send(kv_head, 0, g_.first_position(), state);
      RunRange(kv_head, g_.first_position(), g_.keys);
    });
  }

  // Pane after pane: its tokens send to the state, from which its queries receive, and to the pane's own for the panes behind it.
  void RunWindow(int64_t kv_head, const TokenWindow& window) {
    PaneStates panes;
    RoutedState& state = states_[kv_head];
    for (int64_t begin = window.FirstSeen(g_.first_position()); begin < g_.keys && !progress_.cancelled(); begin += window.pane()) {
      const int64_t end = std::min(begin + window.pane(), g_.keys), first = std::clamp(g_.first_position(), begin, end);
      RoutedState own = EmptyState();
      state = EmptyState();
      panes.AddTo(state);
      Send(kv_head, begin, first, state, &own);
      RunRange(kv_head, first, end, &own);
      panes.Push(std::move(own));
    }
  }

  // Segment after segment. Tokens before the first query are observed as well.
  void RunAdapting(int64_t kv_head) {
    adapted_.ForEachSegment(
        kv_head, g_,
        [&](int64_t begin, int64_t end) {
          begin < g_.first_position() ? Send(kv_head, begin, end, states_[kv_head]) : RunRange(kv_head, begin, end);
          return !progress_.cancelled();
        },
        [&] { MakeLevels(kv_head); });
  }

  // Tokens [begin, end) send and receive; where there is a `pane`, they send to that as well.
  void RunRange(int64_t kv_head, int64_t begin, int64_t end, const RoutedState* pane = nullptr) {
    int64_t next = begin;
    const auto take = [&](oneapi::tbb::flow_control& control) -> Pack* {
      if (next >= end || progress_.cancelled()) {
        control.stop();
        return nullptr;
      }
      std::unique_ptr<Pack> pack = NewPack(kv_head);
      pack->first = next, pack->count = std::min(pack_tokens_, end - next);
      next += pack->count;
      return pack.release();  // the last filter deletes it
    };
    const auto find = [&](Pack* pack) {
      FindKeys(*pack);
      FindQueries(*pack);
      return pack;
    };
    const auto receive = [&](Pack* pack) {
      Observe(*pack);
      Receive(*pack, states_[kv_head]);
      if (pane != nullptr) SendPack(*pack, *pane);
      return pack;
    };
    const auto store = [&](Pack* pack) {
      Store(*pack);
      delete pack;
    };
    using Mode = oneapi::tbb::filter_mode;
    oneapi::tbb::parallel_pipeline(static_cast<size_t>(job_.threads) + 1,
                                   oneapi::tbb::make_filter<void, Pack*>(Mode::serial_in_order, take) &
                                       oneapi::tbb::make_filter<Pack*, Pack*>(Mode::parallel, find) &
                                       oneapi::tbb::make_filter<Pack*, Pack*>(Mode::serial_in_order, receive) &
                                       oneapi::tbb::make_filter<Pack*, void>(Mode::parallel, store));
  }

  void Observe(const Pack& pack) {
    if (adapted_.empty()) return;
    adapted_.See(pack.kv_head, pack.first, [&](AdaptedHead& head, int64_t position) {
      head.ObserveKept(pack.keys.lists, pack.keys.wide.rows.data(), position, pack.count);
    });
  }

  void Find(Worker& worker, const Pack& pack, TokenRows& tokens, int64_t heads) {
    search_.Find(worker, pack.kv_head, tokens, pack.first, pack.count, heads);
    progress_.Advance(static_cast<double>(heads * pack.count));
  }

  void FindKeys(Pack& pack) {
    const TraceScope scope(job_.options.trace, "find keys", "tokens");
    Worker& worker = workers_.local();
    const int64_t d = g_.padded_head_dim, dv = g_.padded_value_dim;
    pack.keys.wide.Resize(pack.count + kSplatTile, d);
    pack.values.Resize(pack.count, dv);
    keys_.Read(worker, job_.inputs.key, pack.kv_head, pack.first, pack.count, d, pack.keys.wide.rows.data(), pack.keys.wide.bad.data());
    keys_.Read(worker, job_.inputs.value, pack.kv_head, pack.first, pack.count, dv, pack.values.rows.data(), pack.values.bad.data());
    Find(worker, pack, pack.keys, 1);
    for (int64_t token = 0; token < pack.count; ++token) {
      if ((pack.keys.wide.bad[token] | pack.values.bad[token]) == 0) continue;
      pack.keys.lists.Drop(token);
      ++bad_tokens_;
    }
    if (PassesOnByToken(g_, routed_)) PassOn(worker, pack);
  }

  // What the keys send once links have passed it on.
  void PassOn(Worker& worker, Pack& pack) {
    pack.sent.Resize(pack.count, tables_[0].splats);
    pack.keys.lists.BindKeys(worker);
    BindAmplitude(worker, tables_[pack.kv_head].amplitude);
    columns_[pack.kv_head].Bind(worker);
    pack.sent.Bind(worker);
    worker.Call(pass_on_);
  }

  static void BindAmplitude(Worker& worker, const std::vector<float>& amplitude) {
    worker.Bind("splat_amplitude", amplitude.data(), {static_cast<int64_t>(amplitude.size())});
  }

  void FindQueries(Pack& pack) {
    const TraceScope scope(job_.options.trace, "find queries", "tokens");
    Worker& worker = workers_.local();
    const int64_t d = g_.padded_head_dim, query = pack.first - g_.first_position();
    pack.queries.wide.Resize(g_.group() * pack.count + kSplatTile, d);
    for (int64_t head = 0; head < g_.group(); ++head)
      keys_.Read(worker, job_.inputs.query, pack.kv_head * g_.group() + head, query, pack.count, d,
                 &pack.queries.wide.rows[head * pack.count * d], &pack.queries.wide.bad[head * pack.count]);
    Find(worker, pack, pack.queries, g_.group());
    if (!tables_[0].gate.empty()) FindGates(worker, pack);
  }

  void FindGates(Worker& worker, Pack& pack) {
    const int64_t rows = g_.group() * pack.count, d = g_.padded_head_dim;
    pack.gate.resize((rows + kSplatTile) * kMostLevels);
    tables_[pack.kv_head].gate.Bind(worker);
    for (int64_t first = 0; first < rows; first += kSplatTile) {
      worker.Bind("q_rows", &pack.queries.wide.rows[first * d], {kSplatTile, d});
      worker.Bind("query_gate", &pack.gate[first * kMostLevels], {kSplatTile, kMostLevels});
      worker.Call(gate_);
    }
  }

  // To `state`, and to the `pane` where there is one.
  void Send(int64_t kv_head, int64_t begin, int64_t end, const RoutedState& state, const RoutedState* pane = nullptr) {
    std::unique_ptr<Pack> pack = NewPack(kv_head);
    for (pack->first = begin; pack->first < end && !progress_.cancelled(); pack->first += pack_tokens_) {
      pack->count = std::min(pack_tokens_, end - pack->first);
      FindKeys(*pack);
      Observe(*pack);
      SendPack(*pack, state);
      if (pane != nullptr) SendPack(*pack, *pane);
    }
  }

  void SendPack(const Pack& pack, const RoutedState& state) {
    Worker& worker = workers_.local();
    BindKeys(worker, pack, state);
    worker.Call(send_);
  }

  void BindKeys(Worker& worker, const Pack& pack, const RoutedState& state) const {
    state.Bind(worker);
    if (PassesOnByToken(g_, routed_)) {
      pack.sent.Bind(worker);
      BindAmplitude(worker, no_amplitude_);
    } else {
      pack.keys.lists.BindKeys(worker);
      BindAmplitude(worker, tables_[pack.kv_head].amplitude);
    }
    worker.Bind("v_rows", pack.values.rows.data(), {pack.count, g_.padded_value_dim});
  }

  // From the state as it is, or, where the attention is causal, token by token while the pack's keys send to it.
  void Receive(Pack& pack, const RoutedState& state) {
    const TraceScope scope(job_.options.trace, "receive", "tokens");
    Worker& worker = workers_.local();
    const int64_t dv = g_.padded_value_dim;
    pack.output.resize(g_.group() * pack.count * dv);
    state.Bind(worker);
    if (g_.causal) BindKeys(worker, pack, state);
    pack.queries.lists.BindQueries(worker);
    if (!tables_[0].gate.empty()) worker.Bind("query_gate", pack.gate.data(), {g_.group() * pack.count, kMostLevels});
    worker.Bind("level_weight", log_weights_[pack.kv_head].data(), {routed_.levels_size()});
    worker.Bind("sparse_rows", pack.output.data(), {g_.group() * pack.count, dv});
    worker.Call(receive_);
  }

  void Store(Pack& pack) {
    Worker& worker = workers_.local();
    const int64_t dv = g_.padded_value_dim;
    for (int64_t row = 0; row < g_.group() * pack.count; ++row)
      if (pack.queries.wide.bad[row] != 0) std::fill_n(&pack.output[row * dv], dv, std::numeric_limits<float>::quiet_NaN());
    for (int64_t head = 0; head < g_.group(); ++head)
      for (int64_t first = 0; first < pack.count; first += g_.tile) {
        const int64_t query = pack.first - g_.first_position() + first;
        worker.Bind("o_rows", &pack.output[(head * pack.count + first) * dv], {g_.tile, dv});
        worker.BindStrided("rows_out", job_.outputs.o.Row(pack.kv_head * g_.group() + head, query),
                           {std::min(g_.tile, pack.count - first), g_.value_dim}, job_.outputs.o.strides[1]);
        worker.Call(store_);
      }
  }

  const Job& job_;
  const Geometry& g_;
  const format::Routed& routed_;
  std::vector<RoutedTables> tables_;
  const std::vector<RoutedSnapshot>& before_;
  SparseSearch search_;
  int64_t pack_tokens_;
  std::vector<float> no_amplitude_;              // [splats]: of what links have passed on
  std::vector<RoutedState> states_;              // of each part of each kv_head; that of its first part is that of all once they are merged
  std::vector<std::vector<float>> log_weights_;  // [levels] of each kv_head: log2 w
  std::vector<LinkColumns> columns_;             // of each kv_head, where links pass on what each token sends
  RowReader keys_;
  AdaptedHeads adapted_;
  Program::Stage gate_, flow_state_, pass_on_, send_, receive_, store_;
  ProgressMeter progress_;
  std::atomic<int64_t> bad_tokens_{0};
  Workers workers_{[this] { return Worker(job_.program); }};
};

// Anonymous memory of a run, about: tables and states of every kv_head, and what a thread holds.
int64_t MemoryOf(const Job& job, const RoutedTables& of) {
  const int64_t splats = of.splats;
  const Geometry& g = job.geometry;
  const format::Routed& routed = job.plan.graph().routed();
  const int64_t tables =
      ((routed.isotropic() ? 10 : 6) + 2 * StoredRows(job.plan.graph())) * splats * g.padded_head_dim * static_cast<int64_t>(sizeof(float));
  const int64_t panes = job.options.window_tokens ? g.kv_heads * PaneStates::Bytes(splats, g.padded_value_dim) : 0;
  const int64_t states = (g.causal ? g.kv_heads : g.kv_heads * PartsOf(g)) * RoutedState::Bytes(splats, g.padded_value_dim) + panes;
  const int64_t rows = (g.padded_head_dim + g.padded_value_dim) * static_cast<int64_t>(sizeof(float));
  const int64_t sent = PassesOnByToken(g, routed) ? SentLists::Bytes(PackTokens(g, routed, splats), splats) : 0;
  const int64_t pack =
      sent + (1 + g.group()) * (kPackTokens * rows + NearLists::Bytes(routed.levels_size(), routed.sparse().top(), kPackTokens));
  const int64_t links = static_cast<int64_t>(of.flow.tiles.size() * sizeof(float)) * (PassesOnByToken(g, routed) ? 2 : 1);
  int64_t graphs = 0;
  if (job.options.search == LevelSearch::kHnsw)
    for (const format::SplatLevel& level : routed.levels()) graphs += SplatGraph::Bytes(level.splats(), g.padded_head_dim);
  const int64_t cache = job.options.affinity_cache == nullptr ? 0 : job.options.affinity_cache->budget_bytes();
  return cache + g.kv_heads * (tables + graphs + links) + states + (job.threads + 1) * pack +
         job.threads * static_cast<int64_t>(job.plan.header().arena_bytes());
}

}  // namespace

absl::Status RunSparse(const Job& job, RunReport& report) {
  SplatTensors splats = job.inputs.splats;
  const absl::StatusOr<std::vector<RoutedSnapshot>> before = OpenSnapshots(job.options.load_states, job.plan.graph(), splats);
  if (!before.ok()) return before.status();
  if (absl::Status adapted = CheckAdapted(job.options, *before); !adapted.ok()) return adapted;
  absl::StatusOr<std::vector<RoutedTables>> tables = BuildRoutedTables(job.plan.graph(), splats);
  if (!tables.ok()) return tables.status();
  for (const RoutedSnapshot& snapshot : *before)
    if (absl::Status same = snapshot.CheckSameSplats(splats); !same.ok()) return same;
  const int64_t least = MemoryOf(job, tables->front()), budget = job.options.memory_budget_bytes;
  if (budget > 0 && budget < least)
    return absl::ResourceExhaustedError(absl::StrCat("--memory-budget: ", budget, " bytes are too few for ", tables->front().splats,
                                                     " splats of ", job.geometry.kv_heads, " kv_heads on ", job.threads,
                                                     " threads; the least that works is ", least));
  SparseRun run(job, *std::move(tables), *before);
  if (job.options.adapt)
    if (absl::Status adapts = run.Adapt(splats); !adapts.ok()) return adapts;
  if (absl::Status done = run.Execute(report); !done.ok()) return done;
  if (job.options.save_state.empty()) return absl::OkStatus();
  return SaveSnapshot(job.options.save_state,
                      {job.plan.graph(), splats, run.States(), job.geometry.keys + TokensOf(*before), run.Adapted()});
}

}  // namespace hsa

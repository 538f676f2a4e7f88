// Scheme routed: tokens send to a state and receive from it. Not causal: all send, then all receive. Causal: chunk by chunk, the chunk's tokens receive from
// the state before it and from each other, then join the state.
#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/routed_state.h"
#include "runtime/routed_tables.h"
#include "runtime/run_state.h"
#include "runtime/tile.h"
#include "runtime/token_panels.h"

namespace hsa {
namespace {

constexpr int64_t kSendTokens = 1024;  // sent at a time: their panels stay in the second-level cache while all splats look at them
// Parts of the tokens whose states are made side by side and then merged, in order: of a length that does not depend on the threads, so outputs do not.
constexpr int64_t kPartTokens = 16384, kMostParts = 16;

class RoutedRun {
 public:
  RoutedRun(const Job& job, std::vector<RoutedTables> tables)
      : job_(job),
        g_(job.geometry),
        tables_(std::move(tables)),
        io_(job.program, g_, job.inputs, job.outputs),
        send_(job.program.Find("send")),
        settle_(job.program.Find("settle_state")),
        receive_(job.program.Find(g_.causal ? "receive_chunk" : "receive")),
        begin_(job.program.Find("begin_chunk")),
        extend_(job.program.Find("extend_state")),
        progress_(job.options.progress, static_cast<double>(g_.kv_heads * g_.keys + g_.heads * g_.queries)) {}

  absl::Status Execute(RunReport& report) {
    g_.causal ? RunPrefixes() : RunWhole();
    if (progress_.cancelled()) return absl::CancelledError("cancelled by the caller");
    const auto splats =
        static_cast<double>(std::count_if(tables_[0].weight.begin(), tables_[0].weight.end(), [](float w) { return w > kNoSplat; }));
    const double dims = static_cast<double>(g_.head_dim + g_.value_dim);
    report.flop = 2 * splats * dims * static_cast<double>(g_.kv_heads * g_.keys + g_.heads * g_.queries);
    report.bytes_read = static_cast<int64_t>(dims) * g_.kv_heads * g_.keys * DTypeBytes(job_.inputs.key.dtype) +
                        g_.head_dim * g_.heads * g_.queries * DTypeBytes(job_.inputs.query.dtype);
    if (bad_tokens_ > 0)
      report.warnings.push_back(absl::StrCat(bad_tokens_.load(), " tokens with a key or value that is not finite sent nothing"));
    return job_.outputs.rows_ready ? job_.outputs.rows_ready(0, g_.queries) : absl::OkStatus();
  }

 private:
  RoutedState EmptyState() const { return RoutedState(tables_[0].splats, g_.padded_value_dim); }

  // Every state first: of parts of a kv_head side by side, merged in order.
  void RunWhole() {
    const int64_t parts = std::clamp<int64_t>((g_.keys + kPartTokens - 1) / kPartTokens, 1, kMostParts);
    std::vector<RoutedState> states(g_.kv_heads * parts, EmptyState());
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads * parts, [&](int64_t i) {
      const int64_t part = i % parts;
      Send(i / parts, g_.keys * part / parts, g_.keys * (part + 1) / parts, states[i]);
    });
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) {
      RoutedState& state = states[kv_head * parts];
      for (int64_t part = 1; part < parts; ++part) state.Merge(states[kv_head * parts + part]);
      state.Settle(workers_.local(), settle_, tables_[kv_head]);
    }
    const int64_t tiles = (g_.queries + g_.tile - 1) / g_.tile;
    oneapi::tbb::parallel_for(int64_t{0}, g_.heads * tiles, [&](int64_t i) {
      if (progress_.cancelled()) return;
      const int64_t head = i / tiles, kv_head = head / g_.group(), first = g_.first_position() + i % tiles * g_.tile;
      Worker& worker = workers_.local();
      states[kv_head * parts].Bind(worker);
      states[kv_head * parts].BindSettled(worker);
      tables_[kv_head].BindPanels(worker);
      Receive(worker, Tile::Range(head, first, std::min(first + g_.tile, g_.keys)));
    });
  }

  void RunPrefixes() {
    oneapi::tbb::parallel_for(int64_t{0}, g_.kv_heads, [&](int64_t kv_head) {
      RoutedState state = EmptyState();
      Send(kv_head, 0, g_.first_position(), state);
      TokenPanels panels(job_.program, g_, job_.inputs);
      std::vector<float, HugePages<float>> sent(tables_[kv_head].splats * kBatchKeys);
      for (int64_t first = g_.first_position(); first < g_.keys && !progress_.cancelled();)
        first += RunChunk(kv_head, first, panels, sent.data(), state);
    });
  }

  // The chunk that starts at `first`; returns how many tokens it has.
  int64_t RunChunk(int64_t kv_head, int64_t first, TokenPanels& panels, float* sent, RoutedState& state) {
    const TraceScope scope(job_.options.trace, "chunk", "tokens");
    Worker& worker = workers_.local();
    const RoutedTables& tables = tables_[kv_head];
    const int64_t most = std::min<int64_t>(kBatchKeys, g_.keys - first);
    panels.Read(worker, kv_head, first, most);
    std::array<int32_t, 1> chunk_tokens = {};
    tables.BindRows(worker);
    state.Bind(worker);
    worker.Bind("sent", sent, {tables.splats, kBatchKeys});
    worker.Bind("chunk_tokens", chunk_tokens.data(), {1});
    worker.Call(begin_);
    const int64_t count = std::clamp<int64_t>(chunk_tokens[0], 1, most);
    bad_tokens_ += panels.Bad(count);  // the rest is read again
    state.Settle(worker, settle_, tables);
    for (int64_t head = kv_head * g_.group(); head < (kv_head + 1) * g_.group(); ++head)
      Receive(worker, Tile::Range(head, first, first + count));
    worker.Call(extend_);
    progress_.Advance(static_cast<double>(count));
    return count;
  }

  void Send(int64_t kv_head, int64_t begin, int64_t end, RoutedState& state) {
    const TraceScope scope(job_.options.trace, "send", "tokens");
    Worker& worker = workers_.local();
    TokenPanels panels(job_.program, g_, job_.inputs);
    tables_[kv_head].BindRows(worker);
    state.Bind(worker);
    for (int64_t first = begin; first < end && !progress_.cancelled(); first += kSendTokens) {
      const int64_t count = std::min(kSendTokens, end - first);
      panels.Read(worker, kv_head, first, count);
      bad_tokens_ += panels.Bad(count);
      worker.Call(send_);
      progress_.Advance(static_cast<double>(count));
    }
  }

  // The state, what is settled of it and the panels of its splats are bound.
  void Receive(Worker& worker, const Tile& tile) {
    const TraceScope scope(job_.options.trace, "receive", "tokens");
    io_.Load(worker, tile);
    worker.Call(receive_);
    io_.Store(worker, tile);
    progress_.Advance(static_cast<double>(tile.count));
  }

  const Job& job_;
  const Geometry& g_;
  const std::vector<RoutedTables> tables_;
  TileIo io_;
  Program::Stage send_, settle_, receive_, begin_, extend_;
  ProgressMeter progress_;
  std::atomic<int64_t> bad_tokens_{0};
  Workers workers_{[this] { return Worker(job_.program); }};
};

}  // namespace

absl::Status RunRouted(const Job& job, RunReport& report) {
  absl::StatusOr<std::vector<RoutedTables>> tables = BuildRoutedTables(job.plan.graph(), job.inputs.splats);
  if (!tables.ok()) return tables.status();
  return RoutedRun(job, *std::move(tables)).Execute(report);
}

}  // namespace hsa

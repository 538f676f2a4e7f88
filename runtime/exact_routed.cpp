#include "runtime/exact_routed.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/exact_splats.h"
#include "runtime/format/kept_dims.h"
#include "runtime/format/token_window.h"
#include "runtime/give_back.h"
#include "runtime/partial_row.h"
#include "runtime/routed_snapshot.h"

namespace hsa {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kTokensAtOnce = 64;  // their affinities are there at once, and found by all threads

using Sums = std::vector<PartialRow>;  // of each splat

// Of the value dimensions that its level keeps.
Sums NoSums(const format::Graph& graph) {
  Sums sums;
  for (const format::SplatLevel& level : graph.routed().levels()) {
    sums.resize(sums.size() + level.splats(), PartialRow{.acc = std::vector<double>(format::KeptDims(graph, level), 0.0)});
  }
  return sums;
}

// Columns [from, to) of the values are kept by the levels of the splats [0, splats).
struct Columns {
  size_t from = 0, to = 0, splats = 0;
};

// Fine to coarse; the last are those that every splat keeps.
std::vector<Columns> ColumnsOf(const format::Graph& graph) {
  std::vector<Columns> columns;
  size_t splats = 0;
  for (const format::SplatLevel& level : graph.routed().levels()) {
    const size_t kept = format::KeptDims(graph, level);
    if (columns.empty() || columns.back().to != kept) {
      if (!columns.empty()) columns.back().from = kept;
      columns.push_back({0, kept, 0});
    }
    columns.back().splats = splats += level.splats();
  }
  return columns;
}

int64_t Up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// What state files sent, which has been passed on along links.
Sums SumsOf(const format::Graph& graph, const std::vector<RoutedSnapshot>& states, int64_t kv_head) {
  Sums sums = NoSums(graph);
  const int64_t splats = static_cast<int64_t>(sums.size()), value_dim = graph.value_dim();
  const int64_t padded_splats = Up(splats, kSplatTile), padded_dim = Up(value_dim, kPanelKeys);
  for (const RoutedSnapshot& snapshot : states) {
    RoutedState state(padded_splats, padded_dim), scratch(padded_splats, padded_dim);
    snapshot.MergeInto(kv_head, state, scratch);
    std::vector<float> acc(value_dim);
    for (int64_t s = 0; s < splats; ++s) {
      const auto [max, sum] = state.Get(s, acc);
      if (sum > 0) sums[s].Add(max * std::log(2.0), sum, std::vector<double>(acc.begin(), acc.end()));
    }
  }
  return sums;
}

// The tokens of one kv_head, sent one after the other.
class ExactStream {
 public:
  ExactStream(const format::Graph& graph, const Inputs& inputs, const SplatTensors& splats, const std::vector<RoutedSnapshot>& states,
              int64_t kv_head)
      : causal_(graph.mask().causal()),
        inputs_(inputs),
        kv_head_(kv_head),
        before_tokens_(TokensOf(states)),
        splats_(graph, splats, kv_head),
        before_(SumsOf(graph, states, kv_head)),
        columns_(ColumnsOf(graph)),
        sums_(NoSums(graph)),
        log_affinity_(kTokensAtOnce * splats_.count()),
        values_(kTokensAtOnce * inputs.value.dim()) {
    // Before they pass it on splats hold what any of those that it goes to keeps.
    if (!graph.routed().links().empty())
      for (PartialRow& sum : sums_) sum.acc.assign(graph.value_dim(), 0);
  }

  int64_t sent() const { return sent_; }

  // From here on tokens before `begin`, no earlier than at the call before, count for nothing.
  void Forget(int64_t begin) {
    if (begin == first_) return;
    first_ = sent_ = begin;
    for (PartialRow& row : sums_) row = PartialRow{.acc = std::vector<double>(row.acc.size(), 0.0)};
  }

  // Up to kTokensAtOnce tokens more, before `end`.
  void Send(int64_t end) {
    const int64_t count = std::min(kTokensAtOnce, end - sent_), splats = splats_.count(), dv = inputs_.value.dim();
    oneapi::tbb::parallel_for(int64_t{0}, count, [&](int64_t i) {
      std::vector<double> key(inputs_.key.dim());
      const std::span<double> row = std::span(log_affinity_).subspan(i * splats, splats);
      const bool finite = LoadRow(inputs_.key, kv_head_, sent_ + i, key);
      if (LoadRow(inputs_.value, kv_head_, sent_ + i, std::span(values_).subspan(i * dv, dv)) && finite)
        splats_.LogKept(key, LengthAt(sent_ + i), row);
      else
        std::fill(row.begin(), row.end(), kNone);
    });
    oneapi::tbb::parallel_for(int64_t{0}, splats, [&](int64_t s) {
      for (int64_t i = 0; i < count; ++i) sums_[s].Add(log_affinity_[i * splats + s], 1, std::span(values_).subspan(i * dv, dv));
    });
    sent_ += count;
  }

  // The row of a query of `head` from what was sent so far.
  std::vector<double> Receive(int64_t head, int64_t query) const {
    std::vector<double> q(inputs_.query.dim()), received(splats_.count());
    if (!LoadRow(inputs_.query, head, query, q)) return std::vector<double>(inputs_.value.dim(), kNaN);
    splats_.LogKept(q, LengthAt(inputs_.key.tokens() - inputs_.query.tokens() + query), received);
    splats_.Weigh(q, received);
    PartialRow row{.acc = std::vector<double>(inputs_.value.dim(), 0.0)};
    AddTo(row, received, before_);
    for (const Columns& columns : columns_) {
      std::vector<double> kept = received;
      std::fill(kept.begin() + static_cast<int64_t>(columns.splats), kept.end(), kNone);
      PartialRow part{.acc = std::vector<double>(row.acc.size(), 0.0)};
      AddTo(part, splats_.BackAlongLinks(kept), sums_);
      for (size_t c = 0; c < part.acc.size(); ++c)
        if (c < columns.from || c >= columns.to) part.acc[c] = 0;
      row.Add(part.max, columns.from == 0 ? part.sum : 0, part.acc);
    }
    for (double& a : row.acc) a = row.sum > 0 ? a / row.sum : 0;
    return row.acc;
  }

 private:
  // How many tokens count for the one at a position.
  double LengthAt(int64_t position) const { return static_cast<double>(before_tokens_ + (causal_ ? position + 1 : inputs_.key.tokens())); }

  static void AddTo(PartialRow& row, std::span<const double> log_received, const Sums& sums) {
    for (size_t s = 0; s < sums.size(); ++s)
      if (sums[s].sum > 0) row.Add(log_received[s] + sums[s].max, sums[s].sum, sums[s].acc);
  }

  const bool causal_;
  const Inputs& inputs_;
  const int64_t kv_head_, before_tokens_;
  int64_t first_ = 0, sent_ = 0;  // tokens [first, sent) count
  const ExactSplats splats_;
  const Sums before_;
  const std::vector<Columns> columns_;
  Sums sums_;
  std::vector<double> log_affinity_, values_;  // of the tokens on their way
};

// Goes through all kv_heads, from sample to sample.
class RoutedVerification {
 public:
  RoutedVerification(const format::Graph& graph, const Inputs& inputs, const RunOptions& run, const TensorView& o,
                     const VerifyOptions& options)
      : graph_(graph),
        inputs_(inputs),
        run_(run),
        o_(o),
        options_(options),
        give_back_(inputs, outputs_),
        queries_(DrawVerified(o.tokens(), options)) {
    stats_.n = static_cast<int64_t>(queries_.size()) * o.heads();
    stats_.rows.resize(stats_.n);
  }

  absl::StatusOr<VerifyStats> Run(const SplatTensors& splats, const std::vector<RoutedSnapshot>& states) {
    const int64_t kv_heads = inputs_.key.heads(), keys = inputs_.key.tokens();
    double done = 0;  // a window goes back to what it sees
    for (int64_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
      ExactStream stream(graph_, inputs_, splats, states, kv_head);
      for (size_t sample = 0; sample < queries_.size(); ++sample) {
        const int64_t position = keys - o_.tokens() + queries_[sample], end = graph_.mask().causal() ? position + 1 : keys;
        if (run_.window_tokens) stream.Forget(TokenWindow(*run_.window_tokens).FirstSeen(position));
        while (stream.sent() < end) {
          const int64_t begin = stream.sent();
          stream.Send(end);
          give_back_.Read(inputs_.key, kv_head, begin, stream.sent());
          give_back_.Read(inputs_.value, kv_head, begin, stream.sent());
          done = std::max(done, static_cast<double>(kv_head * keys + stream.sent()) / static_cast<double>(kv_heads * keys));
          if (options_.progress && !options_.progress(done)) return absl::CancelledError("verify: cancelled");
        }
        CompareHeads(stream, kv_head, static_cast<int64_t>(sample));
      }
    }
    SetQuantiles(stats_);
    return std::move(stats_);
  }

 private:
  void CompareHeads(const ExactStream& stream, int64_t kv_head, int64_t sample) {
    const int64_t group = o_.heads() / inputs_.key.heads(), query = queries_[sample];
    oneapi::tbb::parallel_for(kv_head * group, (kv_head + 1) * group, [&](int64_t head) {
      std::vector<double> row(o_.dim());
      LoadRow(o_, head, query, row);
      stats_.rows[sample * o_.heads() + head] = {.head = head, .query = query, .rel_l2 = RelL2OfRow(stream.Receive(head, query), row)};
    });
  }

  const format::Graph& graph_;
  const Inputs& inputs_;
  const RunOptions& run_;
  const TensorView& o_;
  const VerifyOptions& options_;
  const Outputs outputs_;  // none: rows are only read
  const GiveBack give_back_;
  const std::vector<int64_t> queries_;
  VerifyStats stats_;
};

}  // namespace

absl::Status CheckVerifiesRouted(const RunOptions& options) {
  if (!options.adapt || (options.adapt->what == Adapt::kObserve && options.load_states.empty())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--verify: compares with the splats as they are given, and with --adapt they change while the run goes on; leave one of them out");
}

absl::StatusOr<VerifyStats> VerifyRouted(const format::Graph& graph, const Inputs& inputs, const RunOptions& run, const TensorView& o,
                                         const VerifyOptions& options) {
  const std::array<int64_t, 3> wanted = {inputs.query.heads(), inputs.query.tokens(), inputs.value.dim()};
  if (o.shape != wanted)
    return absl::InvalidArgumentError(
        absl::StrCat("verify: o has shape [", absl::StrJoin(o.shape, ","), "], wanted [", absl::StrJoin(wanted, ","), "]"));
  SplatTensors splats = inputs.splats;
  const absl::StatusOr<std::vector<RoutedSnapshot>> before = OpenSnapshots(run.load_states, graph, splats);
  if (!before.ok()) return before.status();
  return RoutedVerification(graph, inputs, run, o, options).Run(splats, *before);
}

}  // namespace hsa

#include "runtime/exact.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/element.h"
#include "runtime/partial_row.h"

namespace hsa {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kKeysAtOnce = 256;  // decoded to float64 once for all query heads of a group

struct Range {
  int64_t begin = 0, end = 0;
};

// The keys that the query at key position p sees: at most two ranges, ascending, disjoint.
std::vector<Range> VisibleKeys(const AttentionSpec& spec, int64_t p, int64_t keys) {
  const int64_t end = spec.causal ? std::min(keys, p + 1) : keys;
  const int64_t window = spec.sliding_window > 0 ? std::clamp<int64_t>(p - spec.sliding_window + 1, 0, end) : 0;
  const int64_t sinks = std::min(std::max<int64_t>(spec.sink_tokens, 0), window);
  std::vector<Range> ranges;
  if (sinks > 0) ranges.push_back({0, sinks});
  if (window < end) ranges.push_back({window, end});
  return ranges;
}

struct Row : PartialRow {
  std::vector<double> query;
  bool query_finite = true;
  bool finite = true;  // the query, if it saw a key, and every key and value that it saw
};

double Dot(std::span<const double> a, std::span<const double> b) {
  double dot = 0;
  for (std::size_t i = 0; i < a.size(); ++i) dot += a[i] * b[i];
  return dot;
}

// The exact rows of the query position i for all query heads that share kv_head.
std::vector<Row> ExactRows(const AttentionSpec& spec, const TensorView& query, const TensorView& key, const TensorView& value,
                           int64_t kv_head, int64_t i) {
  const int64_t group = query.heads() / key.heads();
  const auto head_dim = static_cast<std::size_t>(key.dim()), value_dim = static_cast<std::size_t>(value.dim());
  std::vector<Row> rows(static_cast<std::size_t>(group));
  for (int64_t g = 0; g < group; ++g) {
    Row& row = rows[static_cast<std::size_t>(g)];
    row.query.resize(head_dim);
    row.acc.resize(value_dim);
    row.query_finite = LoadRow(query, kv_head * group + g, i, row.query);
  }
  std::vector<double> keys(kKeysAtOnce * head_dim), values(kKeysAtOnce * value_dim);
  for (const Range& range : VisibleKeys(spec, key.tokens() - query.tokens() + i, key.tokens())) {
    for (int64_t begin = range.begin; begin < range.end; begin += kKeysAtOnce) {
      const auto count = static_cast<std::size_t>(std::min(kKeysAtOnce, range.end - begin));
      bool finite = true;
      for (std::size_t j = 0; j < count; ++j) {
        finite &= LoadRow(key, kv_head, begin + static_cast<int64_t>(j), std::span(keys).subspan(j * head_dim, head_dim));
        finite &= LoadRow(value, kv_head, begin + static_cast<int64_t>(j), std::span(values).subspan(j * value_dim, value_dim));
      }
      for (Row& row : rows) {
        row.finite &= finite && row.query_finite;
        for (std::size_t j = 0; row.finite && j < count; ++j)
          row.Add(spec.scale * Dot(row.query, std::span(keys).subspan(j * head_dim, head_dim)), 1,
                  std::span(values).subspan(j * value_dim, value_dim));
      }
    }
  }
  return rows;
}

VerifiedRow Compare(const Row& exact, std::span<const double> o, const double* lse) {
  const bool sees_a_key = exact.sum > 0 || !exact.finite;
  std::vector<double> wanted(o.size(), exact.finite ? 0 : std::numeric_limits<double>::quiet_NaN());
  for (std::size_t c = 0; exact.sum > 0 && exact.finite && c < o.size(); ++c) wanted[c] = exact.acc[c] / exact.sum;
  VerifiedRow row{.rel_l2 = RelL2OfRow(wanted, o)};
  if (lse == nullptr) return row;
  if (!exact.finite) {
    row.lse_error = std::isfinite(*lse) ? kInfinity : 0;
  } else if (!sees_a_key) {
    row.lse_error = *lse == -kInfinity ? 0 : kInfinity;
  } else {
    row.lse_error = std::isfinite(*lse) ? std::abs(*lse - (exact.max + std::log(exact.sum))) : kInfinity;
  }
  return row;
}

std::string ShapeName(const TensorView& tensor) { return absl::StrCat("[", absl::StrJoin(tensor.shape, ","), "]"); }

absl::Status CheckShapes(const TensorView& query, const TensorView& key, const TensorView& value, const TensorView& o,
                         const TensorView& lse) {
  auto disagree = [](const std::string& name, const TensorView& is, const std::string& wanted) {
    return absl::InvalidArgumentError(absl::StrCat("verify: ", name, " has shape ", ShapeName(is), ", wanted ", wanted));
  };
  if (key.heads() < 1 || query.heads() % key.heads() != 0)
    return disagree("query", query, absl::StrCat("a multiple of the key's ", key.heads(), " heads"));
  if (query.dim() != key.dim()) return disagree("query", query, absl::StrCat("the key's dim ", key.dim()));
  if (value.heads() != key.heads() || value.tokens() != key.tokens())
    return disagree("value", value, absl::StrCat("[", key.heads(), ",", key.tokens(), ",·] like the key"));
  if (o.shape != std::array{query.heads(), query.tokens(), value.dim()})
    return disagree("o", o, absl::StrCat("[", query.heads(), ",", query.tokens(), ",", value.dim(), "]"));
  if (lse.data != nullptr && lse.shape != std::array<int64_t, 3>{1, query.heads(), query.tokens()})
    return disagree("lse", lse, absl::StrCat("[1,", query.heads(), ",", query.tokens(), "]"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VerifyStats> Verify(const AttentionSpec& spec, const TensorView& query, const TensorView& key, const TensorView& value,
                                   const TensorView& o, const TensorView& lse, const VerifyOptions& options) {
  if (absl::Status shapes = CheckShapes(query, key, value, o, lse); !shapes.ok()) return shapes;
  const std::vector<int64_t> positions = DrawVerified(query.tokens(), options);
  const int64_t heads = query.heads(), kv_heads = key.heads(), group = heads / kv_heads;
  const auto tasks = static_cast<int64_t>(positions.size()) * kv_heads;

  VerifyStats stats;
  stats.n = static_cast<int64_t>(positions.size()) * heads;
  stats.rows.resize(static_cast<std::size_t>(stats.n));
  std::atomic<bool> cancelled = false;
  std::mutex progress_lock;
  int64_t done = 0;
  tbb::parallel_for(int64_t{0}, tasks, [&](int64_t task) {
    if (cancelled) return;
    const auto sample = static_cast<std::size_t>(task / kv_heads);
    const int64_t i = positions[sample], kv_head = task % kv_heads;
    const std::vector<Row> exact = ExactRows(spec, query, key, value, kv_head, i);
    std::vector<double> row(static_cast<std::size_t>(o.dim()));
    for (int64_t g = 0; g < group; ++g) {
      const int64_t head = kv_head * group + g;
      LoadRow(o, head, i, row);
      double log_sum = 0;
      if (lse.data != nullptr) log_sum = LoadElement(lse.Row(0, head) + i * DTypeBytes(lse.dtype), lse.dtype);
      VerifiedRow& result = stats.rows[sample * static_cast<std::size_t>(heads) + static_cast<std::size_t>(head)];
      result = Compare(exact[static_cast<std::size_t>(g)], row, lse.data != nullptr ? &log_sum : nullptr);
      result.head = head;
      result.query = i;
    }
    if (!options.progress) return;
    const std::lock_guard lock(progress_lock);
    if (!options.progress(static_cast<double>(++done) / static_cast<double>(tasks))) cancelled = true;
  });
  if (cancelled) return absl::CancelledError("verify: cancelled");
  SetQuantiles(stats);
  return stats;
}

}  // namespace hsa

// The true top keys: every score is known, nothing is estimated. Plain loops in float64.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <span>

#include "oneapi/tbb/parallel_for.h"
#include "runtime/element.h"
#include "runtime/exact.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

std::vector<double> LoadRow(const TensorView& tensor, int64_t head, int64_t token) {
  std::vector<double> row(tensor.dim());
  for (int64_t c = 0; c < tensor.dim(); ++c) row[c] = LoadElement(tensor.Row(head, token) + c * DTypeBytes(tensor.dtype), tensor.dtype);
  return row;
}

// Σ weight·value over the keys added so far.
struct Sum {
  std::vector<double> acc;
  double weights = 0;

  void Add(double weight, const std::byte* value, DType dtype) {
    weights += weight;
    for (double& a : acc) {
      a += weight * LoadElement(value, dtype);
      value += DTypeBytes(dtype);
    }
  }
};

struct ScoredKey {
  double score;
  int64_t key;
};

// The keys [0, visible), heaviest first. Empty when a score is not finite.
std::vector<ScoredKey> RankedKeys(const std::vector<double>& query, const TensorView& key, int64_t kv_head, int64_t visible, double scale) {
  std::vector<ScoredKey> ranked;
  for (int64_t j = 0; j < visible; ++j) {
    const std::byte* element = key.Row(kv_head, j);
    double dot = 0;
    for (double q : query) {
      dot += q * LoadElement(element, key.dtype);
      element += DTypeBytes(key.dtype);
    }
    if (!std::isfinite(dot)) return {};
    ranked.push_back({scale * dot, j});
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const ScoredKey& a, const ScoredKey& b) { return a.score != b.score ? a.score > b.score : a.key < b.key; });
  return ranked;
}

// Relative L2 of the output over the top k keys at [k − 1], for every k up to all visible ones. Empty when the exact output is not finite, or 0.
std::vector<double> ErrorsOfTopKeys(const TensorView& query, const TensorView& key, const TensorView& value, int64_t head, int64_t i,
                                    double scale) {
  const int64_t kv_head = head / (query.heads() / key.heads()), visible = key.tokens() - query.tokens() + i + 1;
  const std::vector<ScoredKey> ranked = RankedKeys(LoadRow(query, head, i), key, kv_head, visible, scale);
  if (ranked.empty()) return {};
  const auto add = [&](Sum& sum, const ScoredKey& k) {
    sum.Add(std::exp(k.score - ranked[0].score), value.Row(kv_head, k.key), value.dtype);
  };
  Sum all{std::vector<double>(value.dim())}, top = all;
  for (const ScoredKey& k : ranked) add(all, k);
  double norm = 0;
  for (double a : all.acc) norm += a / all.weights * (a / all.weights);
  if (!std::isfinite(norm) || norm == 0) return {};
  std::vector<double> errors;
  for (const ScoredKey& k : ranked) {
    add(top, k);
    double difference = 0;
    for (size_t c = 0; c < top.acc.size(); ++c) {
      const double d = top.acc[c] / top.weights - all.acc[c] / all.weights;
      difference += d * d;
    }
    errors.push_back(std::sqrt(difference / norm));
  }
  return errors;
}

// What the rows of a head, or of all, say.
struct Tally {
  Tally(size_t errors, size_t budgets, int64_t keys) : within(errors, std::vector<int64_t>(keys)), at(budgets) {}

  void Add(const std::vector<double>& row, const std::vector<double>& errors, const std::vector<int64_t>& budget_keys) {
    const auto error = [&](int64_t keys) { return keys <= static_cast<int64_t>(row.size()) ? row[keys - 1] : 0; };
    ++rows;
    for (size_t e = 0; e < errors.size(); ++e)
      for (size_t k = 0; k < within[e].size(); ++k) within[e][k] += error(static_cast<int64_t>(k) + 1) <= errors[e];
    for (size_t b = 0; b < at.size(); ++b) at[b].push_back(error(budget_keys[b]));
  }

  OracleHead Result(int64_t head, double visible) const {
    OracleHead result{.head = head, .rows = rows, .keys = {}, .shares = {}, .error = {}};
    const auto wanted = static_cast<int64_t>(std::ceil(kConfidence * static_cast<double>(rows) - 1e-9));
    for (const std::vector<int64_t>& counts : within) {
      const auto enough = std::find_if(counts.begin(), counts.end(), [&](int64_t count) { return count >= wanted; });
      result.keys.push_back(rows > 0 ? enough - counts.begin() + 1 : 0);
      result.shares.push_back(rows > 0 ? std::min(1.0, static_cast<double>(result.keys.back()) / visible) : std::nan(""));
    }
    for (const std::vector<double>& sample : at) result.error.push_back(Quantiles::Of(sample));
    return result;
  }

  int64_t rows = 0;
  std::vector<std::vector<int64_t>> within;  // [ε][keys − 1]: rows within ε
  std::vector<std::vector<double>> at;       // [budget]: errors
};

}  // namespace

std::vector<int64_t> LateQueries(const TensorView& query, const TensorView& key, int64_t count, uint64_t seed) {
  const int64_t late = std::min(query.tokens(), (key.tokens() + 3) / 4);
  std::vector<int64_t> queries = SampleWithoutReplacement(late, count, seed);
  for (int64_t& i : queries) i += query.tokens() - late;
  return queries;
}

absl::StatusOr<Oracle> MeasureOracle(const TensorView& query, const TensorView& key, const TensorView& value,
                                     const OracleOptions& options) {
  const std::vector<int64_t>& sample = options.queries;
  double visible = 0;  // of a sampled query, in the mean
  for (int64_t i : sample) visible += static_cast<double>(key.tokens() - query.tokens() + i + 1) / static_cast<double>(sample.size());
  std::vector<int64_t> budget_keys;
  for (double budget : options.budgets)
    budget_keys.push_back(budget < 1 ? std::max<int64_t>(1, std::llround(budget * visible)) : key.tokens());

  const Tally empty(options.errors.size(), options.budgets.size(), key.tokens());
  Tally all = empty;
  Oracle oracle;
  std::atomic<bool> cancelled = false;
  for (int64_t head = 0; head < query.heads(); ++head) {
    Tally own = empty;
    std::mutex lock;  // of both tallies
    tbb::parallel_for(size_t{0}, sample.size(), [&](size_t s) {
      if (cancelled) return;
      if (options.cancelled && options.cancelled()) cancelled = true;
      const std::vector<double> row = ErrorsOfTopKeys(query, key, value, head, sample[s], options.scale);
      if (row.empty()) return;
      const std::lock_guard held(lock);
      for (Tally* tally : {&own, &all}) tally->Add(row, options.errors, budget_keys);
    });
    oracle.heads.push_back(own.Result(head, visible));
  }
  if (cancelled) return absl::CancelledError("cancelled, nothing was written");
  oracle.pooled = all.Result(kPooled, visible);
  oracle.shares_by_head.assign(options.errors.size(), 0);
  for (const OracleHead& head : oracle.heads)
    for (size_t e = 0; e < head.shares.size(); ++e) oracle.shares_by_head[e] += head.shares[e] / static_cast<double>(oracle.heads.size());
  return oracle;
}

}  // namespace hsa::bench

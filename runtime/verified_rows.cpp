#include "runtime/verified_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "runtime/element.h"

namespace hsa {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool AllFinite(std::span<const double> row) {
  return std::all_of(row.begin(), row.end(), [](double x) { return std::isfinite(x); });
}

// The smallest value that at least `share` of them do not exceed.
double NearestRank(std::span<const double> sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace

std::vector<int64_t> SampleWithoutReplacement(int64_t population, int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::set<int64_t> sample;
  for (int64_t j = std::max<int64_t>(population - count, 0); j < population; ++j) {
    const auto drawn = static_cast<int64_t>(random() % (static_cast<uint64_t>(j) + 1));
    if (!sample.insert(drawn).second) sample.insert(j);
  }
  return {sample.begin(), sample.end()};
}

std::vector<int64_t> DrawVerified(int64_t queries, const VerifyOptions& options) {
  std::vector<int64_t> drawn =
      SampleWithoutReplacement(queries - static_cast<int64_t>(options.exclude.size()), options.queries, options.seed);
  auto excluded = options.exclude.begin();
  int64_t before = 0;  // excluded queries so far: the r-th of the others is r + before
  for (int64_t& query : drawn) {
    while (excluded != options.exclude.end() && *excluded <= query + before) ++excluded, ++before;
    query += before;
  }
  return drawn;
}

bool LoadRow(const TensorView& tensor, int64_t head, int64_t token, std::span<double> out) {
  const std::byte* row = tensor.Row(head, token);
  bool finite = true;
  for (double& value : out) {
    value = LoadElement(row, tensor.dtype);
    row += DTypeBytes(tensor.dtype);
    finite &= std::isfinite(value);
  }
  return finite;
}

double RelL2OfRow(std::span<const double> exact, std::span<const double> o) {
  if (!AllFinite(exact)) return AllFinite(o) ? kInfinity : 0;
  if (!AllFinite(o)) return kInfinity;
  double difference = 0, norm = 0;
  for (std::size_t c = 0; c < o.size(); ++c) {
    difference += (o[c] - exact[c]) * (o[c] - exact[c]);
    norm += exact[c] * exact[c];
  }
  if (difference == 0) return 0;
  return norm == 0 ? kInfinity : std::sqrt(difference / norm);
}

void SetQuantiles(VerifyStats& stats) {
  if (stats.rows.empty()) return;
  std::vector<double> errors;
  for (const VerifiedRow& row : stats.rows) {
    errors.push_back(row.rel_l2);
    stats.lse_max = std::max(stats.lse_max, row.lse_error);
  }
  std::sort(errors.begin(), errors.end());
  stats.median = NearestRank(errors, 0.5);
  stats.p90 = NearestRank(errors, 0.9);
  stats.p95 = NearestRank(errors, 0.95);
  stats.max = errors.back();
}

}  // namespace hsa

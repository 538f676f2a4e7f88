#include "dialect/reference/bisection.h"

#include "dialect/reference/linear_algebra.h"
#include "dialect/reference/splat_tree.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace hsa::ir::reference {

// With fewer queries than this, the metric would describe them rather than their distribution: L = I.
static constexpr int64_t kLeastQueries = 64;

// L of docs/spec.md, LLᵀ = I + D·E/tr E, E = mean of qqᵀ over the finite earlier queries of the group.
static Matrix queryFactor(const Tensor& query, int64_t kvHeads, const Layout& layout, const Unit& unit, int64_t kvHead) {
  const int64_t group = query.shape[0] / kvHeads, dim = query.shape[2], first = layout.position(0);
  const int64_t begin = layout.causal() ? std::max(first, unit.end() - layout.config().getSegmentTokens()) : first;
  const int64_t end = layout.causal() ? unit.end() : layout.keys();
  Matrix second = Matrix::zero(dim);
  int64_t count = 0;
  for (int64_t h = kvHead * group; h < (kvHead + 1) * group; ++h)
    for (int64_t p = begin; p < end; ++p) {
      const std::span<const double> q = query.row(h, p - first);
      if (!isFinite(q)) continue;
      ++count;
      for (int64_t r = 0; r < dim; ++r)
        for (int64_t c = 0; c < dim; ++c) second(r, c) += q[r] * q[c];
    }
  if (count < kLeastQueries) return Matrix::identity(dim);
  double trace = 0;
  for (int64_t d = 0; d < dim; ++d) trace += second(d, d);
  if (!(trace > 0)) return Matrix::identity(dim);
  for (double& entry : second.values) entry *= double(dim) / trace;
  for (int64_t d = 0; d < dim; ++d) second(d, d) += 1;
  return cholesky(second);
}

// Standard deviation of all entries about the mean of their column.
static double deviation(const std::vector<double>& rows, int64_t dim) {
  const int64_t count = int64_t(rows.size()) / dim;
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) {
    double mean = 0;
    for (int64_t n = 0; n < count; ++n) mean += rows[n * dim + d] / double(count);
    for (int64_t n = 0; n < count; ++n) sum += (rows[n * dim + d] - mean) * (rows[n * dim + d] - mean);
  }
  return std::sqrt(sum / double(rows.size()));
}

std::vector<double> metricOf(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, const Unit& unit,
                             int64_t kvHead, const std::vector<int64_t>& keys) {
  const int64_t dim = key.shape[2], valueDim = value.shape[2];
  const Matrix factor = queryFactor(query, key.shape[0], layout, unit, kvHead);
  std::vector<double> seen, values;
  for (int64_t j : keys) {
    const std::vector<double> x = applyTransposed(factor, key.row(kvHead, j));
    seen.insert(seen.end(), x.begin(), x.end());
    values.insert(values.end(), value.row(kvHead, j).begin(), value.row(kvHead, j).end());
  }
  const double valueDeviation = deviation(values, valueDim);
  const double alpha = valueDeviation > 0 ? 0.5 * deviation(seen, dim) / valueDeviation : 0;
  std::vector<double> metric;
  for (size_t n = 0; n < keys.size(); ++n) {
    metric.insert(metric.end(), &seen[n * dim], &seen[n * dim] + dim);
    for (int64_t c = 0; c < valueDim; ++c) metric.push_back(alpha * values[n * valueDim + c]);
  }
  return metric;
}

// Puts the rows `members` (numbers into keys) in slots[0, capacity).
static void place(std::vector<int64_t> members, const std::vector<double>& metric, const std::vector<int64_t>& keys, int64_t dim,
                  int64_t capacity, int64_t leafTokens, int64_t* slots) {
  if (capacity == leafTokens) {
    for (size_t n = 0; n < members.size(); ++n) slots[n] = keys[members[n]];
    return;
  }
  if (members.size() > 1) {
    std::vector<double> points;
    for (int64_t m : members) points.insert(points.end(), &metric[m * dim], &metric[m * dim] + dim);
    const std::vector<double> axis = principalAxis(points, dim);
    std::vector<double> projection(keys.size());
    for (int64_t m : members) projection[m] = dot(std::span(&metric[m * dim], dim), axis);
    std::sort(members.begin(), members.end(),
              [&](int64_t a, int64_t b) { return std::pair(projection[a], a) < std::pair(projection[b], b); });
  }
  const auto middle = members.begin() + (members.size() + 1) / 2;
  place({members.begin(), middle}, metric, keys, dim, capacity / 2, leafTokens, slots);
  place({middle, members.end()}, metric, keys, dim, capacity / 2, leafTokens, slots + capacity / 2);
}

std::vector<int64_t> bisect(const std::vector<double>& metric, const std::vector<int64_t>& keys, int64_t capacity, int64_t leafTokens) {
  std::vector<int64_t> slots(capacity, -1), all(keys.size());
  std::iota(all.begin(), all.end(), 0);
  const int64_t dim = keys.empty() ? 0 : int64_t(metric.size() / keys.size());
  place(std::move(all), metric, keys, dim, capacity, leafTokens, slots.data());
  return slots;
}

}  // namespace hsa::ir::reference

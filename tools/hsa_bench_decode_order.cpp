#include "tools/hsa_bench_decode_order.h"

#include <algorithm>
#include <cmath>

#include "runtime/key_order.h"

namespace hsa::bench {
namespace {

constexpr double kValueWeight = 0.5;  // α of the metric, relative to the keys' spread

// Root of the mean variance of columns [first, first + columns) about each column's mean.
double Spread(const std::vector<float>& x, int64_t width, int64_t first, int64_t columns) {
  const int64_t rows = static_cast<int64_t>(x.size()) / width;
  double variance = 0;
  for (int64_t c = first; c < first + columns; ++c) {
    double sum = 0, squares = 0;
    for (int64_t r = 0; r < rows; ++r) sum += x[r * width + c], squares += static_cast<double>(x[r * width + c]) * x[r * width + c];
    variance += squares / static_cast<double>(rows) - sum / static_cast<double>(rows) * (sum / static_cast<double>(rows));
  }
  return std::sqrt(std::max(0.0, variance / static_cast<double>(columns)));
}

std::vector<float> Identity(int64_t d) {
  std::vector<float> identity(d * d);
  for (int64_t c = 0; c < d; ++c) identity[c * d + c] = 1;
  return identity;
}

}  // namespace

std::vector<int32_t> Bisection::Slots(int64_t begin, int64_t end, int64_t known, Metric metric) {
  int64_t capacity = geometry_.leaf;
  while (capacity < end - begin) capacity *= 2;
  std::vector<int32_t> live, slots(capacity, -1);
  for (int64_t j = std::max(begin, geometry_.near_sinks); j < end; ++j)
    if (rows_.finite[j]) live.push_back(static_cast<int32_t>(j));
  if (live.empty()) return slots;

  const int64_t d = geometry_.padded_head_dim, width = d + geometry_.padded_value_dim;
  const std::vector<float> lower = metric == Metric::kOfQueries ? grams_.Metric(worker_, kv_head_, known) : Identity(d);
  std::vector<float> x(live.size() * width);  // [Lᵀk ; α v]
  for (size_t i = 0; i < live.size(); ++i) {
    float* row = &x[i * width];
    for (int64_t r = 0; r < rows_.dim; ++r)
      for (int64_t c = 0; c <= r; ++c) row[c] += lower[r * d + c] * rows_.Key(live[i])[r];
    std::copy_n(rows_.Value(live[i]), rows_.value_dim, row + d);
  }
  const double key_spread = Spread(x, width, 0, rows_.dim), value_spread = Spread(x, width, d, rows_.value_dim);
  const auto alpha = static_cast<float>(value_spread > 0 ? kValueWeight * key_spread / value_spread : 0.0);
  for (size_t i = 0; i < live.size(); ++i)
    for (int64_t c = d; c < width; ++c) x[i * width + c] *= alpha;
  KeyOrder(program_, worker_).Bisect(x, width, live, slots);
  return slots;
}

}  // namespace hsa::bench

#include "tests/end_to_end/float64.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace hsa::end_to_end {

namespace {

// Eight sums side by side: one would wait for itself.
double Dot(const float* a, const float* b, int64_t n) {
  std::array<double, 8> sums{};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int64_t lane = 0; lane < 8; ++lane) sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
  for (; i < n; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

oracle::Result Attend64(const oracle::Problem& p, std::span<const int64_t> rows) {
  const auto count = static_cast<int64_t>(rows.size());
  oracle::Result result{std::vector<double>(p.H * count * p.Dv), std::vector<double>(p.H * count)};
  std::vector<double> score(p.M);
  for (int64_t h = 0; h < p.H; ++h) {
    const float *k = p.k.data() + h * p.Hkv / p.H * p.M * p.D, *v = p.v.data() + h * p.Hkv / p.H * p.M * p.Dv;
    for (int64_t r = 0; r < count; ++r) {
      const int64_t i = rows[r];
      double max = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t j = 0; j < p.M; ++j) {
        score[j] =
            oracle::Sees(p, i, j) ? p.scale * Dot(&p.q[(h * p.N + i) * p.D], k + j * p.D, p.D) : -std::numeric_limits<double>::infinity();
        max = std::max(max, score[j]);
      }
      double* o = &result.o[(h * count + r) * p.Dv];
      for (int64_t j = 0; j < p.M; ++j) {
        if (!oracle::Sees(p, i, j)) continue;
        const double weight = std::exp(score[j] - max);
        sum += weight;
        for (int64_t d = 0; d < p.Dv; ++d) o[d] += weight * v[j * p.Dv + d];
      }
      if (sum > 0)
        for (int64_t d = 0; d < p.Dv; ++d) o[d] /= sum;
      result.lse[h * count + r] = sum > 0 ? max + std::log(sum) : -std::numeric_limits<double>::infinity();
    }
  }
  return result;
}

oracle::Result Attend64(const oracle::Problem& problem) { return Attend64(problem, EvenRows(problem.N, problem.N)); }

std::vector<int64_t> EvenRows(int64_t queries, int64_t count) {
  std::vector<int64_t> rows;
  count = std::min(queries, count);
  for (int64_t r = 0; r < count; ++r) rows.push_back(count == 1 ? queries - 1 : r * (queries - 1) / (count - 1));
  return rows;
}

}  // namespace hsa::end_to_end

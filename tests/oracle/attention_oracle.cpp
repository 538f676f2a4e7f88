#include "tests/oracle/attention_oracle.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace hsa::oracle {
namespace {

// Box-Muller on mt19937_64: std::normal_distribution differs between standard libraries.
class Normal {
 public:
  explicit Normal(uint64_t seed) : random_(seed) {}
  float operator()() {
    const double u = (static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53;
    const double w = (static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53;
    return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * w));
  }

 private:
  std::mt19937_64 random_;
};

template <typename A>
double RelativeL2(std::span<const A> a, std::span<const double> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::quiet_NaN();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

}  // namespace

Problem RandomProblem(const ProblemSpec& spec, uint64_t seed) {
  Problem p{spec.H, spec.Hkv, spec.N, spec.M, spec.D, spec.Dv, spec.mask, spec.scale, {}, {}, {}};
  if (p.scale == 0) p.scale = 1 / std::sqrt(static_cast<double>(p.D));
  Normal normal(seed);
  for (int64_t i = 0; i < p.H * p.N * p.D; ++i) p.q.push_back(normal());
  for (int64_t i = 0; i < p.Hkv * p.M * p.D; ++i) p.k.push_back(normal());
  for (int64_t i = 0; i < p.Hkv * p.M * p.Dv; ++i) p.v.push_back(normal());
  return p;
}

bool Sees(const Problem& problem, int64_t i, int64_t j) {
  const Mask& mask = problem.mask;
  const int64_t position = problem.M - problem.N + i;
  if (mask.causal && j > position) return false;
  return mask.window == 0 || j > position - mask.window || j < mask.sinks;
}

Result Attend(const Problem& p) {
  Result result;
  for (int64_t h = 0; h < p.H; ++h) {
    const int64_t kv_head = h * p.Hkv / p.H;
    for (int64_t i = 0; i < p.N; ++i) {
      // Scores of the keys that are seen, then their softmax, then its mean of the values.
      std::vector<int64_t> seen;
      std::vector<double> score;
      for (int64_t j = 0; j < p.M; ++j) {
        if (!Sees(p, i, j)) continue;
        double dot = 0;
        for (int64_t d = 0; d < p.D; ++d) dot += static_cast<double>(p.q[(h * p.N + i) * p.D + d]) * p.k[(kv_head * p.M + j) * p.D + d];
        seen.push_back(j);
        score.push_back(p.scale * dot);
      }
      double max = -std::numeric_limits<double>::infinity();
      for (double s : score) max = s > max ? s : max;
      double sum = 0;
      for (double s : score) sum += std::exp(s - max);
      for (int64_t d = 0; d < p.Dv; ++d) {
        double o = 0;
        for (std::size_t t = 0; t < seen.size(); ++t) o += std::exp(score[t] - max) / sum * p.v[(kv_head * p.M + seen[t]) * p.Dv + d];
        result.o.push_back(o);
      }
      result.lse.push_back(seen.empty() ? -std::numeric_limits<double>::infinity() : max + std::log(sum));
    }
  }
  return result;
}

double RelL2(std::span<const float> a, std::span<const double> b) { return RelativeL2(a, b); }
double RelL2(std::span<const double> a, std::span<const double> b) { return RelativeL2(a, b); }

}  // namespace hsa::oracle

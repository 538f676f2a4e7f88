#include "tests/oracle/routed_oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace hsa::oracle {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

// Uniform in (0, 1) and standard normal, the same in every standard library.
class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}
  double Uniform() { return (static_cast<double>(bits_() >> 11) + 0.5) * 0x1p-53; }
  double Normal() { return std::sqrt(-2 * std::log(Uniform())) * std::cos(2 * std::numbers::pi * Uniform()); }
  std::vector<float> Normals(int64_t count) {
    std::vector<float> numbers(count);
    for (float& x : numbers) x = static_cast<float>(Normal());
    return numbers;
  }

 private:
  std::mt19937_64 bits_;
};

bool Finite(const float* row, int64_t count) {
  return std::all_of(row, row + count, [](float x) { return std::isfinite(x); });
}

double LogSum(const std::vector<double>& logs) {
  const double max = logs.empty() ? -kInfinity : *std::max_element(logs.begin(), logs.end());
  if (max == -kInfinity) return -kInfinity;
  double sum = 0;
  for (double x : logs) sum += std::exp(x - max);
  return max + std::log(sum);
}

// Σ of splat s, row-major.
std::vector<double> Covariance(const RoutedProblem& p, int64_t g, int64_t s) {
  const int64_t S = p.splats(), D = p.spec.D, rows = p.factor_rows();
  std::vector<double> sigma(D * D, 0.0);
  for (int64_t d = 0; d < D && !p.spec.full; ++d) {
    const int64_t entries = p.variance_dim(), width = (D + entries - 1) / entries;
    sigma[d * D + d] = p.variance[(g * S + s) * entries + d / width];
  }
  const auto f = [&](int64_t row, int64_t column) { return static_cast<double>(p.factor[((g * S + s) * rows + row) * D + column]); };
  for (int64_t d = 0; d < D; ++d)
    for (int64_t e = 0; e < D; ++e)
      for (int64_t r = 0; r < rows; ++r) sigma[d * D + e] += p.spec.full ? f(d, r) * f(e, r) : f(r, d) * f(r, e);
  return sigma;
}

// Σ⁻¹ by Gauss and Jordan's elimination, the greatest entry of a column first.
std::vector<double> InverseOf(std::vector<double> a, int64_t D) {
  std::vector<double> inverse(D * D, 0.0);
  for (int64_t d = 0; d < D; ++d) inverse[d * D + d] = 1;
  for (int64_t column = 0; column < D; ++column) {
    int64_t pivot = column;
    for (int64_t row = column; row < D; ++row)
      if (std::abs(a[row * D + column]) > std::abs(a[pivot * D + column])) pivot = row;
    for (auto* m : {&a, &inverse}) std::swap_ranges(&(*m)[column * D], &(*m)[column * D] + D, &(*m)[pivot * D]);
    const double lead = a[column * D + column];
    for (auto* m : {&a, &inverse})
      for (int64_t e = 0; e < D; ++e) (*m)[column * D + e] /= lead;
    for (int64_t row = 0; row < D; ++row) {
      const double times = row == column ? 0 : a[row * D + column];
      for (auto* m : {&a, &inverse})
        for (int64_t e = 0; times != 0 && e < D; ++e) (*m)[row * D + e] -= times * (*m)[column * D + e];
    }
  }
  return inverse;
}

// The inverses of all covariances that are not diagonal: [Hkv·S, D, D].
std::vector<double> Precisions(const RoutedProblem& p) {
  std::vector<double> all;
  for (int64_t i = 0; p.factor_rows() > 0 && i < p.spec.Hkv * p.splats(); ++i)
    for (double x : InverseOf(Covariance(p, i / p.splats(), i % p.splats()), p.spec.D)) all.push_back(x);
  return all;
}

// log φ_s of one token.
double LogAffinity(const RoutedProblem& p, const std::vector<double>& precisions, int64_t g, int64_t s, const float* x) {
  const int64_t S = p.splats(), D = p.spec.D;
  double sum = 0;
  const auto apart = [&](int64_t d) { return static_cast<double>(x[d]) - p.center[(g * S + s) * D + d]; };
  if (!precisions.empty()) {
    const double* precision = &precisions[(g * S + s) * D * D];
    for (int64_t d = 0; d < D; ++d)
      for (int64_t e = 0; e < D; ++e) sum += apart(d) * precision[d * D + e] * apart(e);
    return -0.5 * sum;
  }
  const int64_t entries = p.variance_dim(), width = (D + entries - 1) / entries;
  for (int64_t d = 0; d < D; ++d) sum += apart(d) * apart(d) / p.variance[(g * S + s) * entries + d / width];
  return -0.5 * sum;
}

// Whether a token for which `length` tokens count keeps splat s: fewer than `top` of the level are nearer, and it is near enough beside the nearest.
bool Keeps(const RoutedProblem& p, int64_t g, int64_t s, const std::vector<double>& log_affinity, int64_t length) {
  const auto log_weight = [&](int64_t t) { return log_affinity[t] + (p.spec.amplitude ? p.amplitude[g * p.splats() + t] : 0); };
  int64_t nearer = 0;
  double nearest = -kInfinity;
  for (int64_t t = 0; t < p.splats(); ++t) {
    if (p.level_of(t) != p.level_of(s)) continue;
    nearer += log_weight(t) > log_weight(s) || (log_weight(t) == log_weight(s) && t < s);
    nearest = std::max(nearest, log_weight(t));
  }
  const double share = p.spec.threshold * (length > 8192 ? std::sqrt(static_cast<double>(length) / 8192) : 1);
  return nearer < p.spec.top && std::exp(log_weight(s) - nearest) >= std::min(share, 1.0);
}

// log φ of one token to all splats that it keeps, −∞ to the others.
std::vector<double> LogAffinities(const RoutedProblem& p, const std::vector<double>& precisions, int64_t g, const float* token,
                                  int64_t length) {
  std::vector<double> all(p.splats()), kept;
  for (int64_t s = 0; s < p.splats(); ++s) all[s] = LogAffinity(p, precisions, g, s, token);
  if (p.spec.top == 0) return all;
  for (int64_t s = 0; s < p.splats(); ++s) kept.push_back(Keeps(p, g, s, all, length) ? all[s] : -kInfinity);
  return kept;
}

// log ψ of one key: its affinities, passed on along the links.
std::vector<double> LogSent(const RoutedProblem& p, const std::vector<double>& precisions, int64_t g, const float* key, int64_t length) {
  const int64_t S = p.splats();
  const std::vector<double> own = LogAffinities(p, precisions, g, key, length);
  std::vector<double> sent;
  if (!p.spec.link) return own;
  for (int64_t s = 0; s < S; ++s) {
    std::vector<double> terms = {own[s]};
    for (int64_t t = 0; t < S; ++t)
      if (const double link = p.link[(g * S + s) * S + t]; link > 0) terms.push_back(own[t] + std::log(link));
    sent.push_back(LogSum(terms));
  }
  return sent;
}

// log w a φ of one query.
std::vector<double> LogReceived(const RoutedProblem& p, const std::vector<double>& precisions, int64_t g, const float* query,
                                int64_t length) {
  const int64_t S = p.splats(), L = static_cast<int64_t>(p.spec.levels.size()), D = p.spec.D;
  std::vector<double> gates(L, 0), received = LogAffinities(p, precisions, g, query, length);
  if (p.spec.gate) {
    for (int64_t l = 0; l < L; ++l) {
      gates[l] = p.gate_bias[g * L + l];
      for (int64_t d = 0; d < D; ++d) gates[l] += static_cast<double>(p.gate_weight[(g * L + l) * D + d]) * query[d];
    }
    const double total = LogSum(gates);
    for (double& gate : gates) gate -= total;
  }
  for (int64_t s = 0; s < S; ++s) {
    const int64_t level = p.level_of(s);
    received[s] += gates[level];
    if (!p.spec.weights.empty()) received[s] += std::log(p.spec.weights[level]);
    if (p.spec.amplitude) received[s] += p.amplitude[g * S + s];
  }
  return received;
}

}  // namespace

int64_t RoutedProblem::splats() const {
  int64_t sum = 0;
  for (int64_t count : spec.levels) sum += count;
  return sum;
}

int64_t RoutedProblem::level_of(int64_t splat) const {
  int64_t level = 0;
  for (int64_t end = spec.levels[0]; splat >= end; end += spec.levels[level]) ++level;
  return level;
}

RoutedProblem RandomRouted(const RoutedSpec& spec, uint64_t seed) {
  RoutedProblem p{.spec = spec,
                  .q = {},
                  .k = {},
                  .v = {},
                  .center = {},
                  .variance = {},
                  .amplitude = {},
                  .link = {},
                  .gate_weight = {},
                  .gate_bias = {},
                  .factor = {}};
  Random random(seed);
  const int64_t S = p.splats(), L = static_cast<int64_t>(spec.levels.size());
  p.q = random.Normals(spec.H * spec.N * spec.D);
  p.k = random.Normals(spec.Hkv * spec.M * spec.D);
  p.v = random.Normals(spec.Hkv * spec.M * spec.Dv);
  p.center = random.Normals(spec.Hkv * S * spec.D);
  for (int64_t i = 0; i < spec.Hkv * S * p.variance_dim(); ++i) {
    const double base = spec.width * static_cast<double>(spec.D) * std::exp2(p.level_of(i / p.variance_dim() % S));
    p.variance.push_back(static_cast<float>(base * (0.5 + random.Uniform())));
  }
  if (spec.amplitude) p.amplitude = random.Normals(spec.Hkv * S);
  if (spec.link)
    for (int64_t i = 0; i < spec.Hkv * S * S; ++i) {
      const int64_t apart = p.level_of(i / S % S) - p.level_of(i % S);
      p.link.push_back(std::abs(apart) == 1 && random.Uniform() < 0.5 ? static_cast<float>(random.Uniform()) : 0.0f);
    }
  // Low rank: rows as long as three to five widths. Full: a diagonal as a variance's root, and as much beside it.
  for (int64_t i = 0; i < spec.Hkv * S * p.factor_rows() * spec.D; ++i) {
    const int64_t splat = i / spec.D / p.factor_rows() % S, row = i / spec.D % p.factor_rows(), d = i % spec.D;
    const double width = std::sqrt(spec.width * static_cast<double>(spec.D) * std::exp2(p.level_of(splat)));
    const double beside = random.Normal() / std::sqrt(static_cast<double>(spec.D));
    if (!spec.full)
      p.factor.push_back(static_cast<float>(4 * width * beside));
    else
      p.factor.push_back(static_cast<float>(d > row ? 0 : width * (d == row ? 0.75 + 0.5 * random.Uniform() : beside)));
  }
  if (spec.gate) p.gate_weight = random.Normals(spec.Hkv * L * spec.D), p.gate_bias = random.Normals(spec.Hkv * L);
  return p;
}

std::vector<double> AttendRouted(const RoutedProblem& p) {
  const RoutedSpec& spec = p.spec;
  const int64_t S = p.splats();
  const std::vector<double> precisions = Precisions(p);
  std::vector<double> output;
  for (int64_t h = 0; h < spec.H; ++h) {
    const int64_t g = h * spec.Hkv / spec.H;
    std::vector<std::vector<double>> sent(spec.M);  // empty: sends nothing
    for (int64_t j = 0; j < spec.M; ++j) {
      const float* key = &p.k[(g * spec.M + j) * spec.D];
      if (Finite(key, spec.D) && Finite(&p.v[(g * spec.M + j) * spec.Dv], spec.Dv))
        sent[j] = LogSent(p, precisions, g, key, spec.causal ? j + 1 : spec.M);
    }
    for (int64_t i = 0; i < spec.N; ++i) {
      const float* query = &p.q[(h * spec.N + i) * spec.D];
      const int64_t end = spec.causal ? spec.M - spec.N + i + 1 : spec.M;
      const bool finite = Finite(query, spec.D);
      const std::vector<double> received = finite ? LogReceived(p, precisions, g, query, end) : std::vector<double>();
      std::vector<double> log_kernel;
      std::vector<std::vector<double>> log_parts;  // of each of them, of each level
      std::vector<int64_t> seen;
      for (int64_t j = 0; j < end && finite; ++j) {
        if (sent[j].empty() || (spec.window > 0 && j < (end - 1) / (spec.window / 8) * (spec.window / 8) - spec.window)) continue;
        std::vector<double> terms(S);
        for (int64_t s = 0; s < S; ++s) terms[s] = received[s] + sent[j][s];
        log_kernel.push_back(LogSum(terms));
        log_parts.emplace_back();
        for (auto term = terms.begin(); const int64_t splats : spec.levels) {
          log_parts.back().push_back(LogSum({term, term + splats}));
          term += splats;
        }
        seen.push_back(j);
      }
      const double total = LogSum(log_kernel);
      for (int64_t c = 0; c < spec.Dv; ++c) {
        double o = finite ? 0 : kNaN;  // also where it meets nobody
        for (size_t t = 0; t < seen.size() && total > -kInfinity; ++t)
          for (size_t l = 0; l < spec.levels.size(); ++l)
            if (spec.value_dims.empty() || c < spec.value_dims[l])
              o += std::exp(log_parts[t][l] - total) * p.v[(g * spec.M + seen[t]) * spec.Dv + c];
        output.push_back(o);
      }
    }
  }
  return output;
}

}  // namespace hsa::oracle

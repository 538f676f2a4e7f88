// Counting misses: how many a sample may have (split conformal prediction), and when a count speaks against a confidence (binomial test).
#pragma once

#include <cmath>
#include <cstdint>

namespace hsa {

// Of n calibration queries, how many may have an error above ε so that a further query's is at most ε with probability ≥ confidence:
// n − ⌈(n+1)·confidence⌉, negative when n is too small to say so (Vovk, Gammerman, Shafer 2005, ch. 2; docs/spec.md, "Calibration").
inline int64_t AllowedMisses(int64_t n, double confidence) {
  return n - static_cast<int64_t>(std::ceil(static_cast<double>(n + 1) * confidence - 1e-9));
}

// The smallest n with AllowedMisses(n) ≥ 0.
inline int64_t LeastSample(double confidence) { return static_cast<int64_t>(std::ceil(confidence / (1 - confidence) - 1e-9)); }

// Whether `misses` or more of n would come with a probability below `level` if each missed with probability `rate`.
inline bool BinomialRejects(int64_t n, int64_t misses, double rate, double level) {
  double tail = 0;
  for (int64_t k = misses; k <= n; ++k) {
    const double log_choose = std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0);
    const double term = std::exp(log_choose + static_cast<double>(k) * std::log(rate) + static_cast<double>(n - k) * std::log1p(-rate));
    tail += term;
    if (tail >= level) return false;
    if (static_cast<double>(k) > rate * static_cast<double>(n) && term < level * 1e-9) break;  // the rest is less
  }
  return misses > 0;
}

}  // namespace hsa

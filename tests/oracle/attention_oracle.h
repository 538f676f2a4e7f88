// Exact attention in float64, as docs/spec.md says it, in the simplest loops. What judges a kernel shares no code with it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hsa::oracle {

struct Mask {
  bool causal = false;
  int64_t window = 0;  // sliding window in tokens, 0 for none
  int64_t sinks = 0;   // prefix that the window keeps visible
};

// The shapes of a problem and its mask; scale 0 stands for 1/√D.
struct ProblemSpec {
  int64_t H = 1, Hkv = 1, N = 1, M = 1, D = 64, Dv = 64;
  Mask mask = {};
  double scale = 0;
};

// q [H,N,D], k [Hkv,M,D], v [Hkv,M,Dv], contiguous.
struct Problem {
  int64_t H = 1, Hkv = 1, N = 1, M = 1, D = 64, Dv = 64;
  Mask mask = {};
  double scale = 1;
  std::vector<float> q, k, v;
};

// o [H,N,Dv], lse [H,N].
struct Result {
  std::vector<double> o, lse;
};

// Entries are standard normal, the same on every machine for a seed.
Problem RandomProblem(const ProblemSpec& spec, uint64_t seed);

// Does the query i see the key j?
bool Sees(const Problem& problem, int64_t i, int64_t j);

Result Attend(const Problem& problem);

// ‖a − b‖ / ‖b‖ over all entries; 0 when both are zero or empty, infinite when only b is. A NaN on either side makes it NaN.
double RelL2(std::span<const float> a, std::span<const double> b);
double RelL2(std::span<const double> a, std::span<const double> b);

}  // namespace hsa::oracle

// The scheme routed in float64, as docs/spec.md says it: the kernel κ of every pair of tokens, and no state. What judges a kernel shares no code with it.
#pragma once

#include <cstdint>
#include <vector>

namespace hsa::oracle {

struct RoutedSpec {
  int64_t H = 1, Hkv = 1, N = 1, M = 1, D = 64, Dv = 64;
  std::vector<int64_t> levels = {8};     // splats of each, fine to coarse
  std::vector<double> weights = {};      // of levels; empty: 1
  std::vector<int64_t> value_dims = {};  // that levels keep of the values; empty: all
  bool isotropic = false, amplitude = false, link = false, gate = false, causal = false;
  int64_t bands = 0;     // entries of a variance; 0: one, or D
  int64_t rank = 0;      // rows of the factor of each splat: Σ = diag(variance) + Σ_r f_r f_rᵀ
  bool full = false;     // Σ = L Lᵀ, and no variance
  int64_t top = 0;       // splats of a level that a token keeps; 0: all
  double threshold = 0;  // and of those the ones above this share of the greatest, where a token counts no more than 8,192 tokens
  int64_t window = 0;    // W: position p sees W/8·⌊8p/W⌋ − W and what is behind it alone; 0: all up to p
  double width = 1;  // of splats: variances are about width · D · 2^level, so that tokens see many of them; small: tokens see hardly any
};

// q [H,N,D], k [Hkv,M,D], v [Hkv,M,Dv], center [Hkv,S,D], variance [Hkv,S,D] or [Hkv,S,1], amplitude [Hkv,S,1], link [Hkv,S,S], gate weight [Hkv,L,D]
// and bias [Hkv,L,1]; what the spec leaves out is empty.
struct RoutedProblem {
  RoutedSpec spec;
  std::vector<float> q, k, v, center, variance, amplitude, link, gate_weight, gate_bias;
  std::vector<float> factor;  // [Hkv,S·rank,D], or, full, [Hkv,S·D,D]: L, row by row

  int64_t splats() const;
  int64_t level_of(int64_t splat) const;
  int64_t variance_dim() const { return spec.full ? 0 : spec.isotropic ? 1 : spec.bands > 0 ? spec.bands : spec.D; }
  int64_t factor_rows() const { return spec.full ? spec.D : spec.rank; }
};

// Tokens and centers are standard normal, the same on every machine for a seed. Links lead between neighbouring levels, half of them 0.
RoutedProblem RandomRouted(const RoutedSpec& spec, uint64_t seed);

// o [H,N,Dv]. Tokens that are not finite send nothing; queries that are not finite have rows of NaN.
std::vector<double> AttendRouted(const RoutedProblem& problem);

}  // namespace hsa::oracle

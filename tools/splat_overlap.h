// Which levels' splats share their tokens, as far as a state file can say: it has splats, and no tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/describe_state.h"

namespace hsa {

inline constexpr int64_t kOverlapSplats = 64;  // of a level that are looked at: those that were sent most

// shared[a][b] = Σ_s z_s e^{H_s} / Σ_s z_s over the kOverlapSplats splats s of level a that were sent most: by how many splats of level b the tokens of one of
// level a are shared, between 1 and all of b; 0 of and for a level that was sent nothing. H_s = −Σ_t p_st log p_st,
// p_st = a_t E φ_t(x) / Σ_t' a_t' E φ_t'(x) over the splats t of level b that were sent something, x normal with the mean of s and the covariance
// C_s = Σ_s / max(1, D/4) of its tokens (docs/spec.md, "Adaptation"):
//   E φ_t(x) = Π_d (Σ_td / (Σ_td + C_sd))^½ exp(−½ (μ_td − μ_sd)² / (Σ_td + C_sd))
// Empty where covariances are neither isotropic nor diagonal.
std::vector<std::vector<double>> SharedSplats(const StateDescription& description, int64_t kv_head);

}  // namespace hsa

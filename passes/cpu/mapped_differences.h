// Affinities where a covariance is not diagonal: log2 φ = -|B z|², z_d = r_d x_d - r_d μ_d, with a matrix B for each splat (docs/spec.md, "Covariances").
// Of low rank, B = 1 - Σ_r b_r b_rᵀ with factorRows rows b_r; whole, the rows of B themselves, lower triangular. Nothing of it is a difference of squares.
#pragma once

#include "passes/cpu/affinity_batch.h"

namespace hsa::ir {

// As callAffinityOfSplats and callAffinityOfQueries of splats with a factor, [64,R,D] and [4,R,D,16].
void callMappedAffinityOfSplats(KernelEmitter& e, const SplatFactors& splats, const TokenBatch& tokens, Value scores);
void callMappedAffinityOfQueries(KernelEmitter& e, Value query, const SplatFactors& splats, Value bias, Value scores);

}  // namespace hsa::ir

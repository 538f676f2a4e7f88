// Affinities of 64 tokens and 64 splats, and the weights that they become where tokens receive: private functions of the variant that the stages of
// scheme routed share. Affinities are in log2 units: log2 φ = -Σ_d (r_d x_d - r_d μ_d)², r = (½ log2 e / Σ)^½ (docs/spec.md, "Routed").
#pragma once

#include "kernels/affinity.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

static_assert(kSplatTile == kBatchKeys && kNothingSent == kNoMax);  // splats take the place of queries and of keys

// scores[s, 16p + lane] = log2 φ_s(token) + bias[p, lane]; scale, shift [64,D] of the splats, panels [4,D,16] and bias [4,16] of the tokens.
void callAffinityOfSplats(KernelEmitter& e, Value scale, Value shift, Value panels, Value bias, Value scores);

// scores[r, 16p + lane] = log2 φ_s(query r) + bias[16p + lane]; query [64,D], scale, shift [4,D,16] and bias [64] of the splats.
void callAffinityOfQueries(KernelEmitter& e, Value query, Value scale, Value shift, Value bias, Value scores);

// Online weights of a row of receivers: scores [64,64] become w = 2^(score - max), sum += w · mass; sums under an old max, and those of `pairs` [64,64] when
// it is given, are rescaled where it grows.
void callReceiveWeights(KernelEmitter& e, Value scores, Value mass, const TileState& rows, Value pairs);

}  // namespace hsa::ir

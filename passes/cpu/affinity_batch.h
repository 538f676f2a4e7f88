// Affinities of 64 tokens and 64 splats, and the weights that they become where tokens receive: private functions of the variant that the stages of
// scheme routed share. Affinities are in log2 units: log2 φ = -Σ_d (r_d x_d - r_d μ_d)², r = (½ log2 e / Σ)^½ (docs/spec.md, "Routed").
#pragma once

#include "kernels/affinity.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

static_assert(kSplatTile == kBatchKeys && kNothingSent == kNoMax);  // splats take the place of queries and of keys

// Splats of a tile as factors: scale r and shift -r μ. Where they are isotropic and tokens and centers relative to c (emit_center.cpp), also those of the product
// log2 φ = product · x + terms[0] |x|² + terms[1], product = 2r²μ, terms = -r², -r²|μ|²: one multiply-add a dimension instead of two, for tokens whose squared
// norm is within `limit`; the differences of other tokens are squared. Which of the two a token takes depends on nothing but itself and the tile.
struct SplatFactors {
  Value scale, shift;
  Value product = {}, terms = {}, limit = {};  // limit: [1], of all splats one for each tile
  Value factor = {};                           // [64,R,D] or [4,R,D,16] where covariances are not diagonal (mapped_differences.h)
};

// Of the tile that starts at `splat`, from those of all splats in rows ([S,D]) or in panels ([S/16,D,16]).
SplatFactors rowsOfTile(KernelEmitter& e, const SplatFactors& all, Value splat);
SplatFactors panelsOfTile(KernelEmitter& e, const SplatFactors& all, Value splat);

// Tokens in panels [4,D,16] with their bias [4,16] and, of isotropic splats, squared norms [4,16].
struct TokenBatch {
  Value panels, bias, norm = {};
};

// scores[s, 16p + lane] = log2 φ_s(token) + bias[p, lane]; scale, shift, product [64,D], terms [64,2].
void callAffinityOfSplats(KernelEmitter& e, const SplatFactors& splats, const TokenBatch& tokens, Value scores);

// scores[r, 16p + lane] = log2 φ_s(query r) + bias[16p + lane]; query [64,D] with squared norms [64]; scale, shift, product [4,D,16], terms [4,2,16].
void callAffinityOfQueries(KernelEmitter& e, Value query, Value norm, const SplatFactors& splats, Value bias, Value scores);

// Online weights of a row of receivers: scores [64,64] become w = 2^(score - max), sum += w · mass; sums under an old max, and those of `pairs` [64,64] when
// it is given, are rescaled where it grows.
void callReceiveWeights(KernelEmitter& e, Value scores, Value mass, const TileState& rows, Value pairs);

}  // namespace hsa::ir

// Products of a tile of queries on AMX: registers of 16x16 sums in f32, and of 16 rows of 16 pairs of bf16. What works on them is a function of its own:
// behind every call that a function makes, LLVM loads the configuration of the tiles again.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

inline constexpr const char* kAmxFeatures = "amx-tile,amx-bf16";

// scores[row + r, j] = Σ_d query[first + r, d] key[j, d] for R = pairRows rows and the `count` keys from `panel` on. Each of `keys`, pair_k [P,D32/2,32],
// adds its product: a number may be the sum of several of bf16.
void emitTileScores(KernelEmitter& e, Value query, Value first, llvm::ArrayRef<Value> keys, Value panel, int64_t count, Value scores,
                    Value row);

// acc[first + r, c] += Σ_j weights[row + r, j] value[j, c] for R rows and the `count` keys from `pairPanel` on; values are pair_v [P/2,Dv,32].
void emitTileValues(KernelEmitter& e, Value weights, Value row, Value values, Value pairPanel, int64_t count, Value acc, Value first);

}  // namespace hsa::ir

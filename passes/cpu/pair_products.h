// Products of a tile of queries in pairs of bf16, summed in f32: by AMX tiles or by dot products of vectors, whichever the variant's processor has.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// Rows of queries, of weights, and of what they are multiplied with. R = pairRows.
struct PairScores {
  Value query, first;                // [TQ,D32] in pairs, from row `first` on
  llvm::SmallVector<Value, 2> keys;  // pair_k [P,D32/2,32] each; a number may be the sum of several of bf16
  Value panel;                       // first of the panels that are met
  Value count;                       // keys of them, a multiple of 16
  Value scores, row;                 // f32, from row `row` on
};
struct PairValues {
  Value weights, row;       // bf16 in pairs, from row `row` on
  Value values, pairPanel;  // pair_v [P/2,Dv,32], from pair of panels `pairPanel` on
  int64_t count;            // keys of them
  Value acc, first;         // [TQ,Dv] f32, from row `first` on
};

// scores[row + r, j] = Σ_d query[first + r, d] Σ key[j, d] for the R rows, or those of them that are live, and `count` keys, or up to 16 more.
void emitPairScores(KernelEmitter& e, const PairScores& product);

// acc[first + r, c] += Σ_j weights[row + r, j] value[j, c] for the same rows.
void emitPairValues(KernelEmitter& e, const PairValues& product);

// Calls the private function `name`, as KernelEmitter::call does, which multiplies pairs: it has the features that it wants of a processor. Arguments keep their
// types, but for the sizes of the leading dimensions [firstOpen, endOpen), which callers may differ in. Such a function calls no other: LLVM loads the configuration
// of the tiles again behind every call.
void callPairs(KernelEmitter& e, llvm::StringRef name, ValueRange arguments, llvm::function_ref<void(KernelEmitter&, ValueRange)> body,
               int64_t firstOpen = 0, int64_t endOpen = 0);

}  // namespace hsa::ir

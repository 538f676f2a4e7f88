// Rows of queries against keys in pairs of bf16.
#pragma once

#include "passes/cpu/attend_batch.h"

namespace hsa::ir {

// What is read behind W keys, in lines of 64 bytes [?,64]: each row of queries that meets some of them asks for its share, so that no two come in a burst.
struct Coming {
  Value keys, values;
  Value
      lines;  // [2 + 2L] i32: lines of keys and of values that a row asks for, 0 where nothing is known to come; the first line of keys of L leaves, and of values
};
// Rows of a leaf's share: a tile meets W keys in steps of K.
int64_t comingRows(const KernelParams& params);

// Scratch and state of a tile of queries, and the keys that it meets. R = pairRows, K = pairKeys, W = pairWeights.
struct PairBatch {
  Value query;                  // [TQ,D32] bf16 in pairs
  Value keys, values;           // pair_k [P,D32/2,32], pair_v [P/2,Dv,32]
  Value positions, bad, range;  // [P,16], [P], [2] i32
  Visible visible;              // [TQ] each
  TileState state;              // as everywhere
  Value scores, weights;        // [R,K] f32, [R,W] bf16 in pairs
  Coming coming;
};

// state ∪= the visible keys of the panels of `range`, but for K keys with a bad panel, which are left out. In three phases for every R rows, so that scores and
// weights stay in the first-level cache: products with K keys and online softmax, until there are W weights, then products of the weights, in bf16, with the values.
// K weights at a time do where some key is hidden or bad, or where fewer than W are left.
void callAttendPairBatches(KernelEmitter& e, const PairBatch& batch);

// Whether one of the panels [panel, panel + count) is bad.
Value emitAnyBad(KernelEmitter& e, Value bad, Value panel, int64_t count);

}  // namespace hsa::ir

// One tile of queries against one batch of 64 keys: the inner work of every stage that attends, as private functions of the variant.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// The running partial result of a tile, in log2 units: max [TQ], sum [TQ,16] as partial sums, acc [TQ,Dv].
// A row's max starts at kNoMax and is raised only when a score exceeds it by more than kLazyRescale, so weights stay below 2^8.
struct TileState {
  Value max, sum, acc;
};
inline constexpr double kNoMax = -1e30;
inline constexpr double kLazyRescale = 8.0;

// scores[r, 16p + lane] = Σ_d rows[r, d] panels[p, d, lane];  rows [TQ,depth], panels [4,depth,16], scores [TQ,64].
void callScoreBatch(KernelEmitter& e, Value rows, Value panels, Value scores, int64_t depth);

// Online softmax of products [TQ,64] in place: they become weights 2^(σ log2 e · product - max); state is rescaled where max grows.
void callSoftmaxBatch(KernelEmitter& e, Value scores, const TileState& state);

// acc[r, c] += Σ_j weights[r, j] values[j / 16, j % 16, c];  values [4,16,Dv].
void callValueBatch(KernelEmitter& e, Value weights, Value values, Value acc);

// The same of columns [from, to) alone.
void callValueColumns(KernelEmitter& e, Value weights, Value values, Value acc, int64_t from, int64_t to);

// pairs[r, j] += Σ_s weights[r, s] sent[s, j];  weights, sent and pairs [64,64].
void callPairBatch(KernelEmitter& e, Value weights, Value sent, Value pairs);

// Raises a row's max to `peak`, a scalar as `oldMax`, and scales what was summed under the old one.
void emitRescaleRow(KernelEmitter& e, Value row, Value oldMax, Value peak, const TileState& state);

// Whether the query with bounds (lo, hi) sees these positions: lo ≤ position ≤ hi, or the sink prefix below hi. Scalars or vectors alike.
Value emitSees(KernelEmitter& e, Value position, Value lo, Value hi, Value sinks);

// Least and greatest of some vectors of i32.
struct Bounds {
  Value least, most;
};
Bounds emitBounds(KernelEmitter& e, llvm::ArrayRef<Value> vectors);

// Whether queries with bounds `lo` and `hi` see any of the positions, and whether some of them does not see them all.
struct Sight {
  Value some, masked;
};
Sight emitSight(KernelEmitter& e, const Bounds& position, const Bounds& lo, const Bounds& hi);

// Keys of one batch with their positions [4,16], for queries that see positions lo[r] ≤ position ≤ hi[r] or the sink prefix below hi[r].
struct KeyBatch {
  Value keys, values, positions;
  Value bad;  // [4] i32, not 0 where a panel has a non-finite value; null when there is none
};
struct Visible {
  Value lo, hi;  // [TQ] i32
};

// What scores, however they are made, become: values, positions and bad panels of a batch.
struct MetValues {
  Value values, positions, bad;  // as of KeyBatch
};
// `score` writes the products of queries and keys; they become weights, under the mask where some query does not see the whole batch, and those meet the
// values. Nothing at all when no query sees any of it.
void meetBatch(KernelEmitter& e, const MetValues& met, const Visible& visible, const TileState& state, Value scores,
               llvm::function_ref<void()> score);

// scores → weights → values, with the mask only where some query does not see the whole batch; nothing at all when none sees any of it.
void callAttendBatch(KernelEmitter& e, Value query, const KeyBatch& batch, const Visible& visible, const TileState& state, Value scores);

// Copies one leaf into slot `slot` of a batch, widened to f32.
void gatherLeaf(KernelEmitter& e, Value leaves, Value leaf, Value batch, Value slot, int64_t rows, int64_t columns);

}  // namespace hsa::ir

// Products in register tiles: the inner loop of everything that multiplies in vectors.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// Rows of a register tile: as many as leave every sum in a register, and a divisor of 16.
int64_t productRows(KernelEmitter& e);

// sums[r · vectors + v] ← accumulate(sums[r · vectors + v], left(r, k), right(k, v)) for lo ≤ k < hi, in this order, kept in registers. hi - lo is a multiple of 4.
using Rows = llvm::function_ref<Value(int64_t row, Value k)>;
using Vectors = llvm::function_ref<Value(Value k, int64_t vector)>;
using Accumulate = llvm::function_ref<Value(Value sum, Value left, Value right)>;
llvm::SmallVector<Value> accumulateRows(KernelEmitter& e, Value lo, Value hi, int64_t vectors, llvm::SmallVector<Value> sums, Rows left,
                                        Vectors right, Accumulate accumulate);

// The same with sums[r · vectors + v] += left(r, k) · right(k, v), left being scalars.
using Scalars = llvm::function_ref<Value(int64_t row, Value k)>;
llvm::SmallVector<Value> multiplyRows(KernelEmitter& e, Value lo, Value hi, int64_t vectors, llvm::SmallVector<Value> sums, Scalars left,
                                      Vectors right);

inline constexpr int64_t kBlockVectors = 2;  // with 4 or 8 rows: 8 or 16 sums, which hide the latency of the multiply-add

// Blocks of two vectors over columns [first, width); body(column, vectors). Where 16 columns are left under a block of 32, one vector.
// `first` is a multiple of the block, width a multiple of 16.
void forEachColumnBlock(KernelEmitter& e, Value first, int64_t width, llvm::function_ref<void(Value column, int64_t vectors)> body);

// column + vector · lanes.
Value columnOf(KernelEmitter& e, Value column, int64_t vector);

// A view of the emitter whose vectors are four f32: the nodes of one group.
class GroupEmitter {
 public:
  explicit GroupEmitter(KernelEmitter& e);
  KernelEmitter* operator->() { return &emitter_; }
  KernelEmitter& operator*() { return emitter_; }

 private:
  TileShape tile_;
  KernelEmitter emitter_;
};

}  // namespace hsa::ir

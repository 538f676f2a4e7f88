// Two f32 vectors as one vector of 32-bit lanes, each a pair of bf16: `low` in the lower half of its lane, `high` in the upper one. That is the order
// in which AMX multiplies: pair by pair along the dimension that is summed over.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// The bits of a f32 vector, rounded to bf16 in their upper halves; a NaN stays one.
Value roundToNearestEven(KernelEmitter& e, Value wide);
// The same of numbers that are finite; what lies in the middle goes away from 0.
Value roundFinite(KernelEmitter& e, Value wide);

// One vector of pairs from the upper halves of the bits of two f32 vectors, stored as 32 bf16.
Value pairUp(KernelEmitter& e, Value lowBits, Value highBits);
void storePairs(KernelEmitter& e, Value pairs, Value memref, ValueRange at);

// Blocks of 32 dimensions, which are 16 pairs; where the last one has 16, it has no `upper` half.
void forEachPairBlock(KernelEmitter& e, llvm::function_ref<void(Value block, bool upper)> body);

// The two f32 vectors of the pairs that were stored.
struct Unpaired {
  Value low, high;
};
Unpaired loadPairs(KernelEmitter& e, Value memref, ValueRange at);

}  // namespace hsa::ir

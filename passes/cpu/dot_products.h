// Products of pairs of bf16 by vdpbf16ps, which adds two of them to each of 16 sums in f32: the register tile of f32, with half the steps. The operands
// stand in memory as AMX wants them.
#pragma once

#include "passes/cpu/pair_products.h"

namespace hsa::ir {

void emitDotScores(KernelEmitter& e, const PairScores& product);
void emitDotValues(KernelEmitter& e, const PairValues& product);

}  // namespace hsa::ir

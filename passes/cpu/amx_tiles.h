// Products of pairs on AMX: registers of 16x16 sums in f32, and of 16 rows of 16 pairs of bf16.
#pragma once

#include "passes/cpu/pair_products.h"

namespace hsa::ir {

void emitTileScores(KernelEmitter& e, const PairScores& product);
void emitTileValues(KernelEmitter& e, const PairValues& product);

}  // namespace hsa::ir

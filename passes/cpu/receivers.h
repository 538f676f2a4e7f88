// What queries look at splats with, in hsa.tile_receive and hsa.tile_receive_chunk alike.
#pragma once

#include "passes/cpu/affinity_batch.h"

namespace hsa::ir {

// Splats in panels, norms of the queries [TQ] where splats are isotropic; a gate [TQ,16] and the levels of the splats [S/16,16,16] where there is one.
struct Receivers {
  SplatFactors splats;
  Value norm = {}, gate = {}, levels = {};
};

// `more`: the ins of the op behind those that it always has.
Receivers receiversOf(KernelEmitter& e, Value scale, Value shift, ValueRange more);

// scores[r, c] = log2(w a φ_s(query r)) + max_s of splat s = splat + c, bias [S] being the part that all queries share.
void emitReceiverScores(KernelEmitter& e, Value query, const Receivers& receivers, Value splat, Value bias, Value scores);

}  // namespace hsa::ir

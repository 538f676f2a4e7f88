// The gate of scheme routed where queries meet splats: a private function of the variant.
#pragma once

#include "kernels/affinity.h"
#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// scores[r, 16p + lane] += Σ_ℓ gate[r, ℓ] panel[p, ℓ, lane]: the weight of the splat's level, in log2 units; panel [4,16,16] of the splats.
void callGateBatch(KernelEmitter& e, Value gate, Value panel, Value scores);

}  // namespace hsa::ir

// Lists of the splats that are nearest to a token, greatest affinity first: how a batch of affinities joins them.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// The affinities of a tile of tokens to 64 splats join the tokens' lists: scores [TQ,64], ids [64] of the splats, score and splat [TQ,W] the lists. A splat
// joins where its affinity exceeds the last of those that are kept, or equals it and its number is lower: a list does not depend on the order in which splats
// are looked at. A NaN joins nothing.
void callJoinNearest(KernelEmitter& e, Value scores, Value ids, Value score, Value splat);

}  // namespace hsa::ir

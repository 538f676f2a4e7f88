// 64 nodes picked by a worklist of groups, side by side: four panels of 16, a panel of four groups.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// What a batch is made of: groups work[first .. first + 16), of which those behind `count` hold no node. A group is four nodes; node id = 4 · group + place.
struct BatchGroups {
  Value work, first, count;
};

// The group of slot `slot` of 16: one that is there, and not `inside`, behind the end of the list.
struct BatchSlot {
  Value group, inside;
};
BatchSlot batchSlot(KernelEmitter& e, const BatchGroups& groups, Value slot);

// How many of the four panels have a group.
Value filledPanels(KernelEmitter& e, const BatchGroups& groups);

// The four slots of each of the first `panels` panels.
void forEachPanelOfNodes(KernelEmitter& e, const BatchGroups& groups, Value panels,
                         llvm::function_ref<void(Value panel, llvm::ArrayRef<BatchSlot> slots)> body);

// Lanes nodes of a panel from node `place` of it on, of an array [?, .., 4]; `row`: what stands between.
Value loadNodes(KernelEmitter& e, Value array, llvm::ArrayRef<BatchSlot> slots, int64_t place, Value row);

}  // namespace hsa::ir

#include "passes/cpu/node_groups.h"

#include <numeric>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kPanelGroups = kPanelKeys / kGroupNodes;

// Vectors of one length, the first in the lowest lanes.
Value sideBySide(KernelEmitter& e, ArrayRef<Value> vectors) {
  if (vectors.size() == 1) return vectors[0];
  const size_t half = vectors.size() / 2;
  Value low = sideBySide(e, vectors.take_front(half)), high = sideBySide(e, vectors.drop_front(half));
  SmallVector<int64_t> lanes(2 * cast<VectorType>(low.getType()).getNumElements());
  std::iota(lanes.begin(), lanes.end(), 0);
  return vector::ShuffleOp::create(e.b, low, high, lanes);
}

}  // namespace

BatchSlot batchSlot(KernelEmitter& e, const BatchGroups& groups, Value slot) {
  Value at = e.addIndex(groups.first, slot);
  Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, at, groups.count);
  return {e.toIndex(e.get(groups.work, {e.select(inside, at, groups.first)})), inside};
}

Value filledPanels(KernelEmitter& e, const BatchGroups& groups) {
  Value left = arith::SubIOp::create(e.b, groups.count, groups.first);
  Value filled = arith::DivUIOp::create(e.b, e.addIndex(left, e.index(kPanelGroups - 1)), e.index(kPanelGroups));
  return e.minIndex(filled, e.index(kBatchPanels));
}

void forEachPanelOfNodes(KernelEmitter& e, const BatchGroups& groups, Value panels, function_ref<void(Value, ArrayRef<BatchSlot>)> body) {
  e.forEach(e.index(0), panels, 1, [&](Value panel) {
    SmallVector<BatchSlot> slots;
    for (int64_t i = 0; i < kPanelGroups; ++i)
      slots.push_back(batchSlot(e, groups, e.addIndex(e.mulIndex(panel, kPanelGroups), e.index(i))));
    body(panel, slots);
  });
}

Value loadNodes(KernelEmitter& e, Value array, ArrayRef<BatchSlot> slots, int64_t place, Value row) {
  SmallVector<Value> vectors;
  for (const BatchSlot& slot : slots.slice(place / kGroupNodes, e.lanes() / kGroupNodes))
    vectors.push_back(
        vector::LoadOp::create(e.b, VectorType::get({kGroupNodes}, e.b.getF32Type()), array, ValueRange{slot.group, row, e.index(0)}));
  return sideBySide(e, vectors);
}

}  // namespace hsa::ir

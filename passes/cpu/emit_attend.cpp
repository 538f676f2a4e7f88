// Keys that are read exactly: panels in a row, and leaves picked by a worklist.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

void emitAttendPanels(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], keys = arguments[1], values = arguments[2], positions = arguments[3], bad = arguments[4],
        range = arguments[5];
  Visible visible{arguments[6], arguments[7]};
  TileState state{arguments[8], arguments[9], arguments[10]};
  Value scores = arguments[11];
  Value first = e.toIndex(e.get(range, {e.index(0)})), last = e.toIndex(e.get(range, {e.index(1)}));
  e.forEach(first, last, kBatchPanels, [&](Value panel) {
    auto batch = [&](Value memref) { return e.slice(memref, panel, kBatchPanels); };
    callAttendBatch(e, query, {batch(keys), batch(values), batch(positions), batch(bad)}, visible, state, scores);
  });
}

void emitAttendLeaves(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], keys = arguments[1], values = arguments[2], positions = arguments[3], work = arguments[4],
        counts = arguments[5];
  Visible visible{arguments[6], arguments[7]};
  TileState state{arguments[8], arguments[9], arguments[10]};
  Value scores = arguments[11], keyBatch = arguments[12], valueBatch = arguments[13], positionBatch = arguments[14];
  Value count = e.toIndex(e.get(counts, {e.index(0)}));
  e.forEach(e.index(0), count, kBatchPanels, [&](Value first) {
    e.forEach(kBatchPanels, 1, [&](Value slot) {
      // Behind the end of the list: the first leaf again, with positions that no query sees.
      Value at = e.addIndex(first, slot);
      Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, at, count);
      Value leaf = e.toIndex(e.get(work, {e.select(inside, at, first)}));
      gatherLeaf(e, keys, leaf, keyBatch, slot, e.params.paddedHeadDim, kPanelKeys);
      gatherLeaf(e, values, leaf, valueBatch, slot, kPanelKeys, e.params.paddedValueDim);
      for (int64_t key = 0; key < kPanelKeys; key += e.lanes()) {
        Value position = e.load(positions, {leaf, e.index(key)});
        Value mask = vector::BroadcastOp::create(e.b, e.vectorOf(e.b.getI1Type()), inside);
        e.store(e.select(mask, position, e.i32s(kPadPosition)), positionBatch, {slot, e.index(key)});
      }
    });
    callAttendBatch(e, query, {keyBatch, valueBatch, positionBatch, {}}, visible, state, scores);
  });
}

}  // namespace hsa::ir

// Keys and values in pairs of bf16, read exactly: on AMX tiles, and, where a value is not finite, in f32 with each value touched only by the
// queries that see its key.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/bf16_pairs.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/pair_batch.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// Panels [panel, panel + 4) as f32, as attend_batch takes them.
void emitWidenBatch(KernelEmitter& e, Value pairK, Value pairV, Value panel, Value keys, Value values) {
  e.forEach(kBatchPanels, 1, [&](Value slot) {
    forEachPairBlock(e, [&](Value block, bool upper) {
      e.forEach(kPanelKeys, 1, [&](Value row) {
        const Unpaired two = loadPairs(e, pairK, {e.addIndex(panel, slot), e.addIndex(e.mulIndex(block, kPanelKeys), row), e.index(0)});
        Value d = e.addIndex(e.mulIndex(block, kPairPanelKeys), row);
        e.store(two.low, keys, {slot, d, e.index(0)});
        if (upper) e.store(two.high, keys, {slot, e.addIndex(d, e.index(kPanelKeys)), e.index(0)});
      });
    });
  });
  Value pairPanel = arith::DivUIOp::create(e.b, panel, e.index(2));
  e.forEach(kBatchPanels / 2, 1, [&](Value pair) {
    e.forEach(e.params.paddedValueDim, kPanelKeys, [&](Value column) {
      e.forEach(kPanelKeys, 1, [&](Value key) {
        const Unpaired two = loadPairs(e, pairV, {e.addIndex(pairPanel, pair), e.addIndex(column, key), e.index(0)});
        Value slot = e.mulIndex(pair, 2);
        e.store(two.low, values, {slot, key, column});
        e.store(two.high, values, {e.addIndex(slot, e.index(1)), key, column});
      });
    });
  });
}

}  // namespace

void emitAttendPairs(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], pairQuery = arguments[1], pairK = arguments[2], pairV = arguments[3], positions = arguments[4],
        bad = arguments[5], range = arguments[6];
  Visible visible{arguments[7], arguments[8]};
  TileState state{arguments[9], arguments[10], arguments[11]};
  Value scores = arguments[12], weights = arguments[13], keyBatch = arguments[14], valueBatch = arguments[15];
  const Coming coming{e.bytes(pairK), e.bytes(pairV), arguments[17]};
  for (int64_t which : {0, 1}) e.set(e.i32(0), coming.lines, {e.index(which)});  // panels follow each other: the processor sees what comes
  callAttendPairBatches(e, {pairQuery, pairK, pairV, positions, bad, range, visible, state, scores, weights, coming});
  Value begin = e.toIndex(e.get(range, {e.index(0)})), end = e.toIndex(e.get(range, {e.index(1)}));
  const int64_t panels = e.params.pairKeys() / kPanelKeys;
  e.forEach(begin, end, panels, [&](Value first) {
    e.when(emitAnyBad(e, bad, first, panels), [&] {
      e.forEach(e.index(0), e.index(panels), kBatchPanels, [&](Value behind) {
        Value panel = e.addIndex(first, behind);
        emitWidenBatch(e, pairK, pairV, panel, keyBatch, valueBatch);
        auto batch = [&](Value memref) { return e.slice(memref, panel, kBatchPanels); };
        callAttendBatch(e, query, {keyBatch, valueBatch, batch(positions), batch(bad)}, visible, state, arguments[16]);
      });
    });
  });
}

}  // namespace hsa::ir

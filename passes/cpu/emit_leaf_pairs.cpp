// Leaves picked by a worklist, read exactly on AMX tiles: some at a time they become pairs of bf16, then the tile meets them as panels.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/bf16_pairs.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/pair_batch.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// The leaves of the index, and the panels that some of them become.
struct Leaves {
  Value keys, values, positions, work;
};
struct Gathered {
  Value keys, values, positions;
};

// A vector of a leaf as bits whose upper halves are its bf16.
Value loadBits(KernelEmitter& e, Value leaves, ValueRange at) {
  Value wide = e.widen(leaves, at);
  if (!cast<MemRefType>(leaves.getType()).getElementType().isBF16()) return roundFinite(e, wide);
  return arith::BitcastOp::create(e.b, e.vectorOf(e.b.getI32Type()), wide);
}

// Dimensions d and d + 16 of a block of 32 side by side; zeros above the last one.
void gatherKeys(KernelEmitter& e, Value leaves, Value leaf, Value slot, Value out) {
  forEachPairBlock(e, [&](Value number, bool upper) {
    e.forEach(kPanelKeys, 1, [&](Value row) {
      Value d = e.addIndex(e.mulIndex(number, kPairPanelKeys), row);
      Value low = loadBits(e, leaves, {leaf, d, e.index(0)});
      Value high = upper ? loadBits(e, leaves, {leaf, e.addIndex(d, e.index(kPanelKeys)), e.index(0)}) : e.i32s(0);
      storePairs(e, pairUp(e, low, high), out, {slot, e.addIndex(e.mulIndex(number, kPanelKeys), row), e.index(0)});
    });
  });
}

// Key r of two leaves side by side.
void gatherValues(KernelEmitter& e, Value leaves, Value lower, Value upper, Value pair, Value out) {
  e.forEach(kPanelKeys, 1, [&](Value row) {
    e.forEach(e.params.paddedValueDim, kPanelKeys, [&](Value column) {
      Value bits = pairUp(e, loadBits(e, leaves, {lower, row, column}), loadBits(e, leaves, {upper, row, column}));
      storePairs(e, bits, out, {pair, e.addIndex(column, row), e.index(0)});
    });
  });
}

// Leaves [first, first + panels) of the worklist; behind its end the first again, with positions that no query sees.
void gatherLeaves(KernelEmitter& e, const Leaves& from, Value first, Value count, Value panels, const Gathered& to) {
  auto place = [&](Value slot) {
    Value at = e.addIndex(first, slot);
    Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, at, count);
    return std::pair(inside, e.toIndex(e.get(from.work, {e.select(inside, at, first)})));
  };
  e.forEach(e.index(0), panels, 1, [&](Value slot) {
    auto [inside, leaf] = place(slot);
    gatherKeys(e, from.keys, leaf, slot, to.keys);
    Value mask = vector::BroadcastOp::create(e.b, e.vectorOf(e.b.getI1Type()), inside);
    e.store(e.select(mask, e.load(from.positions, {leaf, e.index(0)}), e.i32s(kPadPosition)), to.positions, {slot, e.index(0)});
  });
  e.forEach(e.index(0), arith::DivUIOp::create(e.b, panels, e.index(2)), 1, [&](Value pair) {
    Value slot = e.mulIndex(pair, 2);
    gatherValues(e, from.values, place(slot).second, place(e.addIndex(slot, e.index(1))).second, pair, to.values);
  });
}

// Lines of 64 bytes of a leaf.
int64_t linesOf(Value leaves) {
  auto type = cast<MemRefType>(leaves.getType());
  return type.getDimSize(1) * type.getDimSize(2) * type.getElementTypeBitWidth() / 512;
}

// The leaves from `first` on are what comes.
void announce(KernelEmitter& e, const Leaves& from, Value first, Value count, const Coming& coming) {
  const int64_t leaves = e.params.pairLeaves(), rows = comingRows(e.params);
  Value some = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, first, count);
  for (auto [which, memory] : {std::pair{0, from.keys}, {1, from.values}}) {
    const int64_t lines = linesOf(memory);
    e.set(e.select(some, e.i32(llvm::divideCeil(lines, rows)), e.i32(0)), coming.lines, {e.index(which)});
    e.forEach(e.index(0), e.minIndex(arith::SubIOp::create(e.b, e.select(some, count, first), first), e.index(leaves)), 1, [&](Value i) {
      Value leaf = e.toIndex(e.get(from.work, {e.addIndex(first, i)}));
      e.set(e.toI32(e.mulIndex(leaf, lines)), coming.lines, {e.addIndex(i, e.index(2 + which * leaves))});
    });
  }
}

}  // namespace

void emitAttendLeafPairs(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], counts = arguments[5];
  const Leaves from{arguments[1], arguments[2], arguments[3], arguments[4]};
  const Visible visible{arguments[6], arguments[7]};
  const TileState state{arguments[8], arguments[9], arguments[10]};
  const Gathered to{arguments[13], arguments[14], arguments[15]};
  Value scores = arguments[11], weights = arguments[12], bad = arguments[16], range = arguments[17];
  const Coming coming{e.bytes(from.keys), e.bytes(from.values), arguments[18]};
  const int64_t atOnce = e.params.pairLeaves(), panels = e.params.pairKeys() / kPanelKeys;
  e.forEach(atOnce, e.lanes(), [&](Value panel) { e.store(e.i32s(0), bad, {panel}); });
  e.set(e.i32(0), range, {e.index(0)});
  Value count = e.toIndex(e.get(counts, {e.index(0)}));
  e.forEach(e.index(0), count, atOnce, [&](Value first) {
    Value left = e.minIndex(arith::SubIOp::create(e.b, count, first), e.index(atOnce));
    Value rounded = e.mulIndex(arith::DivUIOp::create(e.b, e.addIndex(left, e.index(panels - 1)), e.index(panels)), panels);
    gatherLeaves(e, from, first, count, rounded, to);
    announce(e, from, e.addIndex(first, e.index(atOnce)), count, coming);
    e.set(e.toI32(rounded), range, {e.index(1)});
    callAttendPairBatches(e, {query, to.keys, to.values, to.positions, bad, range, visible, state, scores, weights, coming});
  });
}

}  // namespace hsa::ir

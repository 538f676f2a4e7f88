#include "passes/cpu/node_products.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/bf16_pairs.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/pair_products.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// A f32 vector as the sum of two bf16, as bits whose upper halves they are.
struct Split {
  Value high, low;
};
Split split(KernelEmitter& e, Value wide) {
  Type ints = e.vectorOf(e.b.getI32Type());
  Value high = arith::AndIOp::create(e.b, roundFinite(e, wide), e.i32s(~int64_t{0xffff}));
  Value rest = e.sub(wide, arith::BitcastOp::create(e.b, e.f32Vector(), high));
  return {high, arith::BitcastOp::create(e.b, ints, rest)};
}

void gatherMeans(KernelEmitter& e, const BatchGroups& groups, Value means, Value to) {
  forEachPanelOfNodes(e, groups, e.index(kBatchPanels), [&](Value panel, ArrayRef<BatchSlot> slots) {
    e.forEach(e.params.paddedHeadDim, 1, [&](Value d) {
      for (int64_t place = 0; place < kPanelKeys; place += e.lanes())
        e.store(loadNodes(e, means, slots, place, d), to, {panel, d, e.index(place)});
    });
  });
}

// Dimensions d and d + 16 of a block of 32 side by side; zeros above the last one.
void gatherMeansInPairs(KernelEmitter& e, const BatchGroups& groups, Value means, Value high, Value low) {
  forEachPanelOfNodes(e, groups, filledPanels(e, groups), [&](Value panel, ArrayRef<BatchSlot> slots) {
    forEachPairBlock(e, [&](Value number, bool upper) {
      e.forEach(kPanelKeys, 1, [&](Value row) {
        Value d = e.addIndex(e.mulIndex(number, kPairPanelKeys), row);
        const Split first = split(e, loadNodes(e, means, slots, 0, d));
        const Split second =
            upper ? split(e, loadNodes(e, means, slots, 0, e.addIndex(d, e.index(kPanelKeys)))) : Split{e.i32s(0), e.i32s(0)};
        Value to = e.addIndex(e.mulIndex(number, kPanelKeys), row);
        storePairs(e, pairUp(e, first.high, second.high), high, {panel, to, e.index(0)});
        storePairs(e, pairUp(e, first.low, second.low), low, {panel, to, e.index(0)});
      });
    });
  });
}

void roundColumns(KernelEmitter& e, Value columns, Value to) {
  e.forEach(kBatchPanels, 1, [&](Value panel) {
    forEachPairBlock(e, [&](Value number, bool upper) {
      e.forEach(kPanelKeys, 1, [&](Value row) {
        auto bits = [&](Value d) { return roundFinite(e, e.load(columns, {panel, d, e.index(0)})); };
        Value d = e.addIndex(e.mulIndex(number, kPairPanelKeys), row);
        Value second = upper ? bits(e.addIndex(d, e.index(kPanelKeys))) : e.i32s(0);
        storePairs(e, pairUp(e, bits(d), second), to, {panel, e.addIndex(e.mulIndex(number, kPanelKeys), row), e.index(0)});
      });
    });
  });
}

void gatherValues(KernelEmitter& e, const BatchGroups& groups, Value values, Value to) {
  forEachPanelOfNodes(e, groups, e.index(kBatchPanels), [&](Value panel, ArrayRef<BatchSlot> slots) {
    for (int64_t node = 0; node < kPanelKeys; ++node)
      e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) {
        e.store(e.load(values, {slots[node / kGroupNodes].group, e.index(node % kGroupNodes), c}), to, {panel, e.index(node), c});
      });
  });
}

// Node r of two panels side by side; the second half only where it has nodes.
void gatherValuesInPairs(KernelEmitter& e, const BatchGroups& groups, Value values, Value to) {
  constexpr int64_t kPanelGroups = kPanelKeys / kGroupNodes;
  Value pairs = arith::DivUIOp::create(e.b, e.addIndex(filledPanels(e, groups), e.index(1)), e.index(2));
  e.forEach(e.index(0), pairs, 1, [&](Value pair) {
    e.forEach(kPanelGroups, 1, [&](Value i) {
      Value slot = e.addIndex(e.mulIndex(pair, 2 * kPanelGroups), i);
      Value lower = batchSlot(e, groups, slot).group, upper = batchSlot(e, groups, e.addIndex(slot, e.index(kPanelGroups))).group;
      e.forEach(kGroupNodes, 1, [&](Value place) {
        Value row = e.addIndex(e.mulIndex(i, kGroupNodes), place);
        e.forEach(e.params.paddedValueDim, kPanelKeys, [&](Value c) {
          auto bits = [&](Value group) { return roundFinite(e, e.load(values, {group, place, c})); };
          storePairs(e, pairUp(e, bits(lower), bits(upper)), to, {pair, e.addIndex(c, row), e.index(0)});
        });
      });
    });
  });
}

}  // namespace

void VectorProducts::scores(const BatchGroups& groups, Value means, Value scores) {
  gatherMeans(e_, groups, means, scratch_.means);
  callScoreBatch(e_, query_, scratch_.means, scores, e_.params.paddedHeadDim);
}

void VectorProducts::tilt(Value columns, Value out) { callScoreBatch(e_, apart_, columns, out, e_.params.paddedHeadDim); }

void VectorProducts::keepWeights(Value row, int64_t node, ArrayRef<Value> weights) {
  for (auto [v, weight] : llvm::enumerate(weights))
    e_.store(weight, scratch_.weights, {row, e_.index(node + static_cast<int64_t>(v) * e_.lanes())});
}

void VectorProducts::values(const BatchGroups& groups, Value values, Value acc) {
  gatherValues(e_, groups, values, scratch_.values);
  callValueBatch(e_, scratch_.weights, scratch_.values, acc);
}

// 2^x knows nothing above 126.
Value VectorProducts::exp2(KernelEmitter& e, Value x) const { return e.exp2(e.min(e.f32s(126), x)); }

void PairProducts::scores(const BatchGroups& groups, Value means, Value scores) {
  gatherMeansInPairs(e_, groups, means, scratch_.high, scratch_.low);
  multiply(query_, {scratch_.high, scratch_.low}, met(e_, groups), scores);
}

void PairProducts::tilt(Value columns, Value out) {
  emitPairQuery(e_, {apart_, scratch_.apart});
  roundColumns(e_, columns, scratch_.high);
  multiply(scratch_.apart, {scratch_.high}, e_.index(kBatchKeys), out);
}

void PairProducts::multiply(Value rows, ArrayRef<Value> parts, Value count, Value out) {
  e_.forEach(e_.index(0), e_.liveRows(), e_.params.pairRows(),
             [&](Value first) { emitPairScores(e_, {rows, first, SmallVector<Value, 2>(parts), e_.index(0), count, out, first}); });
}

void PairProducts::keepWeights(Value row, int64_t node, ArrayRef<Value> weights) {
  storePairs(e_, pairUp(e_, roundFinite(e_, weights[0]), roundFinite(e_, weights[1])), scratch_.weights, {row, e_.index(node)});
}

void PairProducts::values(const BatchGroups& groups, Value values, Value acc) {
  gatherValuesInPairs(e_, groups, values, scratch_.values);
  auto product = [&](int64_t nodes) {
    e_.forEach(e_.index(0), e_.liveRows(), e_.params.pairRows(),
               [&](Value first) { emitPairValues(e_, {scratch_.weights, first, scratch_.values, e_.index(0), nodes, acc, first}); });
  };
  Value half = arith::CmpIOp::create(e_.b, arith::CmpIPredicate::ule, filledPanels(e_, groups), e_.index(kBatchPanels / 2));
  e_.when(half, [&] { product(kBatchKeys / 2); });
  e_.when(e_.negate(half), [&] { product(kBatchKeys); });
}

}  // namespace hsa::ir

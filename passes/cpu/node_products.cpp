#include "passes/cpu/node_products.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/bf16_pairs.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/pair_products.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

struct BlockTypes {
  MemRefType panels, valueRows, weights, acc;                // f32
  MemRefType pairRows, pairPanels, pairWeights, pairValues;  // bf16
};
BlockTypes blockTypes(KernelEmitter& e) {
  Type f32 = e.b.getF32Type(), bf16 = e.b.getBF16Type();
  const KernelParams& p = e.params;
  return {e.blockType({kBatchPanels, p.paddedHeadDim, kPanelKeys}, f32),
          e.blockType({kBatchPanels, kPanelKeys, p.paddedValueDim}, f32),
          e.blockType({p.tileQueries, kBatchKeys}, f32),
          e.blockType({p.tileQueries, p.paddedValueDim}, f32),
          e.blockType({p.tileQueries, p.pairDim()}, bf16),
          e.blockType({kBatchPanels, p.pairDim() / 2, kPairPanelKeys}, bf16),
          e.blockType({p.tileQueries, kBatchKeys}, bf16),
          e.blockType({kBatchPanels / 2, p.paddedValueDim, kPairPanelKeys}, bf16)};
}

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

void emitSplitPanels(KernelEmitter& e, Value panels, Value high, Value low) {
  e.forEach(kBatchPanels, 1, [&](Value panel) {
    forEachPairBlock(e, [&](Value number, bool upper) {
      e.forEach(kPanelKeys, 1, [&](Value row) {
        Value d = e.addIndex(e.mulIndex(number, kPairPanelKeys), row);
        const Split first = split(e, e.load(panels, {panel, d, e.index(0)}));
        const Split second =
            upper ? split(e, e.load(panels, {panel, e.addIndex(d, e.index(kPanelKeys)), e.index(0)})) : Split{e.i32s(0), e.i32s(0)};
        Value to = e.addIndex(e.mulIndex(number, kPanelKeys), row);
        storePairs(e, pairUp(e, first.high, second.high), high, {panel, to, e.index(0)});
        storePairs(e, pairUp(e, first.low, second.low), low, {panel, to, e.index(0)});
      });
    });
  });
}

void emitPairWeights(KernelEmitter& e, Value weights, Value pairs) {
  e.forEachRow([&](Value row) {
    for (int64_t node = 0; node < kBatchKeys; node += kPairPanelKeys) {
      auto bits = [&](int64_t at) { return roundFinite(e, e.load(weights, {row, e.index(at)})); };
      storePairs(e, pairUp(e, bits(node), bits(node + kPanelKeys)), pairs, {row, e.index(node)});
    }
  });
}

void emitPairValues(KernelEmitter& e, Value values, Value pairs) {
  e.forEach(kBatchPanels / 2, 1, [&](Value pair) {
    Value lower = e.mulIndex(pair, 2), upper = e.addIndex(lower, e.index(1));
    e.forEach(kPanelKeys, 1, [&](Value row) {
      e.forEach(e.params.paddedValueDim, kPanelKeys, [&](Value column) {
        auto bits = [&](Value panel) { return roundFinite(e, e.load(values, {panel, row, column})); };
        storePairs(e, pairUp(e, bits(lower), bits(upper)), pairs, {pair, e.addIndex(column, row), e.index(0)});
      });
    });
  });
}

}  // namespace

void VectorProducts::scores(Value means, Value scores) { callScoreBatch(e_, query_, means, scores, e_.params.paddedHeadDim); }

void VectorProducts::tilt(Value columns, Value out) { callScoreBatch(e_, apart_, columns, out, e_.params.paddedHeadDim); }

void VectorProducts::values(Value weights, Value values, Value acc) { callValueBatch(e_, weights, values, acc); }

void PairProducts::scores(Value means, Value scores) { multiply(query_, means, scores); }

void PairProducts::tilt(Value columns, Value out) {
  emitPairQuery(e_, {apart_, scratch_.apart});
  multiply(scratch_.apart, columns, out);
}

void PairProducts::multiply(Value rows, Value columns, Value out) {
  const BlockTypes t = blockTypes(e_);
  e_.call("split_panels", {t.panels, t.pairPanels, t.pairPanels}, {columns, scratch_.high, scratch_.low},
          [](KernelEmitter& in, ValueRange a) { emitSplitPanels(in, a[0], a[1], a[2]); });
  func::FuncOp product = e_.call("node_scores_pairs", {t.pairRows, t.pairPanels, t.pairPanels, t.weights},
                                 {rows, scratch_.high, scratch_.low, out}, [](KernelEmitter& in, ValueRange a) {
                                   in.forEach(in.index(0), in.liveRows(), in.params.pairRows(), [&](Value first) {
                                     emitPairScores(in, {a[0], first, {a[1], a[2]}, in.index(0), kBatchKeys, a[3], first});
                                   });
                                 });
  markPairs(e_, product);
}

void PairProducts::values(Value weights, Value values, Value acc) {
  const BlockTypes t = blockTypes(e_);
  e_.call("pair_node_weights", {t.weights, t.pairWeights}, {weights, scratch_.weights},
          [](KernelEmitter& in, ValueRange a) { emitPairWeights(in, a[0], a[1]); });
  e_.call("pair_node_values", {t.valueRows, t.pairValues}, {values, scratch_.values},
          [](KernelEmitter& in, ValueRange a) { emitPairValues(in, a[0], a[1]); });
  func::FuncOp product = e_.call("node_values_pairs", {t.pairWeights, t.pairValues, t.acc}, {scratch_.weights, scratch_.values, acc},
                                 [](KernelEmitter& in, ValueRange a) {
                                   in.forEach(in.index(0), in.liveRows(), in.params.pairRows(), [&](Value first) {
                                     emitPairValues(in, {a[0], first, a[1], in.index(0), kBatchKeys, a[2], first});
                                   });
                                 });
  markPairs(e_, product);
}

}  // namespace hsa::ir

#include "passes/cpu/node_batch.h"

#include <cmath>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kScalars = 4;
// log2 of a share: 2^x knows nothing above it, and its square is infinite, so that the node opens.
constexpr double kMostLogShare = 126;
// Of s²: a node that outweighs Z by 1e13 opens even if its keys are all the same, before its weight overflows.
constexpr double kLeastSpread = 1e-30;

Value loadGroup(KernelEmitter& e, Value memref, ValueRange at) {
  return vector::LoadOp::create(e.b, VectorType::get({kGroupNodes}, e.b.getF32Type()), memref, at);
}

// The constant of one node, or -inf when its id is outside the valid range or its group behind the end of the list.
Value validConstant(KernelEmitter& e, const LevelNodes& level, Value group, Value inside, int64_t place) {
  Value id = e.toI32(e.addIndex(e.mulIndex(group, kGroupNodes), e.index(place)));
  Value notBefore = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, id, e.get(level.params, {e.index(0)}));
  Value before = arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, id, e.get(level.params, {e.index(1)}));
  Value valid = arith::AndIOp::create(e.b, inside, arith::AndIOp::create(e.b, notBefore, before));
  Value constant = e.get(level.scalar, {group, e.index(kNodeConstant), e.index(place)});
  return e.select(valid, constant, e.f32(-std::numeric_limits<double>::infinity()));
}

// The second-order terms of 64 nodes, one vector of nodes at a time: rows run inside, so the nodes' numbers stay in registers. With log Z, scores become
// shares of Z.
void emitGain(KernelEmitter& e, Value queryBands, Value var, Value scalars, Value scores, Value logZ, const Residuals* residuals) {
  e.forEach(kBatchKeys, e.lanes(), [&](Value node) {
    auto scalar = [&](int64_t which) { return e.load(scalars, {e.index(which), node}); };
    Value panel = arith::DivUIOp::create(e.b, node, e.index(kPanelKeys)), place = arith::RemUIOp::create(e.b, node, e.index(kPanelKeys));
    Value constant = scalar(0), c = scalar(1), halfC2 = scalar(2);
    SmallVector<Value> variances;
    for (int64_t band = 0; band < e.params.bands; ++band) variances.push_back(e.load(var, {panel, e.index(band), place}));
    SmallVector<Value> sum = e.fold(e.index(0), e.liveRows(), 1, {e.f32s(0)}, [&](Value row, ValueRange carried) {
      Value s2 = e.f32s(kLeastSpread);
      for (int64_t band = 0; band < e.params.bands; ++band)
        s2 = e.multiplyAdd(e.spread(e.get(queryBands, {row, e.index(band)})), variances[band], s2);
      Value mass = e.add(e.load(scores, {row, node}), constant);
      if (e.params.order == 2) {
        // A root is as dear as the whole product of a node with a query, and few nodes are that wide.
        Value half = e.mul(s2, e.f32s(0.5));
        Value wide = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, half, halfC2);
        Value gain = e.rarely(e.any(wide), half, [&] { return e.select(wide, e.sub(e.mul(e.sqrt(s2), c), halfC2), half); });
        mass = e.multiplyAdd(gain, e.f32s(M_LOG2E / e.params.logScale()), mass);
      }
      if (!logZ) {
        e.store(mass, scores, {row, node});
        return SmallVector<Value>{carried[0]};
      }
      Value minusZ = e.spread(e.sub(e.f32(0), e.get(logZ, {row})));
      Value share = e.exp2(e.min(e.f32s(kMostLogShare), e.multiplyAdd(mass, e.f32s(e.params.logScale()), minusZ)));
      e.store(share, scores, {row, node});
      // What is not a number, as of a query that is none, is no reason to open.
      Value r2 = e.max(e.mul(e.mul(share, share), e.multiplyAdd(s2, s2, s2)), e.f32s(0));
      e.store(r2, residuals->each, {row, node});
      return SmallVector<Value>{e.add(carried[0], r2)};
    });
    if (residuals) e.store(sum[0], residuals->sum, {node});
  });
}

struct GainTypes {
  MemRefType bands, var, scalars, scores, rows, nodes;
};
GainTypes gainTypes(KernelEmitter& e) {
  Type f32 = e.b.getF32Type();
  const int64_t rows = e.params.tileQueries;
  return {e.blockType({rows, e.params.bands}, f32),
          e.blockType({kBatchPanels, e.params.bands, kPanelKeys}, f32),
          e.blockType({kScalars, kBatchKeys}, f32),
          e.blockType({rows, kBatchKeys}, f32),
          e.blockType({rows}, f32),
          e.blockType({kBatchKeys}, f32)};
}

}  // namespace

BatchSlot batchSlot(KernelEmitter& e, Value work, Value first, Value count, Value slot) {
  Value at = e.addIndex(first, slot);
  Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, at, count);
  Value group = e.toIndex(e.get(work, {e.select(inside, at, first)}));
  Value panel = arith::DivUIOp::create(e.b, slot, e.index(kPanelKeys / kGroupNodes));
  Value place = e.mulIndex(arith::RemUIOp::create(e.b, slot, e.index(kPanelKeys / kGroupNodes)), kGroupNodes);
  return {inside, group, panel, place};
}

void gatherNodes(KernelEmitter& e, const LevelNodes& level, Value work, Value first, Value count, const NodeBatch& batch) {
  e.forEach(kBatchGroups, 1, [&](Value slot) {
    auto [inside, group, panel, place] = batchSlot(e, work, first, count, slot);
    e.forEach(e.params.paddedHeadDim, 1, [&](Value d) {
      vector::StoreOp::create(e.b, loadGroup(e, level.mean, {group, d, e.index(0)}), batch.keys, ValueRange{panel, d, place});
    });
    e.forEach(e.params.bands, 1, [&](Value band) {
      vector::StoreOp::create(e.b, loadGroup(e, level.var, {group, band, e.index(0)}), batch.var, ValueRange{panel, band, place});
    });
    Value node = e.mulIndex(slot, kGroupNodes);
    for (int64_t i = 0; i < kGroupNodes; ++i)
      e.set(validConstant(e, level, group, inside, i), batch.scalars, {e.index(0), e.addIndex(node, e.index(i))});
    for (auto [row, which] : {std::pair{1, kNodeGainBound}, {3, kNodeTrace}})
      vector::StoreOp::create(e.b, loadGroup(e, level.scalar, {group, e.index(which), e.index(0)}), batch.scalars,
                              ValueRange{e.index(row), node});
  });
  // The constant in the units of a product, so that σ log2 e is applied once, to their sum; c and ½c².
  e.forEach(kBatchKeys, e.lanes(), [&](Value node) {
    Value c2 = e.load(batch.scalars, {e.index(1), node});
    e.store(e.sqrt(c2), batch.scalars, {e.index(1), node});
    e.store(e.mul(c2, e.f32s(0.5)), batch.scalars, {e.index(2), node});
    e.store(e.mul(e.load(batch.scalars, {e.index(0), node}), e.f32s(1 / e.params.logScale())), batch.scalars, {e.index(0), node});
  });
}

// acc[r] += (Σ_j w_rj tr_j) y_r.
void callTiltBatch(KernelEmitter& e, Value weights, const NodeBatch& batch, Value tiltRows, Value acc) {
  GainTypes t = gainTypes(e);
  MemRefType values = e.blockType({e.params.tileQueries, e.params.paddedValueDim}, e.b.getF32Type());
  e.call("tilt_batch", {t.scores, t.scalars, values, values}, {weights, batch.scalars, tiltRows, acc}, [](KernelEmitter& in, ValueRange a) {
    in.forEachRow([&](Value row) {
      Value share = in.fold(in.index(0), in.index(kBatchKeys), in.lanes(), {in.f32s(0)}, [&](Value node, ValueRange carried) {
        return SmallVector<Value>{in.multiplyAdd(in.load(a[0], {row, node}), in.load(a[1], {in.index(3), node}), carried[0])};
      })[0];
      Value total = in.spread(in.reduceAdd(share));
      in.forEach(in.params.paddedValueDim, in.lanes(),
                 [&](Value c) { in.store(in.multiplyAdd(total, in.load(a[2], {row, c}), in.load(a[3], {row, c})), a[3], {row, c}); });
    });
  });
}

void callNodeScores(KernelEmitter& e, NodeProducts& products, Value queryBands, const NodeBatch& batch, Value scores) {
  products.scores(batch.keys, scores);
  GainTypes t = gainTypes(e);
  e.call("node_gain", {t.bands, t.var, t.scalars, t.scores}, {queryBands, batch.var, batch.scalars, scores},
         [](KernelEmitter& in, ValueRange a) { emitGain(in, a[0], a[1], a[2], a[3], {}, nullptr); });
}

void callNodeShares(KernelEmitter& e, NodeProducts& products, Value queryBands, const NodeBatch& batch, Value shares, Value logZ,
                    const Residuals& residuals) {
  products.scores(batch.keys, shares);
  GainTypes t = gainTypes(e);
  e.call("node_shares", {t.bands, t.var, t.scalars, t.scores, t.rows, t.nodes, t.scores},
         {queryBands, batch.var, batch.scalars, shares, logZ, residuals.sum, residuals.each}, [](KernelEmitter& in, ValueRange a) {
           const Residuals out{a[5], a[6]};
           emitGain(in, a[0], a[1], a[2], a[3], a[4], &out);
         });
}

}  // namespace hsa::ir

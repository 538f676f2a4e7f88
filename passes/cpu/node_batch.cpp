#include "passes/cpu/node_batch.h"

#include <cmath>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kScalars = 4;
// Of s²: a node that outweighs Z by 1e13 opens even if its keys are all the same, before its weight overflows.
constexpr double kLeastSpread = 1e-30;

// The constants of a group, -inf where an id is outside the valid range or the group behind the end of the list.
Value validConstants(KernelEmitter& e, const LevelNodes& level, const BatchSlot& slot) {
  auto four = [&](Value scalar) -> Value {
    return vector::BroadcastOp::create(e.b, VectorType::get({kGroupNodes}, scalar.getType()), scalar);
  };
  Value places = arith::ConstantOp::create(e.b, e.b.getI32VectorAttr({0, 1, 2, 3}));
  Value ids = arith::AddIOp::create(e.b, four(e.toI32(e.mulIndex(slot.group, kGroupNodes))), places);
  Value notBefore = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, ids, four(e.get(level.params, {e.index(0)})));
  Value before = arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, ids, four(e.get(level.params, {e.index(1)})));
  Value valid = arith::AndIOp::create(e.b, four(slot.inside), arith::AndIOp::create(e.b, notBefore, before));
  Value constants = vector::LoadOp::create(e.b, VectorType::get({kGroupNodes}, e.b.getF32Type()), level.scalar,
                                           ValueRange{slot.group, e.index(kNodeConstant), e.index(0)});
  return e.select(valid, constants, four(e.f32(-std::numeric_limits<double>::infinity())));
}

// s² of one row and a vector of nodes, by two sums that do not wait for each other.
Value squaredSpread(KernelEmitter& e, Value queryBands, Value row, ArrayRef<Value> variances) {
  SmallVector<Value> sums = {e.f32s(kLeastSpread), e.f32s(0)};
  for (auto [band, variance] : llvm::enumerate(variances)) {
    Value& sum = sums[band % 2];
    sum = e.multiplyAdd(e.spread(e.get(queryBands, {row, e.index(static_cast<int64_t>(band))})), variance, sum);
  }
  return e.add(sums[0], sums[1]);
}

// The second-order terms of 64 nodes, one vector of nodes at a time: rows run inside, so the nodes' numbers stay in registers. With log Z, scores become
// shares of Z.
void emitGain(KernelEmitter& e, const NodeProducts& products, const BatchGroups& groups, Value queryBands, const NodeBatch& batch,
              Value scores, Value logZ, const Residuals* residuals) {
  e.forEach(e.index(0), products.met(e, groups), e.lanes(), [&](Value node) {
    auto scalar = [&](int64_t which) { return e.load(batch.scalars, {e.index(which), node}); };
    Value panel = arith::DivUIOp::create(e.b, node, e.index(kPanelKeys)), place = arith::RemUIOp::create(e.b, node, e.index(kPanelKeys));
    Value constant = scalar(0), twoC = scalar(1), c2 = scalar(2);
    SmallVector<Value> variances;
    for (int64_t band = 0; band < e.params.bands; ++band) variances.push_back(e.load(batch.var, {panel, e.index(band), place}));
    SmallVector<Value> sum = e.fold(e.index(0), e.liveRows(), 1, {e.f32s(0)}, [&](Value row, ValueRange carried) {
      Value s2 = squaredSpread(e, queryBands, row, variances);
      Value mass = e.add(e.load(scores, {row, node}), constant);
      if (e.params.order == 2) {
        // 2h. A root is as dear as the whole product of a node with a query, and few nodes are that wide.
        Value wide = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, s2, c2);
        Value gain = e.rarely(e.any(wide), s2, [&] { return e.select(wide, e.sub(e.mul(e.sqrt(s2), twoC), c2), s2); });
        mass = e.multiplyAdd(gain, e.f32s(0.5 * M_LOG2E / e.params.logScale()), mass);
      }
      if (!logZ) {
        e.store(mass, scores, {row, node});
        return SmallVector<Value>{carried[0]};
      }
      Value minusZ = arith::NegFOp::create(e.b, e.spread(e.get(logZ, {row})));
      Value share = products.exp2(e, e.multiplyAdd(mass, e.f32s(e.params.logScale()), minusZ));
      e.store(share, scores, {row, node});
      // What is not a number, as of a query that is none, is no reason to open.
      Value r2 = e.max(e.mul(e.mul(share, share), e.multiplyAdd(s2, s2, s2)), e.f32s(0));
      e.store(r2, residuals->each, {row, node});
      return SmallVector<Value>{e.add(carried[0], r2)};
    });
    if (residuals) e.store(sum[0], residuals->sum, {node});
  });
}

// Nodes from `met` on are none.
void clearBehind(KernelEmitter& e, Value met, Value scores) {
  Value none = e.f32s(-std::numeric_limits<double>::infinity());
  e.forEach(met, e.index(kBatchKeys), e.lanes(), [&](Value node) { e.forEachRow([&](Value row) { e.store(none, scores, {row, node}); }); });
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

void gatherNodes(KernelEmitter& e, const LevelNodes& level, const BatchGroups& groups, const NodeBatch& batch) {
  forEachPanelOfNodes(e, groups, e.index(kBatchPanels), [&](Value panel, ArrayRef<BatchSlot> slots) {
    Value first = e.mulIndex(panel, kPanelKeys);
    for (int64_t i = 0; i < kPanelKeys / kGroupNodes; ++i)
      vector::StoreOp::create(e.b, validConstants(e, level, slots[i]), batch.scalars,
                              ValueRange{e.index(0), e.addIndex(first, e.index(i * kGroupNodes))});
    for (int64_t place = 0; place < kPanelKeys; place += e.lanes()) {
      Value node = e.addIndex(first, e.index(place)), lane = e.index(place);
      e.forEach(e.params.bands, 1,
                [&](Value band) { e.store(loadNodes(e, level.var, slots, place, band), batch.var, {panel, band, lane}); });
      Value c2 = loadNodes(e, level.scalar, slots, place, e.index(kNodeGainBound));
      e.store(e.mul(e.sqrt(c2), e.f32s(2)), batch.scalars, {e.index(1), node});
      e.store(c2, batch.scalars, {e.index(2), node});
      e.store(loadNodes(e, level.scalar, slots, place, e.index(kNodeTrace)), batch.scalars, {e.index(3), node});
    }
  });
  // The constant in the units of a product, so that σ log2 e is applied once, to their sum.
  e.forEach(kBatchKeys, e.lanes(), [&](Value node) {
    e.store(e.mul(e.load(batch.scalars, {e.index(0), node}), e.f32s(1 / e.params.logScale())), batch.scalars, {e.index(0), node});
  });
}

void callNodeScores(KernelEmitter& e, NodeProducts& products, const LevelNodes& level, const BatchGroups& groups, Value queryBands,
                    const NodeBatch& batch, Value scores) {
  gatherNodes(e, level, groups, batch);
  products.scores(groups, level.mean, scores);
  GainTypes t = gainTypes(e);
  products.call("node_gain", {t.bands, t.var, t.scalars, t.scores}, {queryBands, batch.var, batch.scalars, scores},
                [&](KernelEmitter& in, ValueRange a) { emitGain(in, products, groups, a[0], {a[1], a[2]}, a[3], {}, nullptr); });
  clearBehind(e, products.met(e, groups), scores);
}

void callNodeShares(KernelEmitter& e, NodeProducts& products, const LevelNodes& level, const BatchGroups& groups, Value queryBands,
                    const NodeBatch& batch, Value shares, Value logZ, const Residuals& residuals) {
  gatherNodes(e, level, groups, batch);
  products.scores(groups, level.mean, shares);
  GainTypes t = gainTypes(e);
  products.call("node_shares", {t.bands, t.var, t.scalars, t.scores, t.rows, t.nodes, t.scores},
                {queryBands, batch.var, batch.scalars, shares, logZ, residuals.sum, residuals.each}, [&](KernelEmitter& in, ValueRange a) {
                  const Residuals out{a[5], a[6]};
                  emitGain(in, products, groups, a[0], {a[1], a[2]}, a[3], a[4], &out);
                });
}

}  // namespace hsa::ir

// One level for one tile: every node on the worklist is either opened, then its children go to the next worklist, or closed, then it stands
// for its keys.
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/node_batch.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// Appends the children of every node j of the batch with mass and Σ r² > threshold; marks it with -inf in scalars[0]. Returns how many stay closed.
Value emitOpen(KernelEmitter& e, Value work, Value first, const LevelNodes& level, const NodeBatch& batch, Value residual, Value threshold,
               Value workOut, Value counts) {
  Value infinity = e.f32(-std::numeric_limits<double>::infinity());
  Value fanout = e.toIndex(e.get(level.params, {e.index(2)}));
  SmallVector<Value> closed = e.fold(e.index(0), e.index(kBatchKeys), 1, {e.index(0)}, [&](Value j, ValueRange carried) {
    Value alive = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.get(batch.scalars, {e.index(0), j}), infinity);
    Value high = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.get(residual, {j}), threshold);
    Value open = arith::AndIOp::create(e.b, alive, high);
    e.when(open, [&] {
      Value slot = arith::DivUIOp::create(e.b, j, e.index(kGroupNodes));
      Value group = e.toIndex(e.get(work, {e.addIndex(first, slot)}));
      Value node = e.addIndex(e.mulIndex(group, kGroupNodes), arith::RemUIOp::create(e.b, j, e.index(kGroupNodes)));
      Value child = arith::MulIOp::create(e.b, node, fanout);
      Value end = e.toIndex(e.get(counts, {e.index(1)}));
      e.forEach(e.index(0), fanout, 1, [&](Value i) { e.set(e.toI32(e.addIndex(child, i)), workOut, {e.addIndex(end, i)}); });
      e.set(e.toI32(e.addIndex(end, fanout)), counts, {e.index(1)});
      e.set(infinity, batch.scalars, {e.index(0), j});
    });
    Value keep = arith::AndIOp::create(e.b, alive, arith::XOrIOp::create(e.b, open, arith::ConstantIntOp::create(e.b, 1, 1)));
    return SmallVector<Value>{e.addIndex(carried[0], arith::IndexCastUIOp::create(e.b, e.b.getIndexType(), keep))};
  });
  return closed[0];
}

// scores = -inf where the node was opened or is none; closed[r] += r² of the others, lane by lane.
void emitDropOpened(KernelEmitter& e, const NodeBatch& batch, Value scores, Value each, Value closed) {
  e.forEach(kBatchKeys, e.lanes(), [&](Value node) {
    Value mark = e.load(batch.scalars, {e.index(0), node});
    Value infinity = e.f32s(-std::numeric_limits<double>::infinity());
    Value keep = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, mark, infinity);
    e.forEach(e.params.tileQueries, 1, [&](Value row) {
      e.store(e.select(keep, e.load(scores, {row, node}), infinity), scores, {row, node});
      Value r2 = e.select(keep, e.load(each, {row, node}), e.f32s(0));
      e.store(e.add(e.load(closed, {row, e.index(0)}), r2), closed, {row, e.index(0)});
    });
  });
}

void gatherValues(KernelEmitter& e, Value nodeValue, Value work, Value first, Value count, Value valueBatch) {
  e.forEach(kBatchGroups, 1, [&](Value slot) {
    const BatchSlot at = batchSlot(e, work, first, count, slot);
    e.forEach(kGroupNodes, 1, [&](Value i) {
      e.forEach(e.params.paddedValueDim, e.lanes(),
                [&](Value c) { e.store(e.load(nodeValue, {at.group, i, c}), valueBatch, {at.panel, e.addIndex(at.place, i), c}); });
    });
  });
}

// rows[r] = (q_r − q₀) · tilt: how the values of the level lean for query r. A product of the tile with the columns of the tilt, as with keys.
void emitTiltRows(KernelEmitter& e, NodeProducts& products, Value tilt, Value rows, Value product) {
  for (int64_t first = 0; first < e.params.paddedValueDim; first += kBatchKeys) {
    products.tilt(e.slice(tilt, e.index(first / kPanelKeys), kBatchPanels), product);
    const int64_t count = std::min<int64_t>(kBatchKeys, e.params.paddedValueDim - first);
    e.forEach(e.params.tileQueries, 1, [&](Value row) {
      e.forEach(count, e.lanes(), [&](Value c) { e.store(e.load(product, {row, c}), rows, {row, e.addIndex(c, e.index(first))}); });
    });
  }
}

void scoreLevel(KernelEmitter& e, NodeProducts& products, ValueRange arguments) {
  Value bands = arguments[1];
  LevelNodes level{arguments[2], arguments[4], arguments[5], arguments[6]};
  Value nodeValue = arguments[3], work = arguments[7], logZ = arguments[8], theta = arguments[9], tilt = arguments[11];
  Value workOut = arguments[12], counts = arguments[13];
  TileState state{arguments[14], arguments[15], arguments[16]};
  Value scores = arguments[17], valueBatch = arguments[19], tiltRows = arguments[23], closed = arguments[24];
  const Residuals residuals{arguments[22], arguments[25]};
  NodeBatch batch{arguments[18], arguments[20], arguments[21]};
  if (e.params.order == 2) emitTiltRows(e, products, tilt, tiltRows, scores);
  Value count = e.toIndex(e.get(counts, {e.index(0)}));
  Value threshold = e.get(theta, {e.index(0)});
  e.forEach(e.index(0), count, kBatchGroups, [&](Value first) {
    gatherNodes(e, level, work, first, count, batch);
    callNodeResiduals(e, products, bands, batch, scores, logZ, residuals);
    Value left = emitOpen(e, work, first, level, batch, residuals.sum, threshold, workOut, counts);
    Value any = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ugt, left, e.index(0));
    e.when(any, [&] {
      emitDropOpened(e, batch, scores, residuals.each, closed);
      gatherValues(e, nodeValue, work, first, count, valueBatch);
      callSoftmaxBatch(e, scores, state);
      products.values(scores, valueBatch, state.acc);
      if (e.params.order == 2) callTiltBatch(e, scores, batch, tiltRows, state.acc);
    });
  });
}

}  // namespace

void emitScoreLevel(KernelEmitter& e, ValueRange arguments) {
  VectorProducts products(e, arguments[0], arguments[10]);
  scoreLevel(e, products, arguments);
}

void emitScoreLevelPairs(KernelEmitter& e, ValueRange arguments) {
  TileProducts products(
      e, arguments[0], arguments[10],
      {.high = arguments[26], .low = arguments[27], .apart = arguments[28], .weights = arguments[29], .values = arguments[30]});
  scoreLevel(e, products, arguments);
}

}  // namespace hsa::ir

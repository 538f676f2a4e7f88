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

// shares = 0 where the node was opened or is none; the others go to the sums of their rows, and r² to those of what is closed, lane by lane.
void emitClose(KernelEmitter& e, const NodeBatch& batch, Value shares, Value each, Value sum, Value closed) {
  Value zero = e.f32s(0);
  SmallVector<Value> keep;
  for (int64_t node = 0; node < kBatchKeys; node += e.lanes())
    keep.push_back(arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.load(batch.scalars, {e.index(0), e.index(node)}),
                                         e.f32s(-std::numeric_limits<double>::infinity())));
  e.forEachRow([&](Value row) {
    for (int64_t lane = 0; lane < kSumLanes; lane += e.lanes()) {
      Value total = e.load(sum, {row, e.index(lane)}), doubt = e.load(closed, {row, e.index(lane)});
      for (int64_t node = lane; node < kBatchKeys; node += kSumLanes) {
        Value kept = keep[node / e.lanes()], share = e.select(kept, e.load(shares, {row, e.index(node)}), zero);
        e.store(share, shares, {row, e.index(node)});
        total = e.add(total, share);
        doubt = e.add(doubt, e.select(kept, e.load(each, {row, e.index(node)}), zero));
      }
      e.store(total, sum, {row, e.index(lane)});
      e.store(doubt, closed, {row, e.index(lane)});
    }
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
    e.forEachRow([&](Value row) {
      e.forEach(count, e.lanes(), [&](Value c) { e.store(e.load(product, {row, c}), rows, {row, e.addIndex(c, e.index(first))}); });
    });
  }
}

void scoreLevel(KernelEmitter& e, NodeProducts& products, ValueRange arguments) {
  Value bands = arguments[1];
  LevelNodes level{arguments[2], arguments[4], arguments[5], arguments[6]};
  Value nodeValue = arguments[3], work = arguments[7], logZ = arguments[8], theta = arguments[9], tilt = arguments[11];
  Value workOut = arguments[12], counts = arguments[13], sum = arguments[14], acc = arguments[15], shares = arguments[16],
        valueBatch = arguments[18], tiltRows = arguments[22], closed = arguments[23];
  const Residuals residuals{arguments[21], arguments[24]};
  NodeBatch batch{arguments[17], arguments[19], arguments[20]};
  if (e.params.order == 2) emitTiltRows(e, products, tilt, tiltRows, shares);
  Value count = e.toIndex(e.get(counts, {e.index(0)}));
  Value threshold = e.get(theta, {e.index(0)});
  e.forEach(e.index(0), count, kBatchGroups, [&](Value first) {
    gatherNodes(e, level, work, first, count, batch);
    callNodeShares(e, products, bands, batch, shares, logZ, residuals);
    Value left = emitOpen(e, work, first, level, batch, residuals.sum, threshold, workOut, counts);
    Value any = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ugt, left, e.index(0));
    e.when(any, [&] {
      emitClose(e, batch, shares, residuals.each, sum, closed);
      gatherValues(e, nodeValue, work, first, count, valueBatch);
      products.values(shares, valueBatch, acc);
      if (e.params.order == 2) callTiltBatch(e, shares, batch, tiltRows, acc);
    });
  });
}

}  // namespace

void emitScoreLevel(KernelEmitter& e, ValueRange arguments) {
  VectorProducts products(e, arguments[0], arguments[10]);
  scoreLevel(e, products, arguments);
}

void emitScoreLevelPairs(KernelEmitter& e, ValueRange arguments) {
  PairProducts products(
      e, arguments[0], arguments[10],
      {.high = arguments[25], .low = arguments[26], .apart = arguments[27], .weights = arguments[28], .values = arguments[29]});
  scoreLevel(e, products, arguments);
}

}  // namespace hsa::ir

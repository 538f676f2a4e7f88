// One level for one tile: every node on the worklist is either opened, then its children go to the next worklist, or closed, then it stands
// for its keys.
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/node_batch.h"
#include "passes/cpu/pair_products.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kPart = 2 * kPanelKeys;  // nodes whose weights are kept at once

// What becomes of the nodes of a batch: bits of those that are opened, and vectors of conditions for those that stay closed.
struct Verdict {
  Value opened;  // i64
  SmallVector<Value> closed;
  Value count;  // of the closed ones, i64
};

// A node with mass is opened when Σ r² > threshold.
Verdict judge(KernelEmitter& e, const NodeBatch& batch, Value residual, Value threshold) {
  Type word = e.b.getI64Type();
  Value opened = arith::ConstantIntOp::create(e.b, word, 0), kept = opened;
  Verdict verdict;
  for (int64_t node = 0; node < kBatchKeys; node += e.lanes()) {
    Value alive = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.load(batch.scalars, {e.index(0), e.index(node)}),
                                        e.f32s(-std::numeric_limits<double>::infinity()));
    Value high = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.load(residual, {e.index(node)}), e.spread(threshold));
    verdict.closed.push_back(arith::AndIOp::create(e.b, alive, e.negate(high)));
    auto join = [&](Value all, Value condition) -> Value {
      Value place = arith::ConstantIntOp::create(e.b, word, node);
      return arith::OrIOp::create(e.b, all, arith::ShLIOp::create(e.b, e.bitsOf(condition), place));
    };
    opened = join(opened, arith::AndIOp::create(e.b, alive, high));
    kept = join(kept, verdict.closed.back());
  }
  verdict.opened = opened;
  verdict.count = math::CtPopOp::create(e.b, kept);
  return verdict;
}

// Appends the children of the opened nodes, lowest first.
void emitOpen(KernelEmitter& e, const BatchGroups& groups, Value opened, const LevelNodes& level, Value workOut, Value counts) {
  Value fanout = e.toIndex(e.get(level.params, {e.index(2)}));
  Value many = e.toIndex(math::CtPopOp::create(e.b, opened)), end = e.toIndex(e.get(counts, {e.index(1)}));
  SmallVector<Value> last = e.fold(e.index(0), many, 1, {opened, end}, [&](Value, ValueRange carried) {
    Value node = e.toIndex(math::CountTrailingZerosOp::create(e.b, carried[0]));
    Value slot = arith::DivUIOp::create(e.b, node, e.index(kGroupNodes)), place = arith::RemUIOp::create(e.b, node, e.index(kGroupNodes));
    Value id = e.addIndex(e.mulIndex(batchSlot(e, groups, slot).group, kGroupNodes), place);
    Value child = arith::MulIOp::create(e.b, id, fanout);
    e.forEach(e.index(0), fanout, 1, [&](Value i) { e.set(e.toI32(e.addIndex(child, i)), workOut, {e.addIndex(carried[1], i)}); });
    Value one = arith::ConstantIntOp::create(e.b, e.b.getI64Type(), 1);
    Value rest = arith::AndIOp::create(e.b, carried[0], arith::SubIOp::create(e.b, carried[0], one));
    return SmallVector<Value>{rest, e.addIndex(carried[1], fanout)};
  });
  e.set(e.toI32(last[1]), counts, {e.index(1)});
}

// What the closed nodes of a level add to a row beside their values: shares, r², shares times traces, as sums of lanes.
struct RowSums {
  Value share, r2, lean;  // [TQ,16]
};

// The shares of closed nodes, 0 in place of the others, become weights; sums take theirs.
void emitClose(KernelEmitter& e, NodeProducts& products, const NodeBatch& batch, ArrayRef<Value> closed, Value shares, Value each,
               const RowSums& sums) {
  const int64_t lanes = e.lanes(), vectors = kSumLanes / lanes;
  e.forEachRow([&](Value row) {
    auto load = [&](Value memref, int64_t at) { return e.load(memref, {row, e.index(at)}); };
    SmallVector<Value> share, r2, lean;
    for (int64_t v = 0; v < vectors; ++v) {
      share.push_back(load(sums.share, v * lanes)), r2.push_back(load(sums.r2, v * lanes));
      if (e.params.order == 2) lean.push_back(load(sums.lean, v * lanes));
    }
    for (int64_t part = 0; part < kBatchKeys; part += kPart) {
      SmallVector<Value> weights;
      for (int64_t node = part; node < part + kPart; node += lanes) {
        auto kept = [&](Value of) { return e.select(closed[node / lanes], load(of, node), e.f32s(0)); };
        const int64_t v = node % kSumLanes / lanes;
        Value weight = kept(shares);
        weights.push_back(weight);
        share[v] = e.add(share[v], weight);
        r2[v] = e.add(r2[v], kept(each));
        if (e.params.order == 2) lean[v] = e.multiplyAdd(weight, e.load(batch.scalars, {e.index(3), e.index(node)}), lean[v]);
      }
      products.keepWeights(row, part, weights);
    }
    for (int64_t v = 0; v < vectors; ++v) {
      e.store(share[v], sums.share, {row, e.index(v * lanes)}), e.store(r2[v], sums.r2, {row, e.index(v * lanes)});
      if (e.params.order == 2) e.store(lean[v], sums.lean, {row, e.index(v * lanes)});
    }
  });
}

void clearRows(KernelEmitter& e, Value sums) {
  e.forEachRow([&](Value row) {
    for (int64_t lane = 0; lane < kSumLanes; lane += e.lanes()) e.store(e.f32s(0), sums, {row, e.index(lane)});
  });
}

// acc[r] += lean_r y_r, y_r = (q_r − q₀) · tilt: how the values of the level lean for query r. A product of the tile with the columns of the tilt, as with keys.
void emitLean(KernelEmitter& e, NodeProducts& products, Value tilt, Value lean, Value acc, Value product) {
  for (int64_t first = 0; first < e.params.paddedValueDim; first += kBatchKeys) {
    products.tilt(e.slice(tilt, e.index(first / kPanelKeys), kBatchPanels), product);
    const int64_t count = std::min<int64_t>(kBatchKeys, e.params.paddedValueDim - first);
    e.forEachRow([&](Value row) {
      Value total = e.spread(e.sumOfLanes(lean, row));
      e.forEach(count, e.lanes(), [&](Value c) {
        Value to = e.addIndex(c, e.index(first));
        e.store(e.multiplyAdd(total, e.load(product, {row, c}), e.load(acc, {row, to})), acc, {row, to});
      });
    });
  }
}

// Arguments as both stages have them.
struct LevelArguments {
  Value bands;
  LevelNodes level;
  Value values, work, logZ, theta, tilt, workOut, counts, acc, shares;
  NodeBatch batch;
  Residuals residuals;
  RowSums sums;
};

void scoreLevel(KernelEmitter& e, NodeProducts& products, const LevelArguments& a) {
  const bool leans = e.params.order == 2;
  if (leans) clearRows(e, a.sums.lean);
  Value count = e.toIndex(e.get(a.counts, {e.index(0)})), threshold = e.get(a.theta, {e.index(0)});
  Value none = arith::ConstantIntOp::create(e.b, e.b.getI64Type(), 0);
  auto some = [&](Value number) -> Value { return arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, number, none); };
  Value closed = e.fold(e.index(0), count, kBatchGroups, {none}, [&](Value first, ValueRange carried) {
    const BatchGroups groups{a.work, first, count};
    callNodeShares(e, products, a.level, groups, a.bands, a.batch, a.shares, a.logZ, a.residuals);
    const Verdict verdict = judge(e, a.batch, a.residuals.sum, threshold);
    emitOpen(e, groups, verdict.opened, a.level, a.workOut, a.counts);
    e.when(some(verdict.count), [&] {
      emitClose(e, products, a.batch, verdict.closed, a.shares, a.residuals.each, a.sums);
      products.values(groups, a.values, a.acc);
    });
    return SmallVector<Value>{arith::AddIOp::create(e.b, carried[0], verdict.count)};
  })[0];
  if (leans) e.when(some(closed), [&] { emitLean(e, products, a.tilt, a.sums.lean, a.acc, a.shares); });
}

// Operands that the products do not know.
LevelArguments argumentsOf(ValueRange a) {
  return {.bands = a[1],
          .level = {a[2], a[4], a[5], a[6]},
          .values = a[3],
          .work = a[7],
          .logZ = a[8],
          .theta = a[9],
          .tilt = a[11],
          .workOut = a[12],
          .counts = a[13],
          .acc = a[15],
          .shares = a[16],
          .batch = {a[17], a[18]},
          .residuals = {a[19], a[22]},
          .sums = {.share = a[14], .r2 = a[21], .lean = a[20]}};
}

}  // namespace

void emitScoreLevel(KernelEmitter& e, ValueRange a) {
  VectorProducts products(e, a[0], a[10], {.means = a[23], .weights = a[16], .values = a[24]});
  scoreLevel(e, products, argumentsOf(a));
}

void emitScoreLevelPairs(KernelEmitter& e, ValueRange arguments) {
  callPairs(e, "score_nodes_pairs", arguments, [](KernelEmitter& in, ValueRange a) {
    PairProducts products(in, a[0], a[10], {.high = a[23], .low = a[24], .apart = a[25], .weights = a[26], .values = a[27]});
    scoreLevel(in, products, argumentsOf(a));
  });
}

}  // namespace hsa::ir

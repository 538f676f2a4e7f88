// Z of a tile: the near mass and the estimated mass of the roots, as a running (max, sum) in log2 units.
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/node_batch.h"
#include "passes/cpu/pair_products.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

void emitStartMass(KernelEmitter& e, ValueRange arguments) {
  Value max = arguments[0], sum = arguments[1], massMax = arguments[2], massSum = arguments[3], unused = arguments[4],
        closed = arguments[5];
  e.forEachRow([&](Value row) {
    e.set(e.get(max, {row}), massMax, {row});
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) {
      e.store(e.load(sum, {row, e.index(c)}), massSum, {row, e.index(c)});
      e.store(e.f32s(0), unused, {row, e.index(c)});
      e.store(e.f32s(0), closed, {row, e.index(c)});
    }
  });
}

static void addRootMass(KernelEmitter& e, NodeProducts& products, ValueRange arguments) {
  Value bands = arguments[1];
  LevelNodes level{arguments[2], arguments[3], arguments[4], arguments[5]};
  Value counts = arguments[7];
  TileState mass{arguments[8], arguments[9], arguments[10]};  // acc: 16 columns that nobody reads
  Value scores = arguments[11];
  NodeBatch batch{arguments[12], arguments[13]};
  Value count = e.toIndex(e.get(counts, {e.index(0)}));
  e.forEach(e.index(0), count, kBatchGroups, [&](Value first) {
    callNodeScores(e, products, level, {arguments[6], first, count}, bands, batch, scores);
    callSoftmaxBatch(e, scores, mass);
  });
}

void emitRootMass(KernelEmitter& e, ValueRange arguments) {
  VectorProducts products(e, arguments[0], {}, {.means = arguments[14], .weights = {}, .values = {}});
  addRootMass(e, products, arguments);
}

void emitRootMassPairs(KernelEmitter& e, ValueRange arguments) {
  callPairs(e, "root_mass_of_pairs", arguments, [](KernelEmitter& in, ValueRange a) {
    PairProducts products(in, a[0], {}, {.high = a[14], .low = a[15], .apart = {}, .weights = {}, .values = {}});
    addRootMass(in, products, a);
  });
}

// log_z = max + log2 Σ. From here on the state is measured from Z: what a node weighs is then
// its share of Z, and no level need look for a maximum. Where Z is no number the state stays as it is.
void emitLogMass(KernelEmitter& e, ValueRange arguments) {
  Value massMax = arguments[0], massSum = arguments[1], logZ = arguments[2];
  const TileState state{arguments[3], arguments[4], arguments[5]};
  Value infinity = e.f32(std::numeric_limits<double>::infinity());
  e.forEachRow([&](Value row) {
    Value log = e.reduceMax(e.add(e.spread(e.get(massMax, {row})), e.log2(e.spread(e.sumOfLanes(massSum, row)))));
    e.set(log, logZ, {row});
    Value finite = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OLT, math::AbsFOp::create(e.b, log), infinity);
    e.when(finite, [&] { emitRescaleRow(e, row, e.get(state.max, {row}), log, state); });
  });
}

}  // namespace hsa::ir

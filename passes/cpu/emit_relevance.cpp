// What sending fewer tokens needs: how near tokens are to each other, the mean value of those that are one, and the share of the state that a token has.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/affinity_batch.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

// Tokens are looked for where their projections on four axes are; the last of the axes is what they are relative to.
void emitSketchTokens(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], axes = arguments[1], sketch = arguments[2];
  e.forEach(e.index(0), e.dim(sketch, 0), 1, [&](Value token) {
    SmallVector<Value> zeros(kSketchAxes + 1, e.f32s(0));
    SmallVector<Value> sums = e.fold(e.index(0), e.index(e.params.paddedHeadDim), e.lanes(), zeros, [&](Value d, ValueRange carried) {
      Value apart = e.sub(e.load(keys, {token, d}), e.load(axes, {e.index(kSketchAxes), d}));
      SmallVector<Value> next;
      for (int64_t axis = 0; axis < kSketchAxes; ++axis)
        next.push_back(e.multiplyAdd(apart, e.load(axes, {e.index(axis), d}), carried[axis]));
      next.push_back(e.multiplyAdd(apart, apart, carried[kSketchAxes]));
      return next;
    });
    for (auto [i, sum] : llvm::enumerate(sums)) e.set(e.reduceAdd(sum), sketch, {token, e.index(static_cast<int64_t>(i))});
  });
}

void emitTokenDistances(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], other = arguments[1], apart = arguments[2];
  e.forEach(e.index(0), e.dim(apart, 0), 1, [&](Value token) {
    Value to = e.toIndex(e.get(other, {token}));
    Value sum = e.fold(e.index(0), e.index(e.params.paddedHeadDim), e.lanes(), {e.f32s(0)}, [&](Value d, ValueRange carried) {
      Value difference = e.sub(e.load(keys, {token, d}), e.load(keys, {to, d}));
      return SmallVector<Value>{e.multiplyAdd(difference, difference, carried[0])};
    })[0];
    e.set(e.reduceAdd(sum), apart, {token});
  });
}

// Cluster c of the tokens members[begin[c] .. begin[c + 1]): the value of the first becomes their mean.
void emitMeanValues(KernelEmitter& e, ValueRange arguments) {
  Value begin = arguments[0], members = arguments[1], values = arguments[2];
  Value clusters = arith::SubIOp::create(e.b, e.dim(begin, 0), e.index(1));
  e.forEach(e.index(0), clusters, 1, [&](Value cluster) {
    Value from = e.toIndex(e.get(begin, {cluster})), to = e.toIndex(e.get(begin, {e.addIndex(cluster, e.index(1))}));
    Value count = arith::SIToFPOp::create(e.b, e.b.getF32Type(), e.toI32(arith::SubIOp::create(e.b, to, from)));
    Value share = e.spread(arith::DivFOp::create(e.b, e.f32(1), count)), first = e.toIndex(e.get(members, {from}));
    e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value column) {
      Value sum = e.fold(from, to, 1, {e.f32s(0)}, [&](Value member, ValueRange carried) {
        return SmallVector<Value>{e.add(carried[0], e.load(values, {e.toIndex(e.get(members, {member})), column}))};
      })[0];
      e.store(e.mul(sum, share), values, {first, column});
    });
  });
}

// share = log2 of the greatest share that a token would have in what a splat was sent; of 64 tokens at a time, coarse splats first: as soon as none of them is
// below the limit, the others are not looked at.
void emitTokenShares(KernelEmitter& e, ValueRange arguments) {
  const ValueRange ins = arguments.drop_back(2), outs = arguments.take_back(2);
  Value keys = ins[0], bias = ins[1], mass = ins[4], norm = e.params.isotropic ? ins[6] : Value(), share = outs[0], scores = outs[1];
  SplatFactors splats{ins[2], ins[3]};
  if (norm) splats.product = ins[7], splats.terms = ins[8], splats.limit = ins[9];
  if (e.params.factorRows > 0) splats.factor = ins[6];
  Value limit = e.spread(e.get(ins[5], {e.index(0)}));
  const int64_t tiles = e.params.splats / kSplatTile, vectors = kBatchKeys / e.lanes();
  e.forEach(e.index(0), e.dim(keys, 0), kBatchPanels, [&](Value panel) {
    auto batch = [&](Value memref) { return e.slice(memref, panel, kBatchPanels); };
    auto at = [&](int64_t v) {
      return SmallVector<Value>{e.addIndex(panel, e.index(v * e.lanes() / kPanelKeys)), e.index(v * e.lanes() % kPanelKeys)};
    };
    for (int64_t v = 0; v < vectors; ++v) e.store(e.f32s(kNoSplat), share, at(v));
    e.forEach(e.index(0), e.index(tiles), 1, [&](Value from) {
      Value below;
      for (int64_t v = 0; v < vectors; ++v) {
        Value here = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OLE, e.load(share, at(v)), limit);
        below = below ? arith::OrIOp::create(e.b, below, here) : here;
      }
      e.when(e.any(below), [&] {
        Value splat = e.mulIndex(arith::SubIOp::create(e.b, e.index(tiles - 1), from), kSplatTile);
        callAffinityOfSplats(e, rowsOfTile(e, splats, splat), {batch(keys), batch(bias), norm ? batch(norm) : Value()}, scores);
        SmallVector<Value> most;
        for (int64_t v = 0; v < vectors; ++v) most.push_back(e.load(share, at(v)));
        most = e.fold(e.index(0), e.index(kSplatTile), 1, most, [&](Value row, ValueRange carried) {
          Value sent = e.spread(e.get(mass, {e.addIndex(splat, row)}));
          SmallVector<Value> next;
          for (int64_t v = 0; v < vectors; ++v)
            next.push_back(e.max(e.sub(e.load(scores, {row, e.index(v * e.lanes())}), sent), carried[v]));
          return next;
        });
        for (int64_t v = 0; v < vectors; ++v) e.store(most[v], share, at(v));
      });
    });
  });
}

}  // namespace hsa::ir

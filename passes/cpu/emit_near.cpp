// Which splats a token keeps: affinities of 64 tokens and 64 splats at a time join the lists of the tokens and are forgotten.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/affinity_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/near_list.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

void emitNearestSplats(KernelEmitter& e, ValueRange arguments) {
  const auto ins = arguments.drop_back(3), outs = arguments.take_back(3);
  Value tokens = e.slice(ins[0], e.index(0), e.params.tileQueries), bias = ins[3], ids = ins[4], norm;
  SplatFactors splats{ins[1], ins[2]};
  if (ins.size() > 6) norm = ins[5], splats.product = ins[6], splats.terms = ins[7], splats.limit = ins[8];  // isotropic
  if (e.params.factorRows > 0) splats.factor = ins[5];
  Value score = e.slice(outs[0], e.index(0), e.params.tileQueries), splat = e.slice(outs[1], e.index(0), e.params.tileQueries),
        scores = outs[2];
  e.forEach(e.index(0), e.dim(bias, 0), kSplatTile, [&](Value first) {
    callAffinityOfQueries(e, tokens, norm, panelsOfTile(e, splats, first), e.slice(bias, first, kSplatTile), scores);
    callJoinNearest(e, scores, e.slice(ids, first, kSplatTile), score, splat);
  });
}

// Lists are in order, so what is kept is their beginning.
void emitCountNear(KernelEmitter& e, ValueRange arguments) {
  Value score = arguments[0], least = arguments[1], count = arguments[2];
  e.forEach(e.index(0), e.dim(count, 0), 1, [&](Value row) {
    Value token = arith::RemUIOp::create(e.b, row, e.dim(least, 0));
    Value limit = e.max(e.add(e.get(score, {row, e.index(0)}), e.get(least, {token})), e.f32(kNotNear));
    Value kept = e.fold(e.index(0), e.index(e.params.nearTop), 1, {e.i32(0)}, [&](Value slot, ValueRange carried) {
      Value near = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGE, e.get(score, {row, slot}), limit);
      return SmallVector<Value>{arith::AddIOp::create(e.b, carried[0], arith::ExtUIOp::create(e.b, e.b.getI32Type(), near))};
    })[0];
    e.set(kept, count, {row});
  });
}

}  // namespace hsa::ir

// What the tokens send that keep a few splats, once links have passed it on: rows of kept affinities times the matrix of the links, both sparse.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// The kept splats of tokens, level by level, and the links of a splat: blocks of 64 that it leads to.
struct LinkedLists {
  Value score, splat, count, amplitude;
  Value begin, tile, log;
};

// body(log2 φ of the token, block, first splat of the block) for every block that a kept splat leads to.
void forEachBlock(KernelEmitter& e, const LinkedLists& in, Value token, Value tokens,
                  function_ref<void(Value affinity, Value block, Value first)> body) {
  Value levels = arith::DivUIOp::create(e.b, e.dim(in.count, 0), tokens);
  e.forEach(e.index(0), levels, 1, [&](Value level) {
    Value row = e.addIndex(arith::MulIOp::create(e.b, level, tokens), token);
    e.forEach(e.index(0), e.toIndex(e.get(in.count, {row})), 1, [&](Value slot) {
      Value splat = e.toIndex(e.get(in.splat, {row, slot}));
      Value affinity = e.spread(e.sub(e.get(in.score, {row, slot}), e.get(in.amplitude, {splat})));
      Value begin = e.toIndex(e.get(in.begin, {splat})), end = e.toIndex(e.get(in.begin, {e.addIndex(splat, e.index(1))}));
      e.forEach(begin, end, 1, [&](Value block) { body(affinity, block, e.mulIndex(e.toIndex(e.get(in.tile, {block})), kSplatTile)); });
    });
  });
}

// The maximum first, so that no sum overflows and no splat is lost because others are nearer.
void emitSums(KernelEmitter& e, const LinkedLists& in, Value token, Value tokens, Value max, Value sum) {
  e.forEach(e.params.splats, e.lanes(), [&](Value s) {
    e.store(e.f32s(kNothingSent), max, {s});
    e.store(e.f32s(0), sum, {s});
  });
  const auto forEachVector = [&](function_ref<void(Value term, Value at)> body) {
    forEachBlock(e, in, token, tokens, [&](Value affinity, Value block, Value first) {
      e.forEach(kSplatTile, e.lanes(), [&](Value c) { body(e.add(e.load(in.log, {block, c}), affinity), e.addIndex(first, c)); });
    });
  };
  forEachVector([&](Value term, Value at) { e.store(e.max(term, e.load(max, {at})), max, {at}); });
  forEachVector([&](Value term, Value at) { e.store(e.add(e.load(sum, {at}), e.exp2(e.sub(term, e.load(max, {at})))), sum, {at}); });
}

// The splats with a sum join the token's list, lowest first.
void emitGather(KernelEmitter& e, Value token, Value max, Value sum, Value score, Value splat, Value count) {
  e.set(e.i32(0), count, {token});
  e.forEach(e.params.splats, e.lanes(), [&](Value s) {
    Value most = e.load(max, {s});
    Value there = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, most, e.f32s(kNotNear));
    e.when(e.any(there), [&] {
      e.store(e.add(most, e.log2(e.load(sum, {s}))), sum, {s});
      e.forEach(s, e.addIndex(s, e.index(e.lanes())), 1, [&](Value one) {
        Value at = e.get(count, {token}), slot = e.toIndex(at);
        Value is = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, e.get(max, {one}), e.f32(kNotNear));
        e.set(e.get(sum, {one}), score, {token, slot});
        e.set(e.toI32(one), splat, {token, slot});
        e.set(arith::AddIOp::create(e.b, at, arith::ExtUIOp::create(e.b, e.b.getI32Type(), is)), count, {token});
      });
    });
  });
}

}  // namespace

void emitPassOn(KernelEmitter& e, ValueRange arguments) {
  const LinkedLists in{arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6]};
  Value score = arguments[7], splat = arguments[8], count = arguments[9], max = arguments[10], sum = arguments[11];
  Value tokens = e.dim(count, 0);
  e.forEach(e.index(0), tokens, 1, [&](Value token) {
    emitSums(e, in, token, tokens, max, sum);
    emitGather(e, token, max, sum, score, splat, count);
  });
}

}  // namespace hsa::ir

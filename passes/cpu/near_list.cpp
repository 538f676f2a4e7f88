#include "passes/cpu/near_list.h"

#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

Value i64(KernelEmitter& e, int64_t value) { return arith::ConstantOp::create(e.b, e.b.getI64IntegerAttr(value)); }

// Which lanes of the row's affinities from `column` on are no less than the last of those that are kept.
Value mayJoin(KernelEmitter& e, Value scores, Value row, Value column, Value listScore) {
  Value last = e.spread(e.get(listScore, {row, e.index(e.params.nearTop - 1)}));
  return arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGE, e.load(scores, {row, column}), last);
}

// Whether any of all 64 is.
Value someMayJoin(KernelEmitter& e, Value scores, Value row, Value listScore) {
  Value some;
  for (int64_t c = 0; c < kBatchKeys; c += e.lanes()) {
    Value here = mayJoin(e, scores, row, e.index(c), listScore);
    some = some ? arith::OrIOp::create(e.b, some, here) : here;
  }
  return e.any(some);
}

// Greater, or equal and of a lower number: an order that does not depend on who comes first.
Value precedes(KernelEmitter& e, Value x, Value id, Value score, Value splat) {
  Value greater = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, x, score);
  Value equal = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, x, score);
  Value lower = arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, id, splat);
  return arith::OrIOp::create(e.b, greater, arith::AndIOp::create(e.b, equal, lower));
}

// Lanes one to the right; the first gets the last lane of `before`.
Value shiftIn(KernelEmitter& e, Value before, Value lanes) {
  SmallVector<int64_t> from = {e.lanes() - 1};
  for (int64_t lane = 0; lane + 1 < e.lanes(); ++lane) from.push_back(e.lanes() + lane);
  return vector::ShuffleOp::create(e.b, before, lanes, from);
}

// A list in registers, greatest first: scores, then splats.
struct List {
  SmallVector<Value> score, splat;

  // The splat takes the place of the first that it precedes; those from there on move by one, the last is lost. No branch: each slot keeps what it has,
  // takes its neighbour, or takes the new one.
  void join(KernelEmitter& e, Value x, Value id) {
    const List old = *this;
    Value beforeScore = e.f32s(std::numeric_limits<double>::infinity()), beforeSplat = e.i32s(0);
    for (size_t v = 0; v < score.size(); ++v) {
      Value leftScore = shiftIn(e, beforeScore, old.score[v]), leftSplat = shiftIn(e, beforeSplat, old.splat[v]);
      Value moves = precedes(e, x, id, leftScore, leftSplat), takes = precedes(e, x, id, old.score[v], old.splat[v]);
      score[v] = e.select(moves, leftScore, e.select(takes, x, old.score[v]));
      splat[v] = e.select(moves, leftSplat, e.select(takes, id, old.splat[v]));
      beforeScore = old.score[v], beforeSplat = old.splat[v];
    }
  }
};

// The splats from `first` on whose bits are set, lowest first.
void joinBits(KernelEmitter& e, Value bits, Value first, Value scores, Value ids, Value row, Value listScore, Value listSplat) {
  const int64_t vectors = e.params.nearSlots() / e.lanes();
  SmallVector<Value> carried = {bits};
  for (Value list : {listScore, listSplat})
    for (int64_t v = 0; v < vectors; ++v) carried.push_back(e.load(list, {row, e.index(v * e.lanes())}));
  Value count = arith::IndexCastOp::create(e.b, e.b.getIndexType(), math::CtPopOp::create(e.b, bits));
  SmallVector<Value> joined = e.fold(e.index(0), count, 1, carried, [&](Value, ValueRange now) {
    Value lowest = math::CountTrailingZerosOp::create(e.b, now[0]);
    Value column = e.addIndex(first, arith::IndexCastOp::create(e.b, e.b.getIndexType(), lowest));
    List list{{now.begin() + 1, now.begin() + 1 + vectors}, {now.begin() + 1 + vectors, now.end()}};
    list.join(e, e.spread(e.get(scores, {row, column})), e.spread(e.get(ids, {column})));
    SmallVector<Value> next = {arith::AndIOp::create(e.b, now[0], arith::SubIOp::create(e.b, now[0], i64(e, 1)))};
    next.append(list.score), next.append(list.splat);
    return next;
  });
  for (int64_t v = 0; v < vectors; ++v) {
    e.store(joined[1 + v], listScore, {row, e.index(v * e.lanes())});
    e.store(joined[1 + vectors + v], listSplat, {row, e.index(v * e.lanes())});
  }
}

// Vector by vector: each meets the list as the one before has left it, so that most of the first 64 splats of a token do not join.
void emitJoinNearest(KernelEmitter& e, ValueRange arguments) {
  Value scores = arguments[0], ids = arguments[1], listScore = arguments[2], listSplat = arguments[3];
  e.forEachRow([&](Value row) {
    e.when(someMayJoin(e, scores, row, listScore), [&] {
      e.forEach(kBatchKeys, e.lanes(), [&](Value first) {
        Value bits = e.bitsOf(mayJoin(e, scores, row, first, listScore));
        Value some = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, bits, i64(e, 0));
        e.when(some, [&] { joinBits(e, bits, first, scores, ids, row, listScore, listSplat); });
      });
    });
  });
}

}  // namespace

void callJoinNearest(KernelEmitter& e, Value scores, Value ids, Value score, Value splat) {
  const int64_t tile = e.params.tileQueries, slots = e.params.nearSlots();
  e.call("join_nearest",
         {e.blockType({tile, kSplatTile}, e.b.getF32Type()), e.blockType({kSplatTile}, e.b.getI32Type()),
          e.blockType({tile, slots}, e.b.getF32Type()), e.blockType({tile, slots}, e.b.getI32Type())},
         {scores, ids, score, splat}, emitJoinNearest);
}

}  // namespace hsa::ir

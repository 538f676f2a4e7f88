// What tokens send to the splats that they keep, and what they receive from them: rows of a state, one by one.
#include <algorithm>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kColumnVectors = 8;  // sums of a row that stay in registers

// Lists of tokens: rows go level by level.
struct Lists {
  Value score, splat, count;

  Value splatAt(KernelEmitter& e, Value row, Value slot) const { return e.toIndex(e.get(splat, {row, slot})); }
  void forEachKept(KernelEmitter& e, Value row, function_ref<void(Value slot)> body) const {
    e.forEach(e.index(0), e.toIndex(e.get(count, {row})), 1, body);
  }
};

// (1, 0, 0, …).
Value firstLane(KernelEmitter& e) {
  SmallVector<float> lanes(e.lanes(), 0);
  lanes[0] = 1;
  return arith::ConstantOp::create(e.b, DenseElementsAttr::get(e.f32Vector(), ArrayRef(lanes)));
}

// Columns of the values that reach a splat: those that its level keeps, or all of them.
enum class Reach { kLevel, kAll };

// body(c) of each vector of columns that reaches the splat.
void forEachColumn(KernelEmitter& e, Value splat, Reach reach, function_ref<void(Value column)> body) {
  const auto columns = [&](int64_t from, int64_t to) {
    for (int64_t c = from; c < to; c += e.lanes()) body(e.index(c));
  };
  if (reach == Reach::kAll) return columns(0, e.params.paddedValueDim);
  int64_t from = 0;
  for (const auto& range : llvm::reverse(e.params.ranges)) {  // coarse to fine: the finer keep those of the coarser, and more
    if (from == 0) {
      columns(0, range.columns);
    } else {
      Value finer = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, splat, e.index(range.end));
      e.when(finer, [&] { columns(from, range.columns); });
    }
    from = range.columns;
  }
}

// The token of list `row` sends `value`, a row of values, to one splat. Its max follows where the token is much nearer than any before.
void emitSendTo(KernelEmitter& e, const Lists& keys, Value row, Value slot, Value amplitude, Value values, Value token,
                const TileState& state, Reach reach) {
  Value splat = keys.splatAt(e, row, slot), affinity = e.sub(e.get(keys.score, {row, slot}), e.get(amplitude, {splat}));
  Value oldMax = e.get(state.max, {splat});
  Value grows = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, affinity, e.add(oldMax, e.f32(kLazyRescale)));
  e.when(grows, [&] { emitRescaleRow(e, splat, oldMax, affinity, state); });
  Value weight = e.exp2(e.spread(e.sub(affinity, e.select(grows, affinity, oldMax))));
  e.store(e.multiplyAdd(weight, firstLane(e), e.load(state.sum, {splat, e.index(0)})), state.sum, {splat, e.index(0)});
  forEachColumn(e, splat, reach, [&](Value column) {
    e.store(e.multiplyAdd(weight, e.load(values, {token, column}), e.load(state.acc, {splat, column})), state.acc, {splat, column});
  });
}

void emitSendToken(KernelEmitter& e, const Lists& keys, Value token, Value tokens, Value amplitude, Value values, const TileState& state,
                   Reach reach) {
  Value levels = arith::DivUIOp::create(e.b, e.dim(keys.count, 0), tokens);  // 1 where links have passed on what it sends
  e.forEach(e.index(0), levels, 1, [&](Value level) {
    Value row = e.addIndex(arith::MulIOp::create(e.b, level, tokens), token);
    keys.forEachKept(e, row, [&](Value slot) { emitSendTo(e, keys, row, slot, amplitude, values, token, state, reach); });
  });
}

// One query and the state that it receives from.
struct Receiver {
  KernelEmitter& e;
  Lists queries;
  Value query, stride, levels;  // list of level ℓ: query + ℓ · stride
  Value levelWeight, gate;      // gate: null, or [rows,16]
  TileState state;
  Value weights;  // [levels,W]

  Value list(Value level) const { return e.addIndex(arith::MulIOp::create(e.b, level, stride), query); }

  // weights = log2(w a φ) + max of each splat; returns the greatest.
  Value findLogWeights() const {
    return e.fold(e.index(0), levels, 1, {e.f32(kNoSplat)}, [&](Value level, ValueRange carried) {
      Value row = list(level), weight = e.get(levelWeight, {level});
      if (gate) weight = e.add(weight, e.get(gate, {query, level}));
      return e.fold(e.index(0), e.toIndex(e.get(queries.count, {row})), 1, carried, [&](Value slot, ValueRange most) {
        Value x = e.add(e.add(e.get(queries.score, {row, slot}), weight), e.get(state.max, {queries.splatAt(e, row, slot)}));
        e.set(x, weights, {level, slot});
        return SmallVector<Value>{e.max(x, most[0])};
      });
    })[0];
  }

  // weights = 2^(weights - most), slots behind the kept ones too.
  void findWeights(Value most) const {
    e.forEach(e.index(0), levels, 1, [&](Value level) {
      e.forEach(e.params.nearSlots(), e.lanes(),
                [&](Value slot) { e.store(e.exp2(e.sub(e.load(weights, {level, slot}), e.spread(most))), weights, {level, slot}); });
    });
  }

  // Σ weight · rows[splat, first + v · lanes] of what is kept of the finest `some` levels.
  SmallVector<Value> sumRows(Value rows, int64_t first, int64_t vectors, Value some) const {
    SmallVector<Value> zeros(vectors, e.f32s(0));
    return e.fold(e.index(0), some, 1, zeros, [&](Value level, ValueRange carried) {
      Value row = list(level);
      return e.fold(e.index(0), e.toIndex(e.get(queries.count, {row})), 1, carried, [&](Value slot, ValueRange sums) {
        Value weight = e.spread(e.get(weights, {level, slot})), splat = queries.splatAt(e, row, slot);
        SmallVector<Value> next;
        for (int64_t v = 0; v < vectors; ++v)
          next.push_back(e.multiplyAdd(weight, e.load(rows, {splat, e.index(first + v * e.lanes())}), sums[v]));
        return next;
      });
    });
  }

  void receive(Value output, Value at) const {
    findWeights(findLogWeights());
    Value total = e.f32s(0);
    for (Value part : sumRows(state.sum, 0, kSumLanes / e.lanes(), levels)) total = e.add(total, part);
    total = e.spread(e.reduceAdd(total));
    Value empty = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, total, e.f32s(0));
    Value inverse = e.select(empty, e.f32s(0), arith::DivFOp::create(e.b, e.f32s(1), total));
    const int64_t most = e.params.levelColumns.front();
    for (int64_t c = most; c < e.params.paddedValueDim; c += e.lanes()) e.store(e.f32s(0), output, {at, e.index(c)});  // kept by none
    int64_t end = 0;
    for (int64_t first = 0; first < most; first = end) {
      const int64_t keep = llvm::count_if(e.params.levelColumns, [&](int64_t columns) { return columns > first; });
      end = std::min(e.params.levelColumns[keep - 1], first + kColumnVectors * e.lanes());
      const SmallVector<Value> sums = sumRows(state.acc, first, (end - first) / e.lanes(), keep < e.params.levels ? e.index(keep) : levels);
      for (auto [v, sum] : llvm::enumerate(sums))
        e.store(e.mul(sum, inverse), output, {at, e.index(first + static_cast<int64_t>(v) * e.lanes())});
    }
  }
};

}  // namespace

void emitSendSparse(KernelEmitter& e, ValueRange arguments) {
  const Lists keys{arguments[0], arguments[1], arguments[2]};
  const TileState state{arguments[5], arguments[6], arguments[7]};
  const Reach reach = e.params.passesOnState ? Reach::kAll : Reach::kLevel;
  Value tokens = e.dim(arguments[4], 0);
  e.forEach(e.index(0), tokens, 1, [&](Value token) { emitSendToken(e, keys, token, tokens, arguments[3], arguments[4], state, reach); });
}

void emitReceiveSparse(KernelEmitter& e, ValueRange arguments) {
  const Lists queries{arguments[0], arguments[1], arguments[2]};
  const TileState state{arguments[4], arguments[5], arguments[6]};
  const auto outs = arguments.take_back(2);
  Value gate = arguments.size() > 9 ? arguments[7] : Value(), output = outs[0], tokens = e.dim(output, 0);
  e.forEach(e.index(0), tokens, 1, [&](Value token) {
    Receiver{e, queries, token, tokens, e.dim(arguments[3], 0), arguments[3], gate, state, outs[1]}.receive(output, token);
  });
}

void emitReceivePrefix(KernelEmitter& e, ValueRange arguments) {
  const Lists keys{arguments[0], arguments[1], arguments[2]}, queries{arguments[5], arguments[6], arguments[7]};
  const auto outs = arguments.take_back(5);
  const TileState state{outs[0], outs[1], outs[2]};
  Value gate = arguments.size() > 14 ? arguments[9] : Value();
  Value values = arguments[4], output = outs[3], tokens = e.dim(values, 0), rows = e.dim(output, 0), levels = e.dim(arguments[8], 0);
  e.forEach(e.index(0), tokens, 1, [&](Value token) {
    emitSendToken(e, keys, token, tokens, arguments[3], values, state, Reach::kLevel);
    e.forEach(e.index(0), arith::DivUIOp::create(e.b, rows, tokens), 1, [&](Value head) {
      Value row = e.addIndex(arith::MulIOp::create(e.b, head, tokens), token);
      Receiver{e, queries, row, rows, levels, arguments[8], gate, state, outs[4]}.receive(output, row);
    });
  });
}

}  // namespace hsa::ir

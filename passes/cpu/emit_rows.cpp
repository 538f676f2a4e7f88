// Rows as the user gave them become rows, panels and leaves of the kernels, and rows of the kernels become the user's.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kQuad = 4;  // slots, and columns, that are transposed at once

Value roundDown(KernelEmitter& e, Value x, int64_t multiple) {
  return e.mulIndex(arith::DivUIOp::create(e.b, x, e.index(multiple)), multiple);
}

constexpr int64_t kRowsAhead =
    16;  // whose memory is brought while a row is moved: it crosses the pages that the processor's own prefetcher stops at

// Behind the last row the lines are for nobody; a prefetch cannot fault.
void prefetchAhead(KernelEmitter& e, Value memref, Value row, Value column, bool isWrite) {
  memref::PrefetchOp::create(e.b, memref, ValueRange{e.addIndex(row, e.index(kRowsAhead)), column}, isWrite, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

Type elementOf(Value memref) { return cast<MemRefType>(memref.getType()).getElementType(); }
Value zeroOf(KernelEmitter& e, Type type) { return arith::ConstantOp::create(e.b, e.b.getZeroAttr(type)); }
Value isSlot(KernelEmitter& e, Value order) { return arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, order, e.i32(0)); }

// To nearest even: half of what is cut off is added, or just below it where the last kept bit is even. A NaN keeps its upper half and becomes
// quiet; rounding could carry it into infinity. Scalars and vectors alike.
Value toBf16(KernelEmitter& e, Value wide) {
  auto vector = dyn_cast<VectorType>(wide.getType());
  auto like = [&](Type t) -> Type { return vector ? Type(VectorType::get(vector.getShape(), t)) : t; };
  auto number = [&](int64_t value) { return vector ? e.i32s(value) : e.i32(value); };
  Value bits = arith::BitcastOp::create(e.b, like(e.b.getI32Type()), wide);
  Value upper = arith::ShRUIOp::create(e.b, bits, number(16));
  Value half = arith::AddIOp::create(e.b, arith::AndIOp::create(e.b, upper, number(1)), number(0x7fff));
  Value rounded = arith::ShRUIOp::create(e.b, arith::AddIOp::create(e.b, bits, half), number(16));
  Value nan = arith::CmpFOp::create(e.b, arith::CmpFPredicate::UNO, wide, wide);
  Value kept = e.select(nan, arith::OrIOp::create(e.b, upper, number(0x40)), rounded);
  return arith::BitcastOp::create(e.b, like(e.b.getBF16Type()), arith::TruncIOp::create(e.b, like(e.b.getI16Type()), kept));
}

// Row `from` of `rows`, `width` columns of it, to `at`… of `out`; zeros up to `padded`. Elements are moved as they are.
void copyRow(KernelEmitter& e, Value rows, Value from, Value width, Value out, ArrayRef<Value> at, int64_t padded) {
  auto to = [&](Value column) {
    SmallVector<Value> all(at);
    all.push_back(column);
    return all;
  };
  Value whole = roundDown(e, width, e.lanes()), zero = zeroOf(e, e.vectorOf(elementOf(out)));
  e.forEach(e.index(0), whole, e.lanes(), [&](Value c) { e.store(e.load(rows, {from, c}), out, to(c)); });
  e.forEach(whole, e.index(padded), e.lanes(), [&](Value c) { e.store(zero, out, to(c)); });
  e.forEach(whole, width, 1, [&](Value c) { e.set(e.get(rows, {from, c}), out, to(c)); });
}

// Four rows of four elements ↔ four columns.
SmallVector<Value> transposeQuad(KernelEmitter& e, ArrayRef<Value> rows) {
  auto shuffle = [&](Value x, Value y, ArrayRef<int64_t> lanes) -> Value { return vector::ShuffleOp::create(e.b, x, y, lanes); };
  Value low01 = shuffle(rows[0], rows[1], {0, 4, 1, 5}), high01 = shuffle(rows[0], rows[1], {2, 6, 3, 7});
  Value low23 = shuffle(rows[2], rows[3], {0, 4, 1, 5}), high23 = shuffle(rows[2], rows[3], {2, 6, 3, 7});
  return {shuffle(low01, low23, {0, 1, 4, 5}), shuffle(low01, low23, {2, 3, 6, 7}), shuffle(high01, high23, {0, 1, 4, 5}),
          shuffle(high01, high23, {2, 3, 6, 7})};
}

// The keys of four slots with rows `from` to lanes [lane, lane + 4) of a panel. An empty slot reads the row `present` and stores zeros.
void transposeRows(KernelEmitter& e, Value rows, ArrayRef<Value> order, Value present, Value width, Value out, Value panel, Value lane) {
  Type element = elementOf(out);
  auto vector = VectorType::get({kQuad}, element);
  auto bits = VectorType::get({kQuad}, e.b.getIntegerType(element.getIntOrFloatBitWidth()));
  SmallVector<Value> from, live;
  for (Value row : order) {
    live.push_back(isSlot(e, row));
    from.push_back(e.toIndex(e.select(live.back(), row, present)));
  }
  Value whole = roundDown(e, width, kQuad), zeros = zeroOf(e, bits), zero = zeroOf(e, element);
  e.forEach(e.index(0), whole, kQuad, [&](Value d) {
    SmallVector<Value> quad;
    for (int64_t i = 0; i < kQuad; ++i) {
      Value loaded = vector::LoadOp::create(e.b, vector, rows, ValueRange{from[i], d});
      quad.push_back(e.select(live[i], arith::BitcastOp::create(e.b, bits, loaded), zeros));
    }
    for (auto [i, column] : llvm::enumerate(transposeQuad(e, quad)))
      vector::StoreOp::create(e.b, arith::BitcastOp::create(e.b, vector, column), out,
                              ValueRange{panel, e.addIndex(d, e.index(static_cast<int64_t>(i))), lane});
  });
  e.forEach(whole, width, 1, [&](Value d) {
    for (int64_t i = 0; i < kQuad; ++i)
      e.set(e.select(live[i], e.get(rows, {from[i], d}), zero), out, {panel, d, e.addIndex(lane, e.index(i))});
  });
}

// Keys and values in the given order, in panels of 16 slots; as many columns as the rows have, zeros behind.
void emitPack(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], values = arguments[1], order = arguments[2], panelK = arguments[3], panelV = arguments[4];
  Value keyWidth = e.dim(keys, 1), valueWidth = e.dim(values, 1);
  Value zeros = zeroOf(e, VectorType::get({kQuad}, elementOf(panelK)));
  e.forEach(e.index(0), e.dim(order, 0), kQuad, [&](Value slot) {
    Value panel = arith::DivUIOp::create(e.b, slot, e.index(kPanelKeys)), lane = arith::RemUIOp::create(e.b, slot, e.index(kPanelKeys));
    SmallVector<Value> rows;
    for (int64_t i = 0; i < kQuad; ++i) rows.push_back(e.get(order, {e.addIndex(slot, e.index(i))}));
    Value present = rows[0];
    for (Value row : rows) present = arith::MaxSIOp::create(e.b, present, row);
    Value width = e.select(isSlot(e, present), keyWidth, e.index(0));
    transposeRows(e, keys, rows, present, width, panelK, panel, lane);
    e.forEach(width, e.index(e.params.paddedHeadDim), 1,
              [&](Value d) { vector::StoreOp::create(e.b, zeros, panelK, ValueRange{panel, d, lane}); });
    e.forEach(kQuad, 1, [&](Value i) {
      Value row = e.get(order, {e.addIndex(slot, i)});
      copyRow(e, values, e.toIndex(row), e.select(isSlot(e, row), valueWidth, e.index(0)), panelV, {panel, e.addIndex(lane, i)},
              e.params.paddedValueDim);
    });
  });
}

// Elements are moved as they are, so one function serves every type of a width.
void callPack(KernelEmitter& e, ValueRange arguments) {
  const unsigned bits = elementOf(arguments[0]).getIntOrFloatBitWidth();
  Type element = e.b.getIntegerType(bits);
  const int64_t any = ShapedType::kDynamic;
  auto rows = MemRefType::get({any, any}, element, StridedLayoutAttr::get(e.b.getContext(), any, {any, 1}));
  SmallVector<Value> raw;
  for (Value argument : arguments) raw.push_back(elementOf(argument).isInteger(32) ? argument : e.bits(argument));
  e.call("pack_" + std::to_string(bits),
         {rows, rows, e.blockType({any}, e.b.getI32Type()), e.blockType({any, e.params.paddedHeadDim, kPanelKeys}, element),
          e.blockType({any, kPanelKeys, e.params.paddedValueDim}, element)},
         raw, emitPack);
}

}  // namespace

// widened = raw as f32, zeros behind it. A row is bad when 0 · x is not 0 for some x.
void emitWidenRows(KernelEmitter& e, ValueRange arguments) {
  Value raw = arguments[0], widened = arguments[1], badRows = arguments[2];
  Value width = e.dim(raw, 1), padded = e.dim(widened, 1), whole = roundDown(e, width, e.lanes());
  e.forEach(e.index(0), e.dim(raw, 0), 1, [&](Value row) {
    SmallVector<Value> check = e.fold(e.index(0), whole, e.lanes(), {e.f32s(0)}, [&](Value c, ValueRange carried) {
      prefetchAhead(e, raw, row, c, /*isWrite=*/false);
      Value x = e.widen(raw, {row, c});
      e.store(x, widened, {row, c});
      return SmallVector<Value>{e.multiplyAdd(x, e.f32s(0), carried[0])};
    });
    e.forEach(whole, padded, e.lanes(), [&](Value c) { e.store(e.f32s(0), widened, {row, c}); });
    check = e.fold(whole, width, 1, {e.reduceAdd(check[0])}, [&](Value c, ValueRange carried) {
      Value x = e.widenScalar(e.get(raw, {row, c}));
      e.set(x, widened, {row, c});
      return SmallVector<Value>{e.multiplyAdd(x, e.f32(0), carried[0])};
    });
    Value bad = arith::CmpFOp::create(e.b, arith::CmpFPredicate::UNO, check[0], check[0]);
    e.set(arith::ExtUIOp::create(e.b, e.b.getI32Type(), bad), badRows, {row});
  });
}

void emitStoreRows(KernelEmitter& e, ValueRange arguments) {
  Value rows = arguments[0], out = arguments[1], width = e.dim(out, 1), whole = roundDown(e, width, e.lanes());
  auto narrow = [&](Value x) { return elementOf(out).isBF16() ? toBf16(e, x) : x; };
  e.forEach(e.index(0), e.dim(out, 0), 1, [&](Value row) {
    e.forEach(e.index(0), whole, e.lanes(), [&](Value c) {
      prefetchAhead(e, out, row, c, /*isWrite=*/true);
      e.store(narrow(e.load(rows, {row, c})), out, {row, c});
    });
    e.forEach(whole, width, 1, [&](Value c) { e.set(narrow(e.get(rows, {row, c})), out, {row, c}); });
  });
}

void emitPackPanels(KernelEmitter& e, ValueRange arguments) { callPack(e, arguments); }

void emitPackLeaves(KernelEmitter& e, ValueRange arguments) { callPack(e, arguments); }

}  // namespace hsa::ir

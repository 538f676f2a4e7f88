// Rows become integers of 8 bits (hsa.quantize): turned by a Hadamard matrix, which spreads what is large in one dimension over all, then in steps of a
// 127th of the greatest number of the row. Keys are lanes of a panel, dimensions of a query are.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kBlock = 16;         // dimensions that the smallest turn mixes
constexpr double kMost = 127;          // integers of a row: -127..127
constexpr double kMagic = 12582912.0;  // 1.5·2^23: adding it rounds to an integer, in the low bits of
constexpr int64_t kMagicBits = 0x4b400000;
constexpr double kLeast = 1e-30;  // a row of zeros has a scale, too

// Dimensions that are mixed: whole blocks times the greatest power of two that divides their number.
int64_t turnSize(int64_t dims) {
  int64_t size = kBlock;
  while (dims % (2 * size) == 0) size *= 2;
  return size;
}

Value intsOf(KernelEmitter& e, Value floats) { return arith::BitcastOp::create(e.b, e.vectorOf(e.b.getI32Type()), floats); }
Value floatsOf(KernelEmitter& e, Value ints) { return arith::BitcastOp::create(e.b, e.f32Vector(), ints); }
Value magnitude(KernelEmitter& e, Value x) { return floatsOf(e, arith::AndIOp::create(e.b, intsOf(e, x), e.i32s(0x7fffffff))); }

// The integers nearest to x · factor.
Value rounded(KernelEmitter& e, Value x, Value factor) {
  return arith::SubIOp::create(e.b, intsOf(e, e.multiplyAdd(x, factor, e.f32s(kMagic))), e.i32s(kMagicBits));
}

// ---- a panel: one vector of 16 keys for each dimension
void turnPanel(KernelEmitter& e, Value batch, Value panel) {
  const int64_t dims = e.params.paddedHeadDim, size = turnSize(dims);
  for (int64_t half = 1; half < size; half *= 2)
    e.forEach(dims, 2 * half, [&](Value first) {
      e.forEach(half, 1, [&](Value i) {
        Value low = e.addIndex(first, i), high = e.addIndex(low, e.index(half));
        Value a = e.load(batch, {panel, low, e.index(0)}), b = e.load(batch, {panel, high, e.index(0)});
        e.store(e.add(a, b), batch, {panel, low, e.index(0)});
        e.store(e.sub(a, b), batch, {panel, high, e.index(0)});
      });
    });
}

void codePanel(KernelEmitter& e, Value batch, Value slot, Value panel, Value bytes, Value scales, Value sums) {
  constexpr int64_t kQuad = 4, kByte = 0xff, kOffset = 128;
  const int64_t dims = e.params.paddedHeadDim;
  // A key that is not finite is NaN in every dimension, so the last one is: it passes max() as its second operand.
  Value most = e.fold(e.index(0), e.index(dims), 1, {e.f32s(kLeast)}, [&](Value d, ValueRange carried) {
    return SmallVector<Value>{e.max(carried[0], magnitude(e, e.load(batch, {slot, d, e.index(0)})))};
  })[0];
  e.store(e.mul(most, e.f32s(1 / kMost)), scales, {panel, e.index(0)});
  Value factor = arith::DivFOp::create(e.b, e.f32s(kMost), most);
  Value sum = e.fold(e.index(0), e.index(dims / kQuad), 1, {e.i32s(0)}, [&](Value quad, ValueRange carried) {
    Value word, total = carried[0];
    for (int64_t i = 0; i < kQuad; ++i) {
      Value number = rounded(e, e.load(batch, {slot, e.addIndex(e.mulIndex(quad, kQuad), e.index(i)), e.index(0)}), factor);
      total = arith::AddIOp::create(e.b, total, number);
      Value byte = arith::ShLIOp::create(e.b, arith::AndIOp::create(e.b, number, e.i32s(kByte)), e.i32s(8 * i));
      word = word ? Value(arith::OrIOp::create(e.b, word, byte)) : byte;
    }
    e.store(word, bytes, {panel, quad, e.index(0)});
    return SmallVector<Value>{total};
  })[0];
  e.store(arith::MulIOp::create(e.b, sum, e.i32s(-kOffset)), sums, {panel, e.index(0)});
}

// The middle of a batch in one dimension from the sums of its 16 lanes of four keys: their mean without the least and the greatest, so that a key far from all
// others, which rows may not even see, moves nothing; 0 where that is not finite.
Value middleOf(KernelEmitter& e, Value sums) {
  constexpr double kKeys = kBatchKeys - 2 * kBatchPanels;
  Value least = e.sub(e.f32(0), e.reduceMax(e.sub(e.f32s(0), sums))), most = e.reduceMax(sums);
  Value middle = e.mul(e.sub(e.sub(e.reduceAdd(sums), least), most), e.f32(1 / kKeys));
  Value finite = arith::CmpFOp::create(e.b, arith::CmpFPredicate::ORD, e.mul(middle, e.f32(0)), e.f32(0));
  return e.select(finite, middle, e.f32(0));
}

// batch = keys - center; the next batch's center is the middle of this one: what comes later changes no key that was coded.
void centerBatch(KernelEmitter& e, Value keys, Value first, Value number, Value center, Value batch) {
  Value next = e.addIndex(number, e.index(1));
  e.forEach(e.params.paddedHeadDim, 1, [&](Value d) {
    Value sum = e.f32s(0), mean = e.spread(e.get(center, {number, d}));
    for (int64_t p = 0; p < kBatchPanels; ++p) {
      Value row = e.load(keys, {e.addIndex(first, e.index(p)), d, e.index(0)});
      Value finite =
          arith::CmpFOp::create(e.b, arith::CmpFPredicate::ORD, row, row);  // the runtime spreads NaN over a key that is not finite
      sum = e.add(sum, e.select(finite, row, e.f32s(0)));
      e.store(e.sub(row, mean), batch, {e.index(p), d, e.index(0)});
    }
    e.set(middleOf(e, sum), center, {next, d});
  });
}

// ---- a query: as many vectors of 16 dimensions as it has
// Lane l of the result: x[l] + x[l + half] or x[l - half] - x[l].
Value turnLanes(KernelEmitter& e, Value x, int64_t half) {
  SmallVector<int64_t> across, merged;
  for (int64_t lane = 0; lane < kBlock; ++lane) {
    across.push_back(lane ^ half);
    merged.push_back((lane & half) != 0 ? kBlock + lane : lane);
  }
  Value other = vector::ShuffleOp::create(e.b, x, x, across);
  return vector::ShuffleOp::create(e.b, e.add(x, other), e.sub(other, x), merged);
}

SmallVector<Value> turnRow(KernelEmitter& e, SmallVector<Value> row) {
  for (Value& x : row)
    for (int64_t half = 1; half < kBlock; half *= 2) x = turnLanes(e, x, half);
  const int64_t size = turnSize(static_cast<int64_t>(row.size()) * kBlock) / kBlock;
  for (int64_t half = 1; half < size; half *= 2)
    for (size_t i = 0; i < row.size(); ++i)
      if (static_cast<int64_t>(i) / half % 2 == 0) {
        Value a = row[i], b = row[i + half];
        row[i] = e.add(a, b), row[i + half] = e.sub(a, b);
      }
  return row;
}

void codeQuery(KernelEmitter& e, Value query, Value row, Value bytes, Value scales) {
  constexpr int64_t kOffset = 128;
  const int64_t dims = e.params.paddedHeadDim;
  SmallVector<Value> x;
  for (int64_t d = 0; d < dims; d += kBlock) x.push_back(e.load(query, {row, e.index(d)}));
  x = turnRow(e, x);
  Value most = e.f32s(kLeast), check = e.f32s(0);
  for (Value part : x) most = e.max(most, magnitude(e, part)), check = e.multiplyAdd(part, e.f32s(0), check);
  Value peak = e.reduceMax(most);
  // 0 · x is NaN for a number that is not finite, and so is the scale.
  e.set(e.add(e.mul(peak, e.f32(1 / kMost / static_cast<double>(turnSize(dims)))), e.reduceAdd(check)), scales, {row});
  Value factor = e.spread(arith::DivFOp::create(e.b, e.f32(kMost), peak));
  auto narrow = VectorType::get({kBlock}, e.b.getIntegerType(8)), words = VectorType::get({kBlock / 4}, e.b.getI32Type());
  for (auto [i, part] : llvm::enumerate(x)) {
    Value numbers = arith::AddIOp::create(e.b, rounded(e, part, factor), e.i32s(kOffset));
    Value packed = vector::BitCastOp::create(e.b, words, arith::TruncIOp::create(e.b, narrow, numbers));
    vector::StoreOp::create(e.b, packed, bytes, ValueRange{row, e.index(static_cast<int64_t>(i) * kBlock / 4)});
  }
}

}  // namespace

void emitByteQuery(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], bytes = arguments[1], scales = arguments[2];
  e.forEachRow([&](Value row) { codeQuery(e, query, row, bytes, scales); });
}

void emitPackBytes(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], bytes = arguments[1], scales = arguments[2], sums = arguments[3], center = arguments[4], batch = arguments[5];
  e.forEach(e.index(0), arith::DivUIOp::create(e.b, e.dim(keys, 0), e.index(kBatchPanels)), 1, [&](Value number) {
    Value first = e.mulIndex(number, kBatchPanels);
    centerBatch(e, keys, first, number, center, batch);
    e.forEach(kBatchPanels, 1, [&](Value slot) {
      turnPanel(e, batch, slot);
      codePanel(e, batch, slot, e.addIndex(first, slot), bytes, scales, sums);
    });
  });
}

}  // namespace hsa::ir

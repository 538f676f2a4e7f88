// Keys in integers of 8 bits, read exactly: scores by vpdpbusd, four dimensions to a sum; everything behind them as of keys in f32.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kCenteredPanels = kBatchKeys * kBatchPanels;  // panels whose centers are one batch of panels of centers

struct ByteQuery {
  Value bytes, scale, centers;  // [TQ,D/4] i32, [TQ]; products with the center of the batch, row r at 64 r
};
struct ByteKeys {
  Value bytes, scale, sum;  // [4,D/4,16] i32, [4,16], [4,16] i32
};

int64_t centersSpan(KernelEmitter& e) { return (e.params.tileQueries - 1) * kBatchKeys + 1; }

// sum + Σ of the products of four unsigned and four signed bytes, lane by lane.
Value addProducts(KernelEmitter& e, Value sum, Value unsignedWords, Value signedWords) {
  auto bytes = VectorType::get({4 * e.lanes()}, e.b.getIntegerType(8));
  Value left = vector::BitCastOp::create(e.b, bytes, unsignedWords), right = vector::BitCastOp::create(e.b, bytes, signedWords);
  return LLVM::CallIntrinsicOp::create(e.b, sum.getType(), e.b.getStringAttr("llvm.x86.avx512.vpdpbusd.512"), ValueRange{sum, left, right})
      ->getResult(0);
}

void emitByteScores(KernelEmitter& e, const ByteQuery& query, const ByteKeys& keys, Value scores) {
  const int64_t vectors = e.tile.vectors;
  e.forEach(kBatchKeys, vectors * kPanelKeys, [&](Value key) {
    Value panel = arith::DivUIOp::create(e.b, key, e.index(kPanelKeys));
    auto at = [&](int64_t v) { return e.addIndex(panel, e.index(v)); };
    e.forEachRowBlock([&](Value first, int64_t count) {
      SmallVector<Value> sums;  // the bytes of queries are 128 too large: where their share is taken off
      for (int64_t r = 0; r < count; ++r)
        for (int64_t v = 0; v < vectors; ++v) sums.push_back(e.load(keys.sum, {at(v), e.index(0)}));
      sums = accumulateRows(
          e, e.index(0), e.index(e.params.paddedHeadDim / 4), vectors, sums,
          [&](int64_t r, Value k) { return e.spread(e.get(query.bytes, {e.addIndex(first, e.index(r)), k})); },
          [&](Value k, int64_t v) { return e.load(keys.bytes, {at(v), k, e.index(0)}); },
          [&](Value sum, Value x, Value column) { return addProducts(e, sum, x, column); });
      for (int64_t r = 0; r < count; ++r) {
        Value row = e.addIndex(first, e.index(r)), scale = e.spread(e.get(query.scale, {row}));
        Value center = e.spread(e.get(query.centers, {e.mulIndex(row, kBatchKeys)}));
        for (int64_t v = 0; v < vectors; ++v) {
          Value product = arith::SIToFPOp::create(e.b, e.f32Vector(), sums[r * vectors + v]);
          Value scaled = e.mul(product, e.load(keys.scale, {at(v), e.index(0)}));
          e.store(e.multiplyAdd(scaled, scale, center), scores, {row, e.addIndex(key, e.index(v * e.lanes()))});
        }
      }
    });
  });
}

void callByteScores(KernelEmitter& e, const ByteQuery& query, const ByteKeys& keys, Value scores) {
  Type f32 = e.b.getF32Type(), i32 = e.b.getI32Type();
  const int64_t tq = e.params.tileQueries, words = e.params.paddedHeadDim / 4;
  func::FuncOp function = e.call("byte_scores",
                                 {e.blockType({tq, words}, i32), e.blockType({tq}, f32), e.blockType({centersSpan(e)}, f32),
                                  e.blockType({kBatchPanels, words, kPanelKeys}, i32), e.blockType({kBatchPanels, kPanelKeys}, f32),
                                  e.blockType({kBatchPanels, kPanelKeys}, i32), e.blockType({tq, kBatchKeys}, f32)},
                                 {query.bytes, query.scale, query.centers, keys.bytes, keys.scale, keys.sum, scores},
                                 [](KernelEmitter& in, ValueRange a) { emitByteScores(in, {a[0], a[1], a[2]}, {a[3], a[4], a[5]}, a[6]); });
  function->setAttr("hsa.features", e.b.getStringAttr(kByteFeatures));
}

}  // namespace

void emitAttendBytes(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], firstKeys = arguments[1], centerPanels = arguments[7], values = arguments[8], positions = arguments[9],
        bad = arguments[10], range = arguments[11];
  const Visible visible{arguments[12], arguments[13]};
  const TileState state{arguments[14], arguments[15], arguments[16]};
  Value scores = arguments[17], centers = arguments[18];
  Value begin = e.toIndex(e.get(range, {e.index(0)})), end = e.toIndex(e.get(range, {e.index(1)}));
  auto batch = [&](Value memref, Value panel) { return e.slice(memref, panel, kBatchPanels); };
  auto is = [&](arith::CmpIPredicate predicate, Value x, Value y) -> Value { return arith::CmpIOp::create(e.b, predicate, x, y); };
  e.when(is(arith::CmpIPredicate::eq, begin, e.index(0)), [&] {
    Value first = e.index(0);
    callAttendBatch(e, query, {batch(firstKeys, first), batch(values, first), batch(positions, first), batch(bad, first)}, visible, state,
                    scores);
  });
  Value coded = e.select(is(arith::CmpIPredicate::eq, begin, e.index(0)), e.index(kBatchPanels), begin);
  Value firstBlock = e.mulIndex(arith::DivUIOp::create(e.b, coded, e.index(kCenteredPanels)), kCenteredPanels);
  e.forEach(firstBlock, end, kCenteredPanels, [&](Value block) {
    // The queries' products with the centers of 64 batches.
    Value batches = e.mulIndex(arith::DivUIOp::create(e.b, block, e.index(kCenteredPanels)), kBatchPanels);
    callScoreBatch(e, query, batch(centerPanels, batches), centers, e.params.paddedHeadDim);
    Value from = e.select(is(arith::CmpIPredicate::ult, coded, block), block, coded);
    Value to = e.minIndex(end, e.addIndex(block, e.index(kCenteredPanels)));
    e.forEach(from, to, kBatchPanels, [&](Value panel) {
      Value number = arith::DivUIOp::create(e.b, arith::SubIOp::create(e.b, panel, block), e.index(kBatchPanels));
      const ByteQuery rows{arguments[2], arguments[3], e.view(centers, number, {centersSpan(e)})};
      meetBatch(e, {batch(values, panel), batch(positions, panel), batch(bad, panel)}, visible, state, scores, [&] {
        callByteScores(e, rows, {batch(arguments[4], panel), batch(arguments[5], panel), batch(arguments[6], panel)}, scores);
      });
    });
  });
}

}  // namespace hsa::ir

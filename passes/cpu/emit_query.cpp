// A tile of queries: taken in, described to the bands of the splats, and turned into output rows at the end.
#include <cmath>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

// query = rows, zero behind the last row; the state of a row that has seen nothing. σ comes in behind the product, which stays exact longer.
void emitLoadQuery(KernelEmitter& e, ValueRange arguments) {
  Value rows = arguments[0], query = arguments[1];
  TileState state{arguments[2], arguments[3], arguments[4]};
  Value live = e.dim(rows, 0), zero = e.f32s(0);
  e.forEachRow([&](Value row) {
    e.forEach(e.params.paddedHeadDim, e.lanes(), [&](Value d) { e.store(zero, query, {row, d}); });
    e.set(e.f32(kNoMax), state.max, {row});
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) e.store(zero, state.sum, {row, e.index(c)});
    e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) { e.store(zero, state.acc, {row, c}); });
  });
  e.forEach(e.index(0), live, 1, [&](Value row) {
    e.forEach(e.params.paddedHeadDim, e.lanes(), [&](Value d) { e.store(e.load(rows, {row, d}), query, {row, d}); });
  });
}

// apart[r] = q_r − q₀, bands[r, b] = σ² ‖apart[r]_b‖².
void emitQueryBands(KernelEmitter& e, ValueRange arguments) {
  Value query = arguments[0], reference = arguments[1], bands = arguments[2], apart = arguments[3];
  const int64_t width = e.params.bandWidth();
  e.forEachRow([&](Value row) {
    e.forEach(e.params.paddedHeadDim, e.lanes(),
              [&](Value d) { e.store(e.sub(e.load(query, {row, d}), e.load(reference, {d})), apart, {row, d}); });
    e.forEach(e.params.bands, 1, [&](Value band) {
      Value lo = e.minIndex(e.mulIndex(band, width), e.index(e.params.headDim));
      Value hi = e.minIndex(e.addIndex(lo, e.index(width)), e.index(e.params.headDim));
      Value sum = e.fold(lo, hi, 1, {e.f32(0)}, [&](Value d, ValueRange carried) {
        Value x = e.get(apart, {row, d});
        return SmallVector<Value>{e.multiplyAdd(x, x, carried[0])};
      })[0];
      e.set(e.mul(sum, e.f32(e.params.scale * e.params.scale)), bands, {row, band});
    });
  });
}

// o = acc / Σ, lse = ln 2 · (max + log2 Σ); 0 and -inf for a row that saw no key.
void emitFinish(KernelEmitter& e, ValueRange arguments) {
  TileState state{arguments[0], arguments[1], arguments[2]};
  Value output = arguments[3], lse = arguments[4];
  e.forEachRow([&](Value row) {
    Value total = e.spread(e.sumOfLanes(state.sum, row));
    Value empty = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, total, e.f32s(0));
    Value inverse = e.select(empty, e.f32s(0), arith::DivFOp::create(e.b, e.f32s(1), total));
    e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) { e.store(e.mul(e.load(state.acc, {row, c}), inverse), output, {row, c}); });
    Value log = e.mul(e.add(e.spread(e.get(state.max, {row})), e.log2(total)), e.f32s(M_LN2));
    log = e.select(empty, e.f32s(-std::numeric_limits<double>::infinity()), log);
    e.set(e.reduceMax(log), lse, {row});
  });
}

}  // namespace hsa::ir

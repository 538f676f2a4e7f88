// Tokens relative to c, the mean center of the splats, where splats are isotropic: affinities become a product (passes/cpu/affinity_batch.h) whose terms
// cancel the less the nearer tokens and centers are to c.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/emitters.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

void emitCenterPanels(KernelEmitter& e, ValueRange arguments) {
  Value center = arguments[0], panels = arguments[1], norm = arguments[2];
  const int64_t vectors = kPanelKeys / e.lanes();
  e.forEach(e.index(0), e.dim(panels, 0), 1, [&](Value panel) {
    SmallVector<Value> zeros(vectors, e.f32s(0));
    SmallVector<Value> sums = e.fold(e.index(0), e.index(e.params.paddedHeadDim), 1, zeros, [&](Value d, ValueRange carried) {
      SmallVector<Value> squares(carried);
      Value shift = e.spread(e.get(center, {d}));
      for (int64_t v = 0; v < vectors; ++v) {
        Value lane = e.index(v * e.lanes()), apart = e.sub(e.load(panels, {panel, d, lane}), shift);
        e.store(apart, panels, {panel, d, lane});
        squares[v] = e.multiplyAdd(apart, apart, squares[v]);
      }
      return squares;
    });
    for (auto [v, sum] : llvm::enumerate(sums)) e.store(sum, norm, {panel, e.index(static_cast<int64_t>(v) * e.lanes())});
  });
}

// query = tokens - center, which may be the same rows.
static void emitCenterRows(KernelEmitter& e, Value tokens, Value center, Value query, Value norm) {
  e.forEachRow([&](Value row) {
    Value sum = e.fold(e.index(0), e.index(e.params.paddedHeadDim), e.lanes(), {e.f32s(0)}, [&](Value d, ValueRange carried) {
      Value apart = e.sub(e.load(tokens, {row, d}), e.load(center, {d}));
      e.store(apart, query, {row, d});
      return SmallVector<Value>{e.multiplyAdd(apart, apart, carried[0])};
    })[0];
    e.set(e.reduceAdd(sum), norm, {row});
  });
}

void emitCenterQuery(KernelEmitter& e, ValueRange arguments) {
  Value center = arguments[0], query = arguments[1], norm = arguments[2];
  emitCenterRows(e, query, center, query, norm);
}

void emitCenterTokens(KernelEmitter& e, ValueRange arguments) { emitCenterRows(e, arguments[0], arguments[1], arguments[2], arguments[3]); }

}  // namespace hsa::ir

// hsa-verify-layer: when a layer is reached, no op of the layers before it is left.
#include "passes/passes.h"

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_VERIFYLAYERPASS
#include "passes/passes.h.inc"

// Layer of an op of the dialect: ops with a meaning in float64 are of layers 0 and 1, the others work on tiles.
static int64_t layerOf(Operation* op) {
  if (isa<AttentionOp, RoutedAttentionOp>(op)) return 0;
  return isa<ReferenceOp, YieldOp>(op) ? 1 : 2;
}

namespace {

struct VerifyLayerPass : impl::VerifyLayerPassBase<VerifyLayerPass> {
  using VerifyLayerPassBase::VerifyLayerPassBase;

  void runOnOperation() override {
    const int64_t reached = layer;
    const WalkResult result = getOperation()->walk([reached](Operation* op) {
      if (!isa_and_nonnull<HsaDialect>(op->getDialect()) || layerOf(op) >= reached) return WalkResult::advance();
      op->emitOpError("is of layer ") << layerOf(op) << ", but layer " << reached << " is reached; no op of a layer below may be left";
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted()) signalPassFailure();
  }
};

}  // namespace

}  // namespace hsa::ir

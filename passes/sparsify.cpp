// hsa-sparsify: each token keeps the splats that are near it, where it sends and where it receives.
#include "passes/sparsify.h"

#include "passes/passes.h"

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_SPARSIFYPASS
#include "passes/passes.h.inc"

Value sparsify(ImplicitLocOpBuilder& b, Value affinity, const Sparsity& sparsity) {
  auto type = cast<RankedTensorType>(affinity.getType());
  const AffinityLayout layout = sparsity.keep.getThreshold() ? AffinityLayout::Csr : AffinityLayout::Ell;
  type = RankedTensorType::get(type.getShape(), type.getElementType(), AffinityLayoutAttr::get(b.getContext(), layout));
  return SparsifyOp::create(b, type, affinity, sparsity.key, sparsity.amplitude, sparsity.levels, sparsity.keep,
                            sparsity.causal ? b.getUnitAttr() : UnitAttr());
}

namespace {

// The affinity that the tokens of `sent` have before splats pass anything on.
AffinityOp affinityOf(Value sent) {
  if (auto flow = sent.getDefiningOp<FlowOp>()) sent = flow.getAffinity();
  return sent.getDefiningOp<AffinityOp>();
}

// Behind an affinity, for all that read it.
void sparsifyReaders(AffinityOp affinity, const Sparsity& sparsity) {
  ImplicitLocOpBuilder b(affinity.getLoc(), affinity.getContext());
  b.setInsertionPointAfter(affinity);
  // An amplitude that is computed later than the affinity would not be there yet.
  Operation* amplitude = sparsity.amplitude ? sparsity.amplitude.getDefiningOp() : nullptr;
  if (amplitude && affinity->isBeforeInBlock(amplitude)) b.setInsertionPointAfter(amplitude);
  Value kept = sparsify(b, affinity, sparsity);
  affinity.getResult().replaceAllUsesExcept(kept, kept.getDefiningOp());
}

template <typename Receive>
LogicalResult sparsifyAttention(Receive receive, Value sentAffinity, SparseAttr keep, bool causal) {
  auto received = receive.getAffinity().template getDefiningOp<AffinityOp>();
  AffinityOp sent = affinityOf(sentAffinity);
  if (!received || !sent)
    return receive.emitOpError("hsa-sparsify: wants an hsa.affinity of its queries and one of its keys that are still dense");
  const Sparsity sparsity{keep, receive.getLevelsAttr(), sent.getTokens(), receive.getAmplitude(), causal};
  sparsifyReaders(received, sparsity);
  if (sent != received) sparsifyReaders(sent, sparsity);
  return success();
}

struct SparsifyPass : impl::SparsifyPassBase<SparsifyPass> {
  using SparsifyPassBase::SparsifyPassBase;

  void runOnOperation() override {
    Builder b(&getContext());
    const auto complain = [&] { return getOperation()->emitError("hsa-sparsify: "); };
    auto keep = SparseAttr::getChecked(complain, &getContext(), int64_t(top), threshold > 0 ? b.getF64FloatAttr(threshold) : FloatAttr());
    if (!keep) return signalPassFailure();
    const WalkResult done = getOperation().walk([&](Operation* op) -> WalkResult {
      if (auto prefix = dyn_cast<ReceiveCausalOp>(op)) return sparsifyAttention(prefix, prefix.getSent(), keep, /*causal=*/true);
      auto receive = dyn_cast<ReceiveOp>(op);
      if (!receive) return WalkResult::advance();
      if (auto send = receive.getState().getDefiningOp<SendOp>()) return sparsifyAttention(receive, send.getSent(), keep, /*causal=*/false);
      return op->emitOpError("hsa-sparsify: receives a state that no hsa.send of this function makes");
    });
    if (done.wasInterrupted()) signalPassFailure();
  }
};

}  // namespace
}  // namespace hsa::ir

#include "passes/cpu/receivers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/gate_batch.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

Receivers receiversOf(KernelEmitter& e, Value scale, Value shift, ValueRange more) {
  Receivers receivers{{scale, shift}};
  if (e.params.isotropic) {
    receivers.norm = more[0];
    receivers.splats.product = more[1], receivers.splats.terms = more[2], receivers.splats.limit = more[3];
    more = more.drop_front(4);
  }
  if (e.params.factorRows > 0) receivers.splats.factor = more[0], more = more.drop_front(1);
  if (!more.empty()) receivers.gate = more[0], receivers.levels = more[1];
  return receivers;
}

void emitReceiverScores(KernelEmitter& e, Value query, const Receivers& receivers, Value splat, Value bias, Value scores) {
  callAffinityOfQueries(e, query, receivers.norm, panelsOfTile(e, receivers.splats, splat), e.slice(bias, splat, kSplatTile), scores);
  if (!receivers.gate) return;
  Value panel = arith::DivUIOp::create(e.b, splat, e.index(kPanelKeys));
  callGateBatch(e, receivers.gate, e.slice(receivers.levels, panel, kBatchPanels), scores);
}

}  // namespace hsa::ir

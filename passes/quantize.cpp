// hsa-quantize: keys that are read exactly are read in a narrower type, and the types say so. The stages of splats follow the precision that hsa-tile
// finds there: what they open is read as the near field is, and their own means stay sums of two narrow numbers.
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/passes.h"

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_QUANTIZEPASS
#include "passes/passes.h.inc"

namespace {

// `wide` in elements of `type`.
Value narrow(ImplicitLocOpBuilder& b, Value wide, Type type) {
  auto tensor = cast<RankedTensorType>(wide.getType());
  if (tensor.getElementType() == type) return wide;
  return QuantizeOp::create(b, RankedTensorType::get(tensor.getShape(), type), wide);
}

struct QuantizePass : impl::QuantizePassBase<QuantizePass> {
  using QuantizePassBase::QuantizePassBase;

  void runOnOperation() override {
    if (precision != "bf16") {
      getOperation().emitError("hsa-quantize: precision is '") << precision << "', wanted bf16";
      return signalPassFailure();
    }
    const Type type = BFloat16Type::get(&getContext());
    getOperation().walk([&](AttendExactOp attend) {
      ImplicitLocOpBuilder b(attend.getLoc(), attend);
      attend.getQueryMutable().assign(narrow(b, attend.getQuery(), type));
      attend.getKeyMutable().assign(narrow(b, attend.getKey(), type));
      attend.getValueMutable().assign(narrow(b, attend.getValue(), type));
    });
  }
};

}  // namespace

}  // namespace hsa::ir

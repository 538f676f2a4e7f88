// hsa-quantize: keys that are read exactly are read in a narrower type, and the types say so. The stages of splats follow the precision that hsa-tile
// finds there: what they open is read as the near field is, and their own means stay sums of two narrow numbers.
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/passes.h"

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_QUANTIZEPASS
#include "passes/passes.h.inc"

namespace {

enum class Center { kNone, kMean };

// `wide` in elements of `type`.
Value narrow(ImplicitLocOpBuilder& b, Value wide, Type type, Center center = Center::kNone) {
  auto tensor = cast<RankedTensorType>(wide.getType());
  if (tensor.getElementType() == type) return wide;
  return QuantizeOp::create(b, RankedTensorType::get(tensor.getShape(), type), wide, center == Center::kMean);
}

// Operands of integers would lose too much of the values: only what the scores are made of.
void narrowScores(AttendExactOp attend) {
  ImplicitLocOpBuilder b(attend.getLoc(), attend);
  const Type type = b.getI8Type();
  attend.getQueryMutable().assign(narrow(b, attend.getQuery(), type));
  attend.getKeyMutable().assign(narrow(b, attend.getKey(), type, Center::kMean));
}

void narrowAll(AttendExactOp attend) {
  ImplicitLocOpBuilder b(attend.getLoc(), attend);
  const Type type = b.getBF16Type();
  attend.getQueryMutable().assign(narrow(b, attend.getQuery(), type));
  attend.getKeyMutable().assign(narrow(b, attend.getKey(), type));
  attend.getValueMutable().assign(narrow(b, attend.getValue(), type));
}

struct QuantizePass : impl::QuantizePassBase<QuantizePass> {
  using QuantizePassBase::QuantizePassBase;

  void runOnOperation() override {
    if (precision != "bf16" && precision != "int8") {
      getOperation().emitError("hsa-quantize: precision is '") << precision << "', wanted bf16 or int8";
      return signalPassFailure();
    }
    getOperation().walk([&](AttendExactOp attend) {
      if (precision == "bf16") return narrowAll(attend);
      if (attend.getField() == Field::All) narrowScores(attend);  // the near field goes with the splats, which stay as they are
    });
  }
};

}  // namespace

}  // namespace hsa::ir

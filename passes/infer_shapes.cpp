// hsa-infer-shapes: result types as exact as the operands allow, and the defaults of hsa.attention written out.
#include "dialect/shape_check.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/passes.h"

#include <cmath>

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_INFERSHAPESPASS
#include "passes/passes.h.inc"

// Gives `value` the type `type`. A reader outside this dialect may depend on the old one, so it gets that back through a cast.
static void retype(OpResult value, Type type) {
  const Type old = value.getType();
  if (old == type) return;
  value.setType(type);
  Value cast;
  for (OpOperand& use : llvm::make_early_inc_range(value.getUses())) {
    if (isa<HsaDialect>(use.getOwner()->getDialect()) || isa<func::ReturnOp>(use.getOwner())) continue;
    if (!cast) {
      OpBuilder builder(value.getContext());
      builder.setInsertionPointAfterValue(value);
      cast = tensor::CastOp::create(builder, value.getLoc(), old, value);
    }
    use.set(cast);
  }
}

static void writeDefaults(AttentionOp attention) {
  MLIRContext* context = attention.getContext();
  Builder builder(context);
  if (!attention.getMask()) attention.setMaskAttr(MaskAttr::get(context, /*causal=*/false, /*slidingWindow=*/0, /*sinkTokens=*/0));
  if (!attention.getConfig()) attention.setConfigAttr(ConfigAttr::getDefault(context));
  const int64_t headDim = known(attention.getQuery().getType().getDimSize(2), attention.getKey().getType().getDimSize(2));
  if (!attention.getScale() && !ShapedType::isDynamic(headDim))
    attention.setScaleAttr(builder.getF64FloatAttr(1 / std::sqrt(double(headDim))));
}

namespace {

struct InferShapesPass : impl::InferShapesPassBase<InferShapesPass> {
  using InferShapesPassBase::InferShapesPassBase;

  void runOnOperation() override {
    // Operands come before their readers, so one walk reaches every type; the body of a stream, after its operands.
    getOperation()->walk<WalkOrder::PreOrder>([](Operation* op) {
      if (auto attention = dyn_cast<AttentionOp>(op)) writeDefaults(attention);
      if (auto stage = dyn_cast<ImpliedTypesOp>(op))
        for (auto [result, implied] : llvm::zip_equal(op->getResults(), stage.getImpliedTypes()))
          retype(result, refine(result.getType(), implied));
      if (auto stream = dyn_cast<StreamOp>(op))
        for (auto [argument, type] : llvm::zip_equal(stream.getBody().getArguments(), stream.getBodyTypes()))
          argument.setType(refine(argument.getType(), type));
    });
    if (getOperation().isDeclaration()) return;
    Operation* terminator = getOperation().front().getTerminator();
    if (getOperation().getBody().hasOneBlock())
      getOperation().setType(FunctionType::get(&getContext(), getOperation().getArgumentTypes(), terminator->getOperandTypes()));
  }
};

}  // namespace

}  // namespace hsa::ir

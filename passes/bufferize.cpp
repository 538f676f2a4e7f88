// Layer 2 on tensors → on memrefs, in place: an entry's outs are its results' memory, so no buffer is ever copied or allocated.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/passes.h"

namespace hsa::ir {

#define GEN_PASS_DEF_BUFFERIZEPASS
#include "passes/passes.h.inc"

using namespace mlir;  // NOLINT

namespace {

MemRefType memrefOf(RankedTensorType tensor, bool strided) {
  MemRefLayoutAttrInterface layout;
  if (strided) {  // rows of a user's tensor: any distance between rows, elements of a row side by side
    SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
    strides.back() = 1;
    layout = StridedLayoutAttr::get(tensor.getContext(), ShapedType::kDynamic, strides);
  }
  return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
}

bool isTileOp(Operation& op) { return op.getName().getStringRef().starts_with("hsa.tile_"); }

LogicalResult bufferizeEntry(func::FuncOp function) {
  Block& body = function.getBody().front();
  for (BlockArgument argument : body.getArguments()) {
    auto tensor = dyn_cast<RankedTensorType>(argument.getType());
    if (!tensor) return function.emitOpError("argument ") << argument.getArgNumber() << " is " << argument.getType() << ", wants a tensor";
    argument.setType(memrefOf(tensor, static_cast<bool>(function.getArgAttr(argument.getArgNumber(), "hsa.strided"))));
  }
  for (Operation& op : llvm::make_early_inc_range(body.without_terminator())) {
    if (!isTileOp(op)) return op.emitOpError("is no tile op: only they are bufferized in place");
    const int32_t ins = op.getAttrOfType<DenseI32ArrayAttr>("operandSegmentSizes")[0];
    for (OpResult result : op.getResults()) result.replaceAllUsesWith(op.getOperand(ins + result.getResultNumber()));
    OpBuilder b(&op);
    OperationState state(op.getLoc(), op.getName());
    state.addOperands(op.getOperands());
    state.addAttributes(op.getAttrs());
    b.create(state);
    op.erase();
  }
  // Destination style: what is returned is the memory of an out, which the caller already has.
  body.getTerminator()->setOperands({});
  function.setType(FunctionType::get(function.getContext(), body.getArgumentTypes(), {}));
  return success();
}

struct BufferizePass : impl::BufferizePassBase<BufferizePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(bufferizeEntry(function))) return signalPassFailure();
  }
};

}  // namespace
}  // namespace hsa::ir

// Layer 1 → 2: a fused attention and its exact fallback become one schedule with the entries that its stages call.
#include "dialect/shape_check.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/build_schedule.h"
#include "passes/passes.h"
#include "passes/tile_routed.h"

namespace hsa::ir {

#define GEN_PASS_DEF_TILEPASS
#include "passes/passes.h.inc"

using namespace mlir;  // NOLINT

namespace {

StringAttr tensorName(func::FuncOp function, Value value, StringRef otherwise) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "hsa.name")) return name;
  return StringAttr::get(function.getContext(), otherwise);
}

StringAttr outputName(func::FuncOp function) {
  if (auto name = function.getResultAttrOfType<StringAttr>(0, "hsa.name")) return name;
  return StringAttr::get(function.getContext(), "o");
}

// What hsa-quantize made of the operands of the exact fallback; nothing where they are as they were.
TypeAttr precisionOf(func::FuncOp exact) {
  TypeAttr precision;
  if (exact)
    exact.walk([&](AttendExactOp attend) {
      const Type type = cast<RankedTensorType>(attend.getKey().getType()).getElementType();
      if (!type.isF32()) precision = TypeAttr::get(type);
    });
  return precision;
}

LogicalResult tileAttention(func::FuncOp function, AttendFusedOp attend, TypeAttr precision, Narrowed narrowed) {
  auto type = [](Value v) { return cast<RankedTensorType>(v.getType()); };
  RankedTensorType query = type(attend.getQuery()), key = type(attend.getKey()), value = type(attend.getValue());
  const int64_t dims[] = {query.getDimSize(0), key.getDimSize(0), query.getDimSize(2), value.getDimSize(2)};
  if (llvm::is_contained(dims, ShapedType::kDynamic))
    return attend.emitOpError(
        "has dynamic heads or dims; kernels are compiled for fixed ones: give query and value static first and last sizes");
  OpBuilder b(function);
  ConfigAttr config = attend.getConfig();
  auto withTheta =
      ConfigAttr::get(b.getContext(), config.getOrder(), attend.getThetaAttr(), config.getNearSinkTokens(), config.getWindowTokens(),
                      config.getTileQueries(), config.getLeafTokens(), config.getMiniSegmentTokens(), config.getSegmentTokens(),
                      config.getBands(), config.getTolerance(), config.getConfidence(), config.getQueryOrder());
  auto i64 = [&](int64_t v) { return b.getI64IntegerAttr(v); };
  auto fixed = [&](int64_t tokens) { return ShapedType::isDynamic(tokens) ? IntegerAttr() : i64(tokens); };
  auto schedule = ScheduleOp::create(
      b, function.getLoc(), b.getStringAttr(function.getName()), tensorName(function, attend.getQuery(), "q"),
      tensorName(function, attend.getKey(), "k"), tensorName(function, attend.getValue(), "v"), outputName(function), i64(dims[0]),
      i64(dims[1]), i64(dims[2]), i64(dims[3]), attend.getScaleAttr(), attend.getMask(), withTheta, fixed(query.getDimSize(1)),
      fixed(known(key.getDimSize(1), value.getDimSize(1))), precision, DenseI64ArrayAttr(), DenseF64ArrayAttr(), ArrayAttr(), IntegerAttr(),
      StringAttr(), IntegerAttr(), ArrayAttr(), ArrayAttr(), DenseI64ArrayAttr(), DenseI64ArrayAttr(), DenseI64ArrayAttr(), SparseAttr(),
      ArrayAttr(), DenseI64ArrayAttr(), AdaptAttr(), IntegerAttr());
  function.erase();
  buildStages(schedule, narrowed);
  return success();
}

struct TilePass : impl::TilePassBase<TilePass> {
  using TilePassBase::TilePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<std::pair<func::FuncOp, Operation*>> attentions;
    for (auto function : module.getOps<func::FuncOp>())
      function.walk([&](Operation* op) {
        if (isa<AttendFusedOp, ReceiveOp, ReceiveCausalOp>(op)) attentions.push_back({function, op});
      });
    if (attentions.size() != 1) {
      module.emitError("module has ") << attentions.size()
                                      << " fused attentions, a plan of this version holds one; run hsa-decompose and hsa-fuse on a graph "
                                         "with one hsa.attention or hsa.routed_attention";
      return signalPassFailure();
    }
    auto [function, op] = attentions.front();
    auto attend = dyn_cast<AttendFusedOp>(op);
    if (!attend) {
      const auto nameOf = [function = function](Value tensor, StringRef otherwise) {
        return (isa<BlockArgument>(tensor) ? tensorName(function, tensor, otherwise) : outputName(function)).str();
      };
      if (failed(tileRouted(function, op, nameOf))) signalPassFailure();
      return;
    }
    // Every schedule carries the exact stages; the function that spelled them out for layer 1 says only their precision.
    auto exact = module.lookupSymbol<func::FuncOp>((function.getName() + "_exact").str());
    const TypeAttr precision = precisionOf(exact);
    if (exact) exact.erase();
    if (failed(tileAttention(function, attend, precision, stored ? Narrowed::kStored : Narrowed::kAll))) signalPassFailure();
  }
};

}  // namespace
}  // namespace hsa::ir

// Verifiers of layer 2.
#include "dialect/hsa_ops.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

LogicalResult verifyTileOp(Operation* op, ArrayRef<unsigned> numIns, unsigned numOuts) {
  auto segments = op->getAttrOfType<DenseI32ArrayAttr>("operandSegmentSizes");
  const unsigned ins = segments ? segments[0] : 0, outs = segments ? segments[1] : 0;
  if (!llvm::is_contained(numIns, ins)) {
    InFlightDiagnostic error = op->emitOpError("tile_c1: has ") << ins << " ins, takes ";
    llvm::interleave(numIns, error, " or ");
    return error;
  }
  if (outs != numOuts) return op->emitOpError("tile_c2: has ") << outs << " outs, takes " << numOuts;
  const bool tensors = isa<RankedTensorType>(op->getOperand(0).getType());
  for (Type type : op->getOperandTypes())
    if (isa<RankedTensorType>(type) != tensors) return op->emitOpError("tile_c3: mixes tensors and memrefs: ") << type;
  const unsigned wanted = tensors ? outs : 0;
  if (op->getNumResults() != wanted) return op->emitOpError("tile_c4: has ") << op->getNumResults() << " results, wants " << wanted;
  for (unsigned i = 0; i < wanted; ++i)
    if (op->getResult(i).getType() != op->getOperand(ins + i).getType())
      return op->emitOpError("tile_c5: result ")
             << i << " is " << op->getResult(i).getType() << ", its out is " << op->getOperand(ins + i).getType();
  return success();
}

LogicalResult ScheduleOp::verify() {
  if (getKvHeads() < 1 || getQueryHeads() % getKvHeads() != 0)
    return emitOpError("schedule_c1: query_heads is ") << getQueryHeads() << ", not a multiple of kv_heads " << getKvHeads();
  const bool routed = getSplatLevels().has_value();
  const bool names = getSplatNames() && getSplatNames()->size() == 3;
  if (routed != getLevelWeights().has_value() || routed != names || routed != getVarianceDim().has_value())
    return emitOpError("schedule_c2: splat_levels, level_weights, splat_names (three) and variance_dim come together, some are missing");
  const size_t levels = routed ? getSplatLevels()->size() : 0;
  if ((getLevelNames() && getLevelNames()->size() != levels) || (getLevelValueDims() && getLevelValueDims()->size() != levels))
    return emitOpError("schedule_c62: level_names and level_value_dims are of ") << levels << " levels, wanted one entry for each";
  if (getFactorName().has_value() != getFactorRows().has_value() || (routed && *getVarianceDim() == 0 && !getFactorName()))
    return emitOpError("schedule_c60: factor_name and factor_rows come together, one of them at least where variance_dim is 0");
  if (getGateNames() && getGateNames()->size() != 2)
    return emitOpError("schedule_c3: gate_names are ") << getGateNames()->size() << ", wanted weight and bias";
  const size_t links = getLinkRanks() ? getLinkRanks()->size() : 0;
  size_t factors = 0;
  for (int64_t rank : getLinkRanks().value_or(ArrayRef<int64_t>())) factors += rank == 0 ? 1 : 2;
  if (getLinkFrom().value_or(ArrayRef<int64_t>()).size() != links || getLinkTo().value_or(ArrayRef<int64_t>()).size() != links ||
      (getLinkNames() ? getLinkNames()->size() : 0) != factors)
    return emitOpError("schedule_c4: ") << links << " link_ranks want as many link_from and link_to and " << factors << " link_names";
  return success();
}

LogicalResult PlanStageOp::verify() {
  if (!llvm::is_contained({"segment", "level", "tile", "rows"}, getSpace()))
    return emitOpError("stage_c1: space is '") << getSpace() << "', wants segment, level, tile or rows";
  return success();
}

}  // namespace hsa::ir

#include "passes/schedule_params.h"

namespace hsa::ir {

KernelParams kernelParams(ScheduleOp schedule) {
  const auto padded = [](int64_t dim) { return (dim + kPanelKeys - 1) / kPanelKeys * kPanelKeys; };
  KernelParams params;
  params.headDim = schedule.getHeadDim();
  params.valueDim = schedule.getValueDim();
  params.paddedHeadDim = padded(params.headDim);
  params.paddedValueDim = padded(params.valueDim);
  params.tileQueries = schedule.getConfig().getTileQueries();
  params.sinkTokens = schedule.getMask().getSinkTokens();
  params.order = schedule.getConfig().getOrder();
  params.bands = schedule.getConfig().getBands();
  params.scale = schedule.getScale().convertToDouble();
  return params;
}

ScheduleOp findSchedule(mlir::ModuleOp module) {
  auto schedules = llvm::to_vector(module.getOps<ScheduleOp>());
  if (schedules.size() == 1) return schedules.front();
  module.emitError("module has ") << schedules.size() << " hsa.schedule ops, wants one; run hsa-tile on one attention";
  return {};
}

}  // namespace hsa::ir

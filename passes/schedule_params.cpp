#include "passes/schedule_params.h"

#include <numbers>

#include "kernels/affinity.h"

namespace hsa::ir {

static int64_t padded(int64_t dim) { return (dim + kPanelKeys - 1) / kPanelKeys * kPanelKeys; }

// Neighbouring levels that keep as many value dims are one range; the last one ends where whole tiles do.
static llvm::SmallVector<KernelParams::SplatRange, 1> splatRanges(llvm::ArrayRef<int64_t> levels, llvm::ArrayRef<int64_t> valueDims,
                                                                  const KernelParams& params) {
  llvm::SmallVector<KernelParams::SplatRange, 1> ranges;
  int64_t end = 0;
  for (size_t level = 0; level < levels.size(); ++level) {
    const int64_t columns = valueDims.empty() ? params.paddedValueDim : padded(valueDims[level]);
    if (ranges.empty() || ranges.back().columns != columns) ranges.push_back({0, columns});
    ranges.back().end = end += levels[level];
  }
  ranges.back().end = params.splats;
  return ranges;
}

KernelParams kernelParams(ScheduleOp schedule) {
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
  if (auto levels = schedule.getSplatLevels()) {
    int64_t splats = 0;
    for (int64_t level : *levels) splats += level;
    params.isotropic = schedule.getVarianceDim() == 1 && !schedule.getSparse() && !schedule.getFactorRows();
    params.triangular = schedule.getVarianceDim() == 0;
    params.factorRows = params.triangular ? params.paddedHeadDim : factorRows(schedule.getFactorRows().value_or(0));
    params.levels = static_cast<int64_t>(levels->size());
    params.splats = (splats + kSplatTile - 1) / kSplatTile * kSplatTile;
    const auto valueDims = schedule.getLevelValueDims().value_or(llvm::ArrayRef<int64_t>());
    params.ranges = splatRanges(*levels, valueDims, params);
    for (size_t level = 0; level < levels->size(); ++level)
      params.levelColumns.push_back(valueDims.empty() ? params.paddedValueDim : padded(valueDims[level]));
    params.passesOnState = schedule.getLinkNamesAttr() && !(schedule.getSparse() && schedule.getMask().getCausal());
    if (schedule.getLinkRanks()) params.nearTop = kLinkTop;
    if (auto keep = schedule.getSparse()) params.nearTop = keep->getTop();
    params.scale = std::numbers::ln2;  // affinities are in log2 units already
  }
  return params;
}

ScheduleOp findSchedule(mlir::ModuleOp module) {
  auto schedules = llvm::to_vector(module.getOps<ScheduleOp>());
  if (schedules.size() == 1) return schedules.front();
  module.emitError("module has ") << schedules.size() << " hsa.schedule ops, wants one; run hsa-tile on one attention";
  return {};
}

}  // namespace hsa::ir

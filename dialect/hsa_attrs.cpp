#include "dialect/hsa_dialect.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;

#include "dialect/hsa_enums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/hsa_attrs.cpp.inc"

namespace hsa::ir {

void HsaDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/hsa_attrs.cpp.inc"
      >();
}

LogicalResult MaskAttr::verify(function_ref<InFlightDiagnostic()> emitError, bool causal, int64_t slidingWindow, int64_t sinkTokens) {
  if (slidingWindow < 0) return emitError() << "mask_c1: slidingWindow is " << slidingWindow << ", wanted 0 (none) or more";
  if (sinkTokens < 0) return emitError() << "mask_c2: sinkTokens is " << sinkTokens << ", wanted 0 or more";
  if (slidingWindow > 0 && !causal)
    return emitError() << "mask_c3: slidingWindow is " << slidingWindow << " but causal is false; a sliding window needs causal = true";
  if (sinkTokens > 0 && slidingWindow == 0)
    return emitError() << "mask_c4: sinkTokens is " << sinkTokens << " but slidingWindow is 0; without a window the prefix is seen anyway";
  return success();
}

LogicalResult ConfigAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t order, FloatAttr theta, int64_t nearSinkTokens,
                                 int64_t windowTokens, int64_t tileQueries, int64_t leafTokens, int64_t miniSegmentTokens,
                                 int64_t segmentTokens, int64_t bands, FloatAttr tolerance, FloatAttr confidence, QueryOrder) {
  if (order != 0 && order != 2) return emitError() << "config_c1: order is " << order << ", wanted 0 or 2";
  if (theta && !(theta.getValueAsDouble() >= 0))
    return emitError() << "config_c2: theta is " << theta.getValueAsDouble() << ", wanted 0 or more";
  if (nearSinkTokens < 0) return emitError() << "config_c3: nearSinkTokens is " << nearSinkTokens << ", wanted 0 or more";
  if (tileQueries < 1 || windowTokens < 1 || windowTokens % tileQueries != 0)
    return emitError() << "config_c4: tileQueries is " << tileQueries << " and windowTokens is " << windowTokens
                       << "; a window is a whole number of tiles";
  if (leafTokens < 1 || !llvm::isPowerOf2_64(leafTokens))
    return emitError() << "config_c5: leafTokens is " << leafTokens << ", wanted a power of two";
  if (miniSegmentTokens <= leafTokens || miniSegmentTokens % leafTokens != 0 || !llvm::isPowerOf2_64(miniSegmentTokens / leafTokens) ||
      llvm::Log2_64(miniSegmentTokens / leafTokens) % 2 != 0)
    return emitError() << "config_c6: miniSegmentTokens is " << miniSegmentTokens << " and leafTokens is " << leafTokens
                       << "; the first must be the second times a power of 4, at least 4";
  const int64_t minis = segmentTokens / miniSegmentTokens;
  if (segmentTokens % miniSegmentTokens != 0 || (minis != 4 && minis != 8 && minis != 16))
    return emitError() << "config_c7: segmentTokens is " << segmentTokens << " and miniSegmentTokens is " << miniSegmentTokens
                       << "; the first must be the second times 4, 8 or 16";
  if (windowTokens % miniSegmentTokens != 0)
    return emitError() << "config_c8: windowTokens is " << windowTokens << " and miniSegmentTokens is " << miniSegmentTokens
                       << "; a window is a whole number of mini-segments";
  if (bands < 1) return emitError() << "config_c9: bands is " << bands << ", wanted 1 or more";
  const auto inside = [](FloatAttr share) { return share.getValueAsDouble() > 0 && share.getValueAsDouble() < 1; };
  if (tolerance && !inside(tolerance))
    return emitError() << "config_c10: tolerance is " << tolerance.getValueAsDouble() << ", wanted more than 0, less than 1";
  if (confidence && !inside(confidence))
    return emitError() << "config_c11: confidence is " << confidence.getValueAsDouble() << ", wanted more than 0, less than 1";
  if (!confidence != !tolerance) return emitError() << "config_c11: of tolerance and confidence one is given, wanted both or neither";
  return success();
}

LogicalResult SparseAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t top, FloatAttr threshold) {
  if (top < 1 || top > 64) return emitError() << "sparse_c1: top is " << top << ", wanted 1 to 64";
  if (threshold && !(threshold.getValueAsDouble() > 0 && threshold.getValueAsDouble() < 1))
    return emitError() << "sparse_c2: threshold is " << threshold.getValueAsDouble() << ", wanted more than 0, less than 1";
  return success();
}

LogicalResult AdaptAttr::verify(function_ref<InFlightDiagnostic()> emitError, AdaptKind what, int64_t segmentTokens, int64_t mostEvents,
                                int64_t leastSplats, int64_t history, FloatAttr memory, FloatAttr cover, FloatAttr uncoveredShare,
                                FloatAttr idle, FloatAttr gain, int64_t asleep, int64_t levelTokens, FloatAttr levelResidual,
                                FloatAttr levelGain, FloatAttr weightBound) {
  if (segmentTokens < 256 || segmentTokens > 1 << 20 || segmentTokens % 256 != 0)
    return emitError() << "adapt_c1: segmentTokens is " << segmentTokens << ", wanted a multiple of 256, at most 1048576";
  if (history < 1 || history > 1024) return emitError() << "adapt_c2: history is " << history << ", wanted 1 to 1024 segments";
  if (mostEvents < 0 || mostEvents > 4096) return emitError() << "adapt_c3: mostEvents is " << mostEvents << ", wanted 0 to 4096";
  if (leastSplats < 1) return emitError() << "adapt_c4: leastSplats is " << leastSplats << ", wanted 1 or more";
  for (auto [name, share] : {std::pair{"memory", memory}, {"uncoveredShare", uncoveredShare}, {"idle", idle}, {"levelGain", levelGain}})
    if (share && !(share.getValueAsDouble() >= 0 && share.getValueAsDouble() < 1))
      return emitError() << "adapt_c5: " << name << " is " << share.getValueAsDouble() << ", wanted 0 or more, less than 1";
  if (cover && !(cover.getValueAsDouble() > 0 && cover.getValueAsDouble() < 1e4))
    return emitError() << "adapt_c6: cover is " << cover.getValueAsDouble() << ", wanted more than 0, less than 10000";
  if (gain && !(gain.getValueAsDouble() >= 1 && gain.getValueAsDouble() < 1e6))
    return emitError() << "adapt_c7: gain is " << gain.getValueAsDouble()
                       << ", wanted 1 or more: below it a split and the merge that makes room undo each other";
  if (asleep < 0 || asleep > 15) return emitError() << "adapt_c8: asleep is " << asleep << ", wanted 0 to 15 levels";
  if (levelTokens < 0 || levelTokens > int64_t{1} << 40)
    return emitError() << "adapt_c9: levelTokens is " << levelTokens << ", wanted 0 to 1099511627776";
  if (levelResidual && !(levelResidual.getValueAsDouble() > 0 && levelResidual.getValueAsDouble() < 1e6))
    return emitError() << "adapt_c10: levelResidual is " << levelResidual.getValueAsDouble() << ", wanted more than 0, less than 1000000";
  if (weightBound && !(weightBound.getValueAsDouble() >= 1 && weightBound.getValueAsDouble() <= 1024))
    return emitError() << "adapt_c11: weightBound is " << weightBound.getValueAsDouble() << ", wanted 1 to 1024";
  const bool changes = asleep > 0 || (levelGain && levelGain.getValueAsDouble() > 0) || (weightBound && weightBound.getValueAsDouble() > 1);
  if (what == AdaptKind::Observe && changes)
    return emitError() << "adapt_c12: observes, which changes nothing, and has asleep, levelGain or weightBound; leave them out";
  return success();
}

ConfigAttr ConfigAttr::getDefault(MLIRContext* context) {
  return get(context, /*order=*/2, /*theta=*/FloatAttr(), /*nearSinkTokens=*/4, /*windowTokens=*/1024, /*tileQueries=*/64,
             /*leafTokens=*/16, /*miniSegmentTokens=*/1024, /*segmentTokens=*/8192, /*bands=*/8, /*tolerance=*/FloatAttr(),
             /*confidence=*/FloatAttr(), QueryOrder::Content);
}

SmallVector<int64_t> ConfigAttr::getLevelTokens(int64_t unitTokens) const {
  SmallVector<int64_t> levels;
  for (int64_t tokens = getLeafTokens(); tokens <= getMiniSegmentTokens(); tokens *= 4) levels.push_back(tokens);
  if (unitTokens > levels.back()) levels.push_back(unitTokens);
  return levels;
}

int64_t ConfigAttr::getNodeCount(int64_t keys) const {
  int64_t count = 0;
  for (int64_t unitTokens : {getSegmentTokens(), getMiniSegmentTokens()})
    for (int64_t levelTokens : getLevelTokens(unitTokens)) count += keys / unitTokens * (unitTokens / levelTokens);
  return count;
}

int64_t ConfigAttr::getTileCount(int64_t queries, int64_t keys) const {
  // Tiles of neighbours stand at multiples of their size; those by content hold as many queries as they can, in every window anew.
  const int64_t cut = getQueryOrder() == QueryOrder::Position ? getTileQueries() : getWindowTokens();
  int64_t tiles = 0;
  for (int64_t begin = keys - queries; begin < keys;) {
    const int64_t end = std::min(keys, (llvm::divideFloorSigned(begin, cut) + 1) * cut);
    tiles += llvm::divideCeilSigned(end - begin, getTileQueries());
    begin = end;
  }
  return tiles;
}

}  // namespace hsa::ir

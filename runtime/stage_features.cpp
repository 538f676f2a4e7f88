#include "runtime/stage_features.h"

#include <algorithm>

#include "kernels/machine.h"
#include "kernels/tile_permission.h"

namespace hsa {

PairUnit PairUnitOf(const format::Variant& variant) {
  return std::ranges::find(variant.features(), kDotFeatures) == variant.features().end() ? PairUnit::kTiles : PairUnit::kDot;
}

std::vector<std::string> MissingFeatures(const format::Variant& variant, const format::Stage& stage) {
  std::vector<std::string> missing;
  if (PairUnitOf(variant) == PairUnit::kDot) return missing;
  for (const std::string& feature : stage.features())
    if (!ThisMachine().Has(feature) || (feature == "amx-tile" && !MayUseTiles())) missing.push_back(feature);
  return missing;
}

}  // namespace hsa

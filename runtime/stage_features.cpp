#include "runtime/stage_features.h"

#include "kernels/machine.h"
#include "kernels/tile_permission.h"

namespace hsa {

std::vector<std::string> MissingFeatures(const format::Stage& stage) {
  std::vector<std::string> missing;
  for (const std::string& feature : stage.features())
    if (!ThisMachine().Has(feature) || (feature == "amx-tile" && !MayUseTiles())) missing.push_back(feature);
  return missing;
}

}  // namespace hsa

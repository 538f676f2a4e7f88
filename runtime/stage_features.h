// What a stage needs of a processor besides the features of its variant.
#pragma once

#include <string>
#include <vector>

#include "kernels/tile_shape.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

// What the variant's code multiplies pairs of bf16 with, where it does: kDot where it lists avx512bf16 among its own features, else kTiles.
PairUnit PairUnitOf(const format::Variant& variant);

// Features that the stage needs in this variant and this process has not got: those that the processor lacks, and "amx-tile" where the system refuses the
// registers. None where the variant multiplies pairs with what it needs anyway.
std::vector<std::string> MissingFeatures(const format::Variant& variant, const format::Stage& stage);

}  // namespace hsa

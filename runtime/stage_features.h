// What a stage needs of a processor besides the features of its variant.
#pragma once

#include <string>
#include <vector>

#include "runtime/format/plan.pb.h"

namespace hsa {

// Features of the stage that this process has not got: those that the processor lacks, and "amx-tile" where the system refuses the registers.
std::vector<std::string> MissingFeatures(const format::Stage& stage);

}  // namespace hsa

// Which code of a plan this processor runs.
#pragma once

#include <string>

#include "runtime/format/plan.pb.h"

namespace hsa::format {

// The variant that this processor runs best, null when it runs none: avx512 before avx2 before sse2; of two with the same register tile, one with code for AMX or AVX512-VNNI
// where that may be used, else the one that uses more features; of two equals, the first. `header` has passed CheckPlan and outlives the result.
const Variant* BestVariant(const PlanHeader& header);

// Why this processor cannot run `variant`: "'znver4' needs avx512f avx512vl", "'arm' is for aarch64-unknown-linux-gnu"; empty when it can.
std::string WhyNot(const Variant& variant);

// This processor in a message: "AMD EPYC (x86_64-linux)".
std::string MachineName();

}  // namespace hsa::format

// --budget: the smallest threshold of each query head whose key-equivalents stay within a share of its visible keys.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "runtime/splat_run.h"

namespace hsa {

// Builds the whole index, then probes a sample of tiles, without reading their leaves, over a fixed grid of thresholds.
// FAILED_PRECONDITION  the near field alone is above the budget: names the least that works
absl::StatusOr<std::vector<double>> ChooseTheta(const Job& job, Workers& workers, IndexStore& store);

}  // namespace hsa

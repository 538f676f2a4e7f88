// --budget: the smallest threshold of each query head whose key-equivalents stay within a share of its visible keys.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "runtime/index_store.h"

namespace hsa {

// Builds the whole index, then probes a sample of tiles, without reading their leaves, over a grid of thresholds.
// FAILED_PRECONDITION  the near field and the roots alone are above the budget: names the least that works
absl::StatusOr<std::vector<double>> ChooseTheta(const Job& job, IndexStore& store);

}  // namespace hsa

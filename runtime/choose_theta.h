// --budget: the smallest threshold of each query head whose key-equivalents stay within a share of its visible keys.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "runtime/index_store.h"
#include "runtime/overlay.h"

namespace hsa {

// Builds the whole index, with the nodes of `overlay` when it is given, then probes a sample of tiles, without reading their leaves, over a grid of thresholds.
// FAILED_PRECONDITION  the near field and the roots alone are above the budget: names the least that works
absl::StatusOr<std::vector<double>> ChooseTheta(const Job& job, IndexStore& store, Overlay* overlay = nullptr);

}  // namespace hsa

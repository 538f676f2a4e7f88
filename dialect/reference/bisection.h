// docs/spec.md "Tree of a unit": the metric of its keys, and the order that bisection in it gives.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/tensor.h"

namespace hsa::ir::reference {

// x = [Lᵀk ; α v] of the keys `keys` (rows of length D + Dv): the keys as the group's earlier queries see them.
std::vector<double> metricOf(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, const Unit& unit,
                             int64_t kvHead, const std::vector<int64_t>& keys);

// Slot → key or −1 over `capacity` slots: `keys`, with the rows of `metric`, by balanced bisection down to leaves of `leafTokens` slots.
std::vector<int64_t> bisect(const std::vector<double>& metric, const std::vector<int64_t>& keys, int64_t capacity, int64_t leafTokens);

}  // namespace hsa::ir::reference

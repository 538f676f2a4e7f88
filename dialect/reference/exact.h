// docs/spec.md "Exact" in float64.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/partial.h"

namespace hsa::ir::reference {

// The partial of every query over the visible keys of `field`. Rows of `key` are the keys from `first` on of the layout's sequence.
Partial attendExact(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, Field field, double scale,
                    int64_t first = 0);

}  // namespace hsa::ir::reference

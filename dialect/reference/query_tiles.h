// docs/spec.md "Query tiles": which queries of a window open nodes together.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/tensor.h"
#include "llvm/Support/Error.h"

namespace hsa::ir::reference {

// The tiles of one head in a window, in order: the numbers i of their queries. Given tiles, where there are some.
// The error says what is wrong with them.
llvm::Expected<std::vector<std::vector<int64_t>>> tilesOf(const Tensor& query, int64_t head, const Window& window, const Layout& layout,
                                                          const GivenIndex* given);

}  // namespace hsa::ir::reference

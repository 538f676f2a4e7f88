// Scheme routed, sparse beside dense.
#pragma once

namespace hsa::bench {

void RegisterSparse();

}  // namespace hsa::bench

// Scheme routed, sparse beside dense, by every search.
#pragma once

#include "tools/hsa_bench_capture.h"

namespace hsa::bench {

// `capture`: a real one, whose tokens and keys are looked at beside random ones; null where there is none. It must outlive the benchmarks.
void RegisterSparse(const Capture* capture);

}  // namespace hsa::bench

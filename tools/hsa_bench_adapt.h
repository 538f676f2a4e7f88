// What adaptation costs a stream that drifts, and what it gains.
#pragma once

namespace hsa::bench {

// Adapt/k:…/segment:…/adapt:observe|on: `overhead`, CPU time beside a run without adaptation in the same turn, less 1, median;
// `residual` and `spread` of the finest level; `events`.
void RegisterAdapt();

}  // namespace hsa::bench

// How wide a splat is beside the tokens it stands for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hsa {

// Σ = width · C, C the covariance of a splat's tokens: at D / 4 they are at log φ ≈ −2, so that neighbouring splats share them (docs/routed.md).
inline double ExtentWidth(int64_t head_dim) { return std::max(1.0, static_cast<double>(head_dim) / 4); }

}  // namespace hsa

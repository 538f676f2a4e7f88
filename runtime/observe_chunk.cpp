#include "runtime/observe_chunk.h"

#include <bit>
#include <limits>

#include "kernels/wide_clone.h"

namespace hsa {

// log2 of a positive number by its bits, to 0.008: a parabola between powers of two.
__attribute__((always_inline)) static inline float RoughLog2(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  const float fraction = std::bit_cast<float>((bits & 0x7fffff) | 0x3f800000) - 1;
  return static_cast<float>(bits >> 23) - 127 + fraction * (1.346f - 0.346f * fraction);
}

HSA_WIDE_CLONE static void TakeNearer(const float* row, float width, float from, int32_t id, float* best, int32_t* nearest) {
  for (int c = 0; c < kBatchKeys; ++c) {
    const float likelihood = width * RoughLog2(row[c]) + from;
    const bool nearer = likelihood > best[c];
    best[c] = nearer ? likelihood : best[c];
    nearest[c] = nearer ? id : nearest[c];
  }
}

Nearest FindNearest(std::span<const float> sent, std::span<const float> offset, float width, int64_t begin, int64_t end) {
  std::array<float, kBatchKeys> best;
  best.fill(-std::numeric_limits<float>::infinity());
  Nearest nearest;
  nearest.fill(-1);
  for (int64_t s = begin; s < end; ++s)
    TakeNearer(&sent[s * kBatchKeys], width, offset[s], static_cast<int32_t>(s), best.data(), nearest.data());
  return nearest;
}

}  // namespace hsa

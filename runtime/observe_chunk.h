// What adaptation sees of a causal chunk: the nearest splat of each level, from the affinities that the chunk has computed anyway.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/tile_shape.h"

namespace hsa {

// Tokens [first, first + 64) of every 256 are observed, by their position in the stream: wherever chunks are cut.
inline constexpr int64_t kObservedEvery = 256;
inline bool IsObserved(int64_t position) { return position % kObservedEvery < kBatchKeys; }

// The splat that most likely made each of the 64 tokens of a chunk; −1 where there is none.
using Nearest = std::array<int32_t, kBatchKeys>;

// The s of [begin, end) with the greatest log2 N(x; μ_s, C_s) = width log2 φ_s(x) + offset_s. `sent` [splats, 64] are masses 2^(log2 φ_s − max_s), so that
// `offset` holds width max_s − ½ log2 det C_s; −∞ for a splat that is not there.
Nearest FindNearest(std::span<const float> sent, std::span<const float> offset, float width, int64_t begin, int64_t end);

}  // namespace hsa

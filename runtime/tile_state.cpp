#include "runtime/tile_state.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace hsa {

TileState TileState::Of(const Worker& worker) {
  const auto copy = [&](const char* buffer) {
    const float* from = worker.Buffer(buffer);
    return std::vector<float>(from, from + worker.BufferFloats(buffer));
  };
  return {copy("max"), copy("sum"), copy("acc")};
}

void TileState::Put(Worker& worker) const {
  std::copy(max.begin(), max.end(), worker.Buffer("max"));
  std::copy(sum.begin(), sum.end(), worker.Buffer("sum"));
  std::copy(acc.begin(), acc.end(), worker.Buffer("acc"));
}

void TileState::Merge(const TileState& other) {
  const size_t rows = max.size(), lanes = sum.size() / rows, width = acc.size() / rows;
  for (size_t row = 0; row < rows; ++row) {
    const float both = std::max(max[row], other.max[row]);
    const float mine = std::exp2(max[row] - both), theirs = std::exp2(other.max[row] - both);
    const auto add = [&](std::vector<float>& to, const std::vector<float>& from, size_t count) {
      for (size_t i = row * count; i < (row + 1) * count; ++i) to[i] = to[i] * mine + from[i] * theirs;
    };
    add(sum, other.sum, lanes);
    add(acc, other.acc, width);
    max[row] = both;
  }
}

}  // namespace hsa

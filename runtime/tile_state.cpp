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

void MergePartials(const PartialRows& to, const PartialRows& from) {
  const size_t rows = to.max.size();
  for (size_t row = 0; row < rows; ++row) {
    const float both = std::max(to.max[row], from.max[row]);
    const float own = std::exp2(to.max[row] - both), others = std::exp2(from.max[row] - both);
    const auto add = [&](std::span<float> sums, std::span<const float> more) {
      const size_t width = sums.size() / rows;
      for (size_t i = row * width; i < (row + 1) * width; ++i) sums[i] = sums[i] * own + more[i] * others;
    };
    add(to.sum, from.sum);
    add(to.acc, from.acc);
    to.max[row] = both;
  }
}

}  // namespace hsa

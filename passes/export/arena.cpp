#include "passes/export/arena.h"

#include <algorithm>
#include <numeric>

namespace hsa::ir {

uint64_t placeBuffers(std::vector<ArenaBuffer>& buffers) {
  constexpr uint64_t kAlignment = 64;
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return buffers[a].bytes != buffers[b].bytes ? buffers[a].bytes > buffers[b].bytes : a < b; });
  std::vector<size_t> placed;
  uint64_t arena = 0;
  for (size_t i : order) {
    ArenaBuffer& buffer = buffers[i];
    std::vector<const ArenaBuffer*> alive;
    for (size_t j : placed)
      if (buffers[j].first <= buffer.last && buffer.first <= buffers[j].last) alive.push_back(&buffers[j]);
    std::sort(alive.begin(), alive.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
    uint64_t offset = 0;
    for (const ArenaBuffer* other : alive) {
      if (offset + buffer.bytes <= other->offset) break;
      offset = std::max(offset, (other->offset + other->bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    buffer.offset = offset;
    placed.push_back(i);
    arena = std::max(arena, offset + buffer.bytes);
  }
  return (arena + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace hsa::ir

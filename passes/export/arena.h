// Scratch of one worker: buffers that are not alive at the same time share bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hsa::ir {

struct ArenaBuffer {
  std::string name;
  uint64_t bytes = 0;
  uint32_t first = 0, last = 0;  // stages, inclusive
  uint64_t offset = 0;           // set by placeBuffers; multiple of 64
};

// Places each buffer at the lowest offset that no buffer alive at the same time uses, larger ones first. Returns the size of the arena.
uint64_t placeBuffers(std::vector<ArenaBuffer>& buffers);

}  // namespace hsa::ir

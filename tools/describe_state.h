// What is in a state file, in words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>

#include "runtime/format/level_name.h"
#include "runtime/format/state_file.h"

namespace hsa {

struct StateDescription {
  std::string path;
  std::span<const std::byte> bytes;  // the file
  format::StateFile state;           // has passed CheckState over them
};

// "segment 12, level 0: splat 5 was split, 9 is new: saves 14.2, the mean is 3.1"
std::string EventText(const format::SplatEvent& event, const format::SplatLevels& levels);

// One page: tokens, shapes, and of every level of each kv_head its splats, the mass that they were sent and how evenly, and which levels' splats share tokens; of splats that adapted the last segments and events.
void PrintState(std::ostream& out, const StateDescription& description);

}  // namespace hsa

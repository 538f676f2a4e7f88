// How many dimensions of the values a level keeps.
#pragma once

#include <cstdint>

#include "runtime/format/plan.pb.h"

namespace hsa::format {

// Of the value_dim() of `whole`, a graph or the header of a state, the splats of its `level` keep so many.
template <typename Whole>
uint32_t KeptDims(const Whole& whole, const SplatLevel& level) {
  return level.value_dim() == 0 ? whole.value_dim() : level.value_dim();
}

}  // namespace hsa::format

// How fast one core reads memory.
#pragma once

#include <cstdint>
#include <span>

namespace hsa {

// 10⁹ bytes per second that the calling thread reads of `words`, one behind the other: the best of `repetitions` passes, by the wall. Memory larger than
// the last cache shows the memory behind it; its pages must have been written to, else all of them are the one page of zeros.
double MeasureReadBandwidth(std::span<const uint64_t> words, int repetitions = 5);

}  // namespace hsa

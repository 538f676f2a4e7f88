#include "kernels/bandwidth.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace hsa {

double MeasureReadBandwidth(std::span<const uint64_t> words, int repetitions) {
  constexpr size_t kSums = 8;  // do not wait for each other
  double best = 0;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    std::array<uint64_t, kSums> sums{};
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i + kSums <= words.size(); i += kSums)
      for (size_t j = 0; j < kSums; ++j) sums[j] += words[i + j];
    asm volatile("" : : "g"(&sums) : "memory");  // else nobody wants them
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds > 0) best = std::max(best, static_cast<double>(words.size() / kSums * kSums * sizeof(uint64_t)) / seconds);
  }
  return best * 1e-9;
}

}  // namespace hsa

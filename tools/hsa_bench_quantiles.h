// Nearest-rank quantiles of errors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace hsa::bench {

inline constexpr int64_t kPooled = -1;  // all query heads together, where a head is named

// NaN of nothing, and where a NaN is among the numbers.
struct Quantiles {
  double median = std::numeric_limits<double>::quiet_NaN(), p90 = median, p95 = median;

  static Quantiles Of(std::vector<double> numbers) {
    if (numbers.empty() || std::any_of(numbers.begin(), numbers.end(), [](double number) { return std::isnan(number); })) return {};
    std::sort(numbers.begin(), numbers.end());
    const auto rank = [&](double share) {
      return numbers[static_cast<size_t>(std::ceil(share * static_cast<double>(numbers.size()))) - 1];
    };
    return {rank(0.5), rank(0.9), rank(0.95)};
  }
};

}  // namespace hsa::bench

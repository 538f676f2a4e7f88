// A partial result of one row in float64 (docs/spec.md, "Partial"), with a running maximum: what rows are verified with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace hsa {

// Stands for e^max sum and e^max acc; natural logarithms.
struct PartialRow {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  std::vector<double> acc = {};

  // += e^log_weight of_sum, e^log_weight of_acc. Where one of acc and of_acc is shorter, what it lacks is 0.
  void Add(double log_weight, double of_sum, std::span<const double> of_acc) {
    if (log_weight == -std::numeric_limits<double>::infinity()) return;
    if (log_weight > max) {
      const double rescale = std::exp(max - log_weight);
      sum *= rescale;
      for (double& a : acc) a *= rescale;
      max = log_weight;
    }
    const double weight = std::exp(log_weight - max);
    sum += weight * of_sum;
    for (std::size_t c = 0; c < std::min(acc.size(), of_acc.size()); ++c) acc[c] += weight * of_acc[c];
  }
};

}  // namespace hsa

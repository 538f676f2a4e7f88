// How fast a plan's own code is on a machine, and what follows for the choice between exact attention and splats (docs/machine.md).
#pragma once

namespace hsa {

// Of one thread. Both count a key that one query reads as one; by splats a node that is scored is one as well.
struct PlanRates {
  double exact_keys_per_s = 0;
  double splat_keys_per_s = 0;  // with every node scored and opened, index and order of queries included
};

inline constexpr double kLeastCrossover = 2560, kMostCrossover = 131072;

// Visible keys of the mean query at which a calibrated run takes as long by splats as exactly, where these are the rates of both:
// 1100 (exact / splats)^1.9, between kLeastCrossover and kMostCrossover.
double CrossoverOf(const PlanRates& rates);

}  // namespace hsa

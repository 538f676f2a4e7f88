#include "runtime/plan_rates.h"

#include <algorithm>
#include <cmath>

namespace hsa {

double CrossoverOf(const PlanRates& rates) {
  // Of captures whose crossovers were measured on code of four ratios (docs/machine.md). A query by splats reads about V^0.47 of its V visible keys,
  // which is what makes the exponent 1/0.53; below kLeastCrossover near field and calibration leave nothing to save, whatever the code.
  constexpr double kFactor = 1100, kExponent = 1.9;
  return std::clamp(kFactor * std::pow(rates.exact_keys_per_s / rates.splat_keys_per_s, kExponent), kLeastCrossover, kMostCrossover);
}

}  // namespace hsa

// The crossover of a plan on this machine: out of a profile, or measured once and kept there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/plan.h"
#include "runtime/run.h"

namespace hsa {

struct FoundCrossover {
  std::optional<double> keys;         // for RunOptions::crossover_keys; not set where it could not be measured
  std::vector<std::string> warnings;  // a profile that is damaged, of another machine, or cannot be written: one line each
};

// `profile_path` as DefaultProfilePath() has it; where it is empty nothing is measured, since every run would have to. `progress` as MeasureRates.
// `options` are the run's, with the plan's defaults: its tolerance and products; `inputs` is the element type of its tensors.
FoundCrossover FindCrossover(const Plan& plan, const RunOptions& options, DType inputs, const std::string& profile_path,
                             const std::function<void(double)>& progress);

}  // namespace hsa

// The rates of a plan's own code on this machine.
#pragma once

#include <functional>
#include <optional>

#include "runtime/plan.h"
#include "runtime/plan_rates.h"
#include "runtime/run.h"

namespace hsa {

// Runs the plan for one head over 4,096 random keys, the last 1,024 queries of them, exactly and by splats by turns, and takes the best of three
// turns each: a tenth of a second. `options` and the element type of the `inputs` decide whether keys are multiplied in bf16. `progress` is told the share
// that is done; may be empty. Nothing where the plan's mini-segments are so large that these keys make no node, or where a run fails.
std::optional<PlanRates> MeasureRates(const Plan& plan, const RunOptions& options, DType inputs,
                                      const std::function<void(double)>& progress);

// The options of a calibrated run in the precision of `options`.
RunOptions CalibratedLike(const RunOptions& options);

}  // namespace hsa

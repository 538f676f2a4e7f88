#include "runtime/find_crossover.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/machine_profile.h"
#include "runtime/measure_rates.h"
#include "runtime/pairs.h"

namespace hsa {

namespace {

// The code whose rates are measured: of a plan, of one of its variants, in one precision.
std::string PlanKey(const Plan& plan, const RunOptions& given, DType dtype) {
  Inputs inputs;
  inputs.query.dtype = inputs.key.dtype = inputs.value.dtype = dtype;
  const Outputs outputs;
  const RunOptions options = CalibratedLike(given);
  const Job job{plan, inputs, outputs, options, Geometry(), Program(plan)};
  return absl::StrFormat("%s/%016x/%s/%s", plan.graph().name(), plan.checksum(), plan.variant().name(), ReadsPairs(job) ? "bf16" : "f32");
}

}  // namespace

FoundCrossover FindCrossover(const Plan& plan, const RunOptions& options, DType inputs, const std::string& profile_path,
                             const std::function<void(double)>& progress) {
  FoundCrossover found;
  if (profile_path.empty()) return found;
  const std::string key = PlanKey(plan, options, inputs);
  MachineProfile profile(profile_path);
  std::optional<PlanRates> rates = profile.Find(key);
  if (!rates.has_value()) {
    rates = MeasureRates(plan, options, inputs, progress);
    if (!rates.has_value()) return found;
    if (!profile.problem().empty()) found.warnings.push_back(absl::StrCat("machine profile: ", profile.problem(), "; measured again"));
    if (const absl::Status kept = profile.Keep(key, *rates); !kept.ok())
      found.warnings.push_back(absl::StrCat("machine profile: ", std::string(kept.message()), "; the next run will measure again"));
  }
  found.keys = CrossoverOf(*rates);
  return found;
}

}  // namespace hsa

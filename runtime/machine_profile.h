// What was measured of plans on this machine, kept in a file: JSON, `docs/machine.md` has its names.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/plan_rates.h"

namespace hsa {

// A profile counts only on the processor (its name and features) and for the version of HSA that it was measured with. Nothing here fails: a file that
// cannot be used is as good as none, and problem() says why.
class MachineProfile {
 public:
  static constexpr size_t kMostPlans = 64;  // the ones measured longest ago go

  // Reads `path`. A file that is not there is no problem.
  explicit MachineProfile(std::string path);

  // `plan` names the plan's code: PlanKey.
  std::optional<PlanRates> Find(const std::string& plan) const;

  // Adds or replaces the rates and writes the file, in one step: of two processes that do so at once the last one wins, and the other's plan will be
  // measured again. An error of writing names the file and the system's reason.
  absl::Status Keep(const std::string& plan, const PlanRates& rates);

  const std::string& path() const { return path_; }
  const std::vector<std::pair<std::string, PlanRates>>& plans() const { return plans_; }  // in the order in which they were measured

  // Why the file is not used, one line; empty when it is, or is not there.
  const std::string& problem() const { return problem_; }

 private:
  void Parse(const std::string& text);

  std::string path_, problem_;
  std::vector<std::pair<std::string, PlanRates>> plans_;
};

// machine.json in the cache folder; empty where there is none.
std::string DefaultProfilePath();

}  // namespace hsa

#include "runtime/check_adapt.h"

#include <string>

namespace hsa {

absl::Status CheckAdapt(const AdaptLimits& limits, const format::Graph& graph) {
  const std::string why = WhyNotAdapt(limits, AdaptSubjectOf(graph));
  return why.empty() ? absl::OkStatus() : absl::InvalidArgumentError(why);
}

}  // namespace hsa

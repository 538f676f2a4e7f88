#include "frontend/check_adapt.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "frontend/check_levels.h"
#include "runtime/format/adapt_limits.h"

namespace hsa::frontend {

absl::Status CheckAdapt(const Routed& routed) {
  AdaptSubject subject{.causal = routed.causal(), .plain = !routed.has_factor() && !routed.has_cholesky()};
  for (int level = 0; level < routed.levels_size(); ++level)
    subject.levels.push_back({LevelText(routed, level), routed.levels(level).splats()});
  AdaptLimits limits = AdaptNumbersOf(routed.adapt());
  limits.what = routed.adapt().what() == Routed::Adapt::OBSERVE ? Adapt::kObserve : Adapt::kSplats;
  const std::string why = WhyNotAdapt(limits, subject);
  return why.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("graph_c65: ", why));
}

}  // namespace hsa::frontend

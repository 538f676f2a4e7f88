#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "runtime/format/plan_checks.h"

namespace hsa::format {

absl::Status CheckSparse(const Routed& routed, const Refusal& refuse) {
  const Sparse& sparse = routed.sparse();
  if (sparse.top() < 1 || sparse.top() > static_cast<uint32_t>(kMostNear))
    return refuse(45, absl::StrCat("graph.routed.sparse.top is ", sparse.top(), ", wanted 1..", kMostNear));
  if (!(sparse.threshold() >= 0 && sparse.threshold() < 1))
    return refuse(46, absl::StrCat("graph.routed.sparse.threshold is ", sparse.threshold(), ", wanted less than 1, 0 for none"));
  return absl::OkStatus();
}

}  // namespace hsa::format

#include "frontend/check_sparse.h"

#include "absl/strings/str_cat.h"

namespace hsa::frontend {

constexpr uint32_t kMostNear = 64;

absl::Status CheckSparse(const Routed& routed) {
  const Routed::Sparse& sparse = routed.sparse();
  if (sparse.top() < 1 || sparse.top() > kMostNear)
    return absl::InvalidArgumentError(absl::StrCat("graph_c30: sparse has top ", sparse.top(), ", wanted 1 to ", kMostNear,
                                                   " splats of a level; leave sparse out to keep all of them"));
  if (sparse.has_threshold() && !(sparse.threshold() > 0 && sparse.threshold() < 1))
    return absl::InvalidArgumentError(absl::StrCat("graph_c31: sparse has threshold ", sparse.threshold(),
                                                   ", wanted more than 0 and less than 1: a share of the largest; leave it out for none"));
  return absl::OkStatus();
}

}  // namespace hsa::frontend

#include "frontend/check_routed.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "frontend/check_adapt.h"
#include "frontend/check_covariance.h"
#include "frontend/check_levels.h"
#include "frontend/check_sparse.h"
#include "frontend/spelling.h"
#include "runtime/format/token_window.h"

namespace hsa::frontend {
namespace {

template <typename... Words>
absl::Status Refuse(std::string_view constraint, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(constraint), ": ", words...));
}

}  // namespace

absl::Status CheckSplatParameters(const Routed& routed, const Tensor& key, const std::vector<const Tensor*>& parameters) {
  uint64_t splats = 0;
  if (absl::Status levels = CheckLevels(routed, splats); !levels.ok()) return levels;
  for (const Tensor* tensor : parameters) {
    const bool center = tensor->name() == routed.center(), amplitude = tensor->name() == routed.amplitude();
    const bool dims = amplitude ? tensor->dim() == 1 : center ? tensor->dim() == key.dim() : AreBands(tensor->dim(), key.dim());
    if (tensor->heads() == key.heads() && dims && (!tensor->has_tokens() || tensor->tokens() == splats)) continue;
    return Refuse("graph_c24", "input ", Quoted(tensor->name()), " is [", tensor->heads(), ", ",
                  tensor->has_tokens() ? absl::StrCat(tensor->tokens()) : "S", ", ", tensor->dim(), "], wanted [", key.heads(), ", ",
                  splats, ", ", amplitude ? "1" : absl::StrCat(key.dim(), center ? "" : ", 1 or a number of bands of which none is empty"),
                  "]: an entry for each splat of each head of key ", Quoted(key.name()));
  }
  if (absl::Status sparse = routed.has_sparse() ? CheckSparse(routed) : absl::OkStatus(); !sparse.ok()) return sparse;
  if (routed.has_window()) {
    const WindowSubject subject{.causal = routed.causal(), .threshold = routed.sparse().has_threshold(), .adapts = routed.has_adapt()};
    const auto tokens = static_cast<int64_t>(std::min<uint64_t>(routed.window(), TokenWindow::kMostTokens + 1));
    if (const std::string why = WhyNotWindow(tokens, subject); !why.empty()) return Refuse("graph_c90", why);
  }
  return routed.has_adapt() ? CheckAdapt(routed) : absl::OkStatus();
}

}  // namespace hsa::frontend

#include "frontend/check_routed.h"

#include <cmath>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "frontend/check_covariance.h"
#include "frontend/check_sparse.h"
#include "frontend/spelling.h"

namespace hsa::frontend {
namespace {

constexpr int kMaxLevels = 16;
constexpr uint64_t kMaxSplats = 65536;

template <typename... Words>
absl::Status Refuse(std::string_view constraint, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(constraint), ": ", words...));
}

// "'token' (level 0)"
std::string LevelName(const Routed& routed, int level) {
  const std::string number = absl::StrCat("level ", level);
  return routed.levels(level).name().empty() ? number : absl::StrCat(Quoted(routed.levels(level).name()), " (", number, ")");
}

absl::Status CheckLevels(const Routed& routed, uint64_t& splats) {
  if (routed.levels().empty() || routed.levels_size() > kMaxLevels)
    return Refuse("graph_c25", "routed has ", routed.levels_size(), " levels, wanted 1 to ", kMaxLevels, "; write levels { splats: 64 }");
  splats = 0;
  for (int i = 0; i < routed.levels_size(); ++i) {
    const Routed::Level& level = routed.levels(i);
    splats += level.splats();
    if (level.splats() < 1 || splats > kMaxSplats)
      return Refuse("graph_c25", LevelName(routed, i), " has ", level.splats(), " splats, wanted 1 or more, and at most ", kMaxSplats,
                    " on all levels together");
    if (!std::isfinite(level.weight()) || level.weight() <= 0)
      return Refuse("graph_c25", LevelName(routed, i), " has weight ", level.weight(), ", wanted a finite number > 0");
  }
  return absl::OkStatus();
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
  return routed.has_sparse() ? CheckSparse(routed) : absl::OkStatus();
}

}  // namespace hsa::frontend

#include "frontend/check_levels.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "frontend/spelling.h"
#include "runtime/format/level_name.h"

namespace hsa::frontend {
namespace {

constexpr int kMaxLevels = 16;
constexpr uint64_t kMaxSplats = 65536;
constexpr size_t kMaxNameBytes = 64;

template <typename... Words>
absl::Status Refuse(std::string_view constraint, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(constraint), ": ", words...));
}

absl::Status CheckNames(const Routed& routed) {
  std::set<std::string> taken;
  for (int level = 0; level < routed.levels_size(); ++level) {
    const std::string name = LevelName(routed, level);
    const bool printable = std::ranges::all_of(name, [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '\'' && c != '"'; });
    if (name.empty() || name.size() > kMaxNameBytes || !printable)
      return Refuse("graph_c62", "level ", level, " has the name ", Quoted(routed.levels(level).name()), ", wanted 1 to ", kMaxNameBytes,
                    " printable ASCII characters without a quote; leave it out for '", format::DefaultLevelName(level), "'");
    if (!taken.insert(name).second)
      return Refuse("graph_c62", "two levels have the name ", Quoted(name),
                    routed.levels(level).has_name() ? "" : ", one because it was given none", "; give them different ones");
  }
  return absl::OkStatus();
}

}  // namespace

std::string LevelName(const Routed& routed, int level) {
  const Routed::Level& of = routed.levels(level);
  return of.has_name() ? std::string(absl::StripAsciiWhitespace(of.name())) : format::DefaultLevelName(level);
}

std::string LevelText(const Routed& routed, int level) { return absl::StrCat("level ", level, " ", Quoted(LevelName(routed, level))); }

absl::Status CheckLevels(const Routed& routed, uint64_t& splats) {
  if (routed.levels().empty() || routed.levels_size() > kMaxLevels)
    return Refuse("graph_c25", "routed has ", routed.levels_size(), " levels, wanted 1 to ", kMaxLevels, "; write levels { splats: 64 }");
  if (absl::Status names = CheckNames(routed); !names.ok()) return names;
  splats = 0;
  for (int i = 0; i < routed.levels_size(); ++i) {
    const Routed::Level& level = routed.levels(i);
    splats += level.splats();
    if (level.splats() < 1 || splats > kMaxSplats)
      return Refuse("graph_c25", LevelText(routed, i), " has ", level.splats(), " splats, wanted 1 or more, and at most ", kMaxSplats,
                    " on all levels together");
    if (!std::isfinite(level.weight()) || level.weight() <= 0)
      return Refuse("graph_c25", LevelText(routed, i), " has weight ", level.weight(), ", wanted a finite number > 0");
  }
  return absl::OkStatus();
}

bool HasValueDims(const Routed& routed) {
  return std::ranges::any_of(routed.levels(), [](const Routed::Level& level) { return level.has_value_dim(); });
}

std::vector<int64_t> ValueDims(const Routed& routed, int64_t value_dim) {
  std::vector<int64_t> dims;
  for (const Routed::Level& level : routed.levels())
    dims.push_back(level.has_value_dim() ? level.value_dim() : dims.empty() ? value_dim : dims.back());
  return dims;
}

absl::Status CheckValueDims(const Routed& routed, int64_t value_dim) {
  constexpr int64_t kColumns = 16, kTile = 64;  // of a kernel
  if (!HasValueDims(routed)) return absl::OkStatus();
  const std::vector<int64_t> dims = ValueDims(routed, value_dim);
  int64_t first = 0, before = value_dim;
  for (int level = 0; level < routed.levels_size(); first += routed.levels(level).splats(), before = dims[level++]) {
    if (dims[level] < 1 || dims[level] > before || (dims[level] < before && dims[level] % kColumns != 0))
      return Refuse("graph_c63", LevelText(routed, level), " has value_dim ", dims[level], ", wanted ", before, ", or a multiple of ",
                    kColumns, " below it: a level keeps no more than a finer one");
    if (dims[level] < before && first % kTile != 0 && !routed.has_sparse())
      return Refuse("graph_c63", LevelText(routed, level), " keeps fewer value dims and begins at splat ", first, ", wanted a multiple of ",
                    kTile, "; give the finer levels as many together");
  }
  return absl::OkStatus();
}

}  // namespace hsa::frontend

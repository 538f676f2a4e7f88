#include "runtime/format/level_name.h"

#include <iterator>

#include "absl/strings/str_cat.h"

namespace hsa::format {

std::string DefaultLevelName(int64_t level) {
  constexpr const char* kNames[] = {"token", "phrase", "section", "document", "chapter", "book"};
  return level < static_cast<int64_t>(std::size(kNames)) ? kNames[level] : absl::StrCat("level ", level);
}

std::string LevelName(const SplatLevels& levels, int64_t level) {
  const std::string& name = levels[static_cast<int>(level)].name();
  return name.empty() ? DefaultLevelName(level) : name;
}

std::string LevelText(const SplatLevels& levels, int64_t level) {
  return absl::StrCat("level ", level, " '", LevelName(levels, level), "'");
}

}  // namespace hsa::format

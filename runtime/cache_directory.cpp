#include "runtime/cache_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace hsa {

namespace fs = std::filesystem;

std::string DefaultCacheDirectory() {
  const char* cache_home = std::getenv("XDG_CACHE_HOME");
  if (cache_home != nullptr && cache_home[0] == '/') return std::string(cache_home) + "/hsa";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/hsa";
  return "";
}

std::string MakeCacheDirectory(const std::string& directory) {
  if (directory.empty()) return "neither XDG_CACHE_HOME nor HOME names a directory";
  std::error_code error;
  fs::create_directories(fs::path(directory).parent_path(), error);  // mkdir reports what this could not do
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return strerror(errno);
  struct stat info;
  if (stat(directory.c_str(), &info) != 0) return strerror(errno);
  if (!S_ISDIR(info.st_mode)) return "is not a directory";
  if ((info.st_mode & S_IWOTH) != 0) return "everybody may write to it, and it would hold machine code";
  return "";
}

}  // namespace hsa

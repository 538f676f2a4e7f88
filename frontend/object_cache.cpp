#include "frontend/object_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "frontend/read_file.h"
#include "runtime/cache_directory.h"

namespace hsa::frontend {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEntrySuffix = ".hsaplan", kTemporaryMark = ".tmp.";
constexpr size_t kMaxEntryBytes = size_t{1} << 30;  // as large as a plan may be
constexpr int64_t kLeftoverSeconds = 3600;          // a temporary file this old has lost its writer

// Unique among processes and threads: two writers of one key don't meet before the rename, and there the last one wins.
std::string TemporaryName(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return absl::StrCat(path, std::string(kTemporaryMark), getpid(), ".", counter.fetch_add(1));
}

struct Entry {
  std::string path;
  int64_t bytes;
  timespec used;  // mtime: Get touches it (atime is off on many file systems)
};

bool UsedBefore(const Entry& a, const Entry& b) {
  return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
}

// Empty, or what the system says. No fsync: after a power failure the file may be cut short, which the reader's check finds, and waiting for the
// disk costs more than compiling again.
std::string Write(const std::string& path, std::string_view bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return strerror(errno);
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const std::string reason = strerror(errno);
      close(fd);
      return reason;
    }
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return close(fd) == 0 ? "" : strerror(errno);  // some file systems find out only now that the disk is full
}

}  // namespace

ObjectCache::ObjectCache(std::string directory, int64_t max_bytes) : directory_(std::move(directory)), max_bytes_(max_bytes) {
  const std::string reason = MakeCacheDirectory(directory_);
  usable_ = reason.empty();
  if (!usable_) Fail(directory_.empty() ? "cache" : directory_, reason);
}

std::string ObjectCache::Path(const std::string& key) const { return absl::StrCat(directory_, "/", key, std::string(kEntrySuffix)); }

void ObjectCache::Fail(const std::string& path, const std::string& reason) {
  if (problem_.empty()) problem_ = absl::StrCat(path, ": ", reason, "; plans are not cached");
}

std::optional<std::string> ObjectCache::Get(const std::string& key) {
  if (!usable_) return std::nullopt;
  const std::string path = Path(key);
  absl::StatusOr<std::string> bytes = ReadFile(path, kMaxEntryBytes);
  if (!bytes.ok()) {
    if (!absl::IsNotFound(bytes.status())) Fail(path, std::string(bytes.status().message()).substr(path.size() + 2));
    return std::nullopt;
  }
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used now; where that is not allowed, the entry only ages faster
  return *std::move(bytes);
}

void ObjectCache::Put(const std::string& key, std::string_view bytes) {
  if (!usable_) return;
  const std::string path = Path(key), temporary = TemporaryName(path);
  if (const std::string reason = Write(temporary, bytes); !reason.empty()) {
    unlink(temporary.c_str());
    return Fail(path, reason);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    Fail(path, strerror(errno));
    unlink(temporary.c_str());
    return;
  }
  Shrink(path);
}

void ObjectCache::Drop(const std::string& key) {
  if (usable_) unlink(Path(key).c_str());
}

// Other processes may remove files meanwhile: a file that is gone is no error here.
void ObjectCache::Shrink(const std::string& keep) {
  std::vector<Entry> entries;
  int64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path(), name = it->path().filename();
    const bool temporary = name.find(kTemporaryMark) != std::string::npos;
    struct stat info;
    if ((!temporary && !name.ends_with(kEntrySuffix)) || lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (temporary && std::time(nullptr) - info.st_mtim.tv_sec > kLeftoverSeconds) {
      unlink(path.c_str());
      continue;
    }
    total += info.st_size;
    if (!temporary && path != keep) entries.push_back({path, info.st_size, info.st_mtim});
  }
  std::sort(entries.begin(), entries.end(), UsedBefore);
  for (const Entry& entry : entries) {
    if (total <= max_bytes_) break;
    unlink(entry.path.c_str());
    total -= entry.bytes;
  }
}

}  // namespace hsa::frontend

#include "frontend/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hsa::frontend {

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, path);
  if (S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory, a file is wanted"));

  // Read to the end, not to st_size: pipes and files that grow have none that counts.
  std::string bytes(std::min(static_cast<size_t>(info.st_size), max_bytes) + 1, '\0');
  size_t filled = 0;
  while (true) {
    if (filled > max_bytes) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is larger than ", max_bytes, " bytes; is this the right file?"));
    }
    if (filled == bytes.size()) bytes.resize(filled + 65536);
    const ssize_t got = read(fd, bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::DataLossError(absl::StrCat(path, ": reading failed after ", filled, " bytes: ", strerror(errno)));
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace hsa::frontend

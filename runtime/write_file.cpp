#include "runtime/write_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace hsa {
namespace {

bool WriteAll(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Writes all of `pieces` and closes the file; false leaves the reason in errno.
bool WriteAndClose(int file, std::span<const std::string_view> pieces) {
  for (std::string_view piece : pieces) {
    if (WriteAll(file, piece)) continue;
    const int reason = errno;
    close(file);
    errno = reason;
    return false;
  }
  return close(file) == 0;
}

// Renaming another file to such a name would put that file in its place.
bool IsOpenOrDevice(const std::string& path) {
  if (path.starts_with("/dev/std") || path.starts_with("/dev/fd/") || path.starts_with("/proc/")) return true;
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

}  // namespace

absl::Status WriteFile(const std::string& path, std::string_view text) { return WriteFile(path, std::span(&text, 1)); }

absl::Status WriteFile(const std::string& path, std::span<const std::string_view> pieces) {
  const bool in_place = IsOpenOrDevice(path);
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  const std::string target = error || in_place ? path : real.string();
  const std::string name = in_place ? path : absl::StrCat(target, ".tmp.", getpid());
  const int file = open(name.c_str(), in_place ? O_WRONLY | O_APPEND | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file >= 0 && WriteAndClose(file, pieces) && (in_place || rename(name.c_str(), target.c_str()) == 0)) return absl::OkStatus();
  const int reason = errno;
  if (file >= 0 && !in_place) unlink(name.c_str());
  return absl::FailedPreconditionError(absl::StrCat(path, ": cannot write: ", std::strerror(reason)));
}

}  // namespace hsa

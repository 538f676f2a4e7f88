#include "runtime/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hsa {

namespace {

constexpr size_t kLeastMapped = size_t{64} << 10;  // bytes: less is copied sooner than mapped

absl::Status SystemError(const std::string& path, std::string_view verb) {
  const int reason = errno;
  const std::string message = absl::StrCat(path, ": ", std::string(verb), ": ", std::strerror(reason));
  return reason == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  MappedFile mapped;
  mapped.path_ = path;
  mapped.file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not block here, it is refused below
  if (mapped.file_ < 0) return SystemError(path, "cannot open");
  struct stat info;
  if (fstat(mapped.file_, &info) != 0) return SystemError(path, "cannot read its size");
  if (!S_ISREG(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, ": is not a regular file, wanted one that can be mapped"));
  if (info.st_size == 0) return mapped;
  void* address = mmap(nullptr, info.st_size, PROT_READ, MAP_SHARED, mapped.file_, 0);
  if (address == MAP_FAILED) return SystemError(path, "cannot map");
  mapped.bytes_ = {static_cast<const std::byte*>(address), static_cast<size_t>(info.st_size)};
  return mapped;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  if (file_ >= 0) close(file_);
}

absl::Status MappedFile::Put(int64_t offset, std::span<std::byte> memory) const {
  const bool at_pages = offset % sysconf(_SC_PAGESIZE) == 0 && reinterpret_cast<uintptr_t>(memory.data()) % sysconf(_SC_PAGESIZE) == 0;
  if (!at_pages || memory.size() < kLeastMapped) {
    std::copy_n(bytes_.begin() + offset, memory.size(), memory.begin());
    return absl::OkStatus();
  }
  if (mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file_, offset) == MAP_FAILED)
    return absl::ResourceExhaustedError(absl::StrCat(path_, ": cannot map ", memory.size(), " bytes of it: ", std::strerror(errno)));
  return absl::OkStatus();
}

}  // namespace hsa

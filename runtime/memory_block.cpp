#include "runtime/memory_block.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"

namespace hsa {

absl::StatusOr<MemoryBlock> MemoryBlock::Anonymous(int64_t bytes) {
  MemoryBlock block;
  if (bytes <= 0) return block;
  constexpr int64_t kHugePage = int64_t{2} << 20;
  const bool huge = bytes >= kHugePage;
  block.mapped_ = huge ? bytes + kHugePage : bytes;  // to start at a huge page somewhere in it
  void* memory = mmap(nullptr, block.mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return absl::ResourceExhaustedError(absl::StrCat("cannot map ", bytes, " bytes of memory: ", std::strerror(errno)));
  block.mapping_ = memory;
  std::size_t space = block.mapped_;
  if (huge) {
    std::align(kHugePage, bytes, memory, space);
    madvise(memory, bytes, MADV_HUGEPAGE);  // a system without them says no, and nothing changes but the speed
  }
  block.data_ = static_cast<std::byte*>(memory);
  block.bytes_ = bytes;
  return block;
}

absl::StatusOr<MemoryBlock> MemoryBlock::Scratch(int64_t bytes, const std::string& folder) {
  MemoryBlock block;
  if (bytes <= 0) return block;
  std::error_code ignored;
  const std::string where = folder.empty() ? std::filesystem::temp_directory_path(ignored).string() : folder;
  std::string name = where + "/hsa-scratch-XXXXXX";
  const int file = mkstemp(name.data());
  if (file < 0)
    return absl::FailedPreconditionError(
        absl::StrCat(where, ": cannot make a scratch file: ", std::strerror(errno), "; give another --scratch"));
  unlink(name.c_str());  // gone with the process, however it ends
  const int error = posix_fallocate(file, 0, bytes);
  void* memory = error == 0 ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  close(file);
  if (memory == MAP_FAILED) {
    struct statvfs space{};
    const bool known = statvfs(where.c_str(), &space) == 0;
    return absl::ResourceExhaustedError(
        absl::StrCat(where, ": the index wants ", bytes, " bytes of scratch, ",
                     known ? absl::StrCat(space.f_bavail * space.f_frsize, " are free") : "which it has not",
                     "; give another --scratch or a larger --memory-budget"));
  }
  block.mapping_ = memory;
  block.mapped_ = bytes;
  block.data_ = static_cast<std::byte*>(memory);
  block.bytes_ = bytes;
  return block;
}

MemoryBlock::~MemoryBlock() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

}  // namespace hsa

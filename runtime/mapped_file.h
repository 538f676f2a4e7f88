// A file mapped for reading, whose bytes can be put into memory of this process without reading them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace hsa {

class MappedFile {
 public:
  static constexpr int64_t kPage = 4096;  // what may be mapped stands at a multiple of it, in the file and in memory

  // NOT_FOUND            no such file
  // FAILED_PRECONDITION  it cannot be read or mapped, or is no regular file: names the system's reason
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

  // Makes `memory`, a part of a MemoryBlock, hold the bytes of the file from `offset` on, which reach as far. Large parts at whole pages are mapped:
  // read when they are used, and writes stay in this process; what follows up to the end of their last page then comes from the file, too.
  // RESOURCE_EXHAUSTED  the system maps no more
  absl::Status Put(int64_t offset, std::span<std::byte> memory) const;

 private:
  MappedFile() = default;

  std::string path_;
  int file_ = -1;
  std::span<const std::byte> bytes_;
};

}  // namespace hsa

// A block of zeroed memory: anonymous, or in an unlinked file of a scratch folder when it does not fit the budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace hsa {

class MemoryBlock {
 public:
  MemoryBlock() = default;
  // Zeros, in huge pages where the system has them: what is read in leaves and nodes that are picked one by one misses few translations so.
  static absl::StatusOr<MemoryBlock> Anonymous(int64_t bytes);
  // RESOURCE_EXHAUSTED  the folder has no room: names folder, what is wanted and what is free
  static absl::StatusOr<MemoryBlock> Scratch(int64_t bytes, const std::string& folder);

  MemoryBlock(MemoryBlock&& other) noexcept { *this = std::move(other); }
  MemoryBlock& operator=(MemoryBlock&& other) noexcept {
    std::swap(mapping_, other.mapping_);
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryBlock();

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void* mapping_ = nullptr;  // what the system gave, in which data_ lies
  size_t mapped_ = 0;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace hsa

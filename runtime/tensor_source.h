// Tensors of a safetensors file, mapped: no byte is read before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/safetensors_header.h"
#include "runtime/tensor.h"

namespace hsa {

// A checked file. Views that it gives are valid as long as it lives; moving it keeps them valid. Safe to read from several threads.
//
// The file must not shrink while it is mapped: the system answers a read behind its new end with SIGBUS. A file that is replaced by rename or
// removed stays whole; one that is truncated in place does not. WillNeed looks at the size again, so that a caller who announces rows
// before reading them turns all but the last moment of that into an error.
class TensorFile {
 public:
  // NOT_FOUND            no such file
  // FAILED_PRECONDITION  it cannot be read or mapped, or is no regular file: names the system's reason
  // DATA_LOSS            truncated or damaged: names the tensor, what it says and what was wanted
  static absl::StatusOr<TensorFile> Open(const std::string& path);

  // The tensor [heads, tokens, dim] in the file's own bytes.
  // NOT_FOUND            no tensor of that name: lists those that there are
  // INVALID_ARGUMENT     not F32, BF16 or F16, or not of rank 3
  // FAILED_PRECONDITION  its elements are not aligned to their size
  absl::StatusOr<TensorView> Get(std::string_view tensor) const;

  // Starts reading rows [begin, end) of every head. `tensor` is one that Get gave; other views are left alone.
  // DATA_LOSS  the file has become shorter than it was
  absl::Status WillNeed(const TensorView& tensor, int64_t begin, int64_t end) const;

  // The rows are not wanted soon: their whole pages leave this process, and come back from the file when they are read again.
  void DontNeed(const TensorView& tensor, int64_t begin, int64_t end) const;

  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  const std::string& name() const { return name_; }
  int64_t file_bytes() const { return static_cast<int64_t>(bytes_.size()); }

 private:
  friend absl::StatusOr<TensorFile> ParseTensorFile(std::span<const std::byte> bytes, std::string_view name);
  struct Mapping;
  struct Unmap {
    void operator()(Mapping* mapping) const;
  };

  void Advise(const TensorView& tensor, int64_t begin, int64_t end, int advice) const;

  std::string name_;
  std::span<const std::byte> bytes_;
  std::vector<TensorEntry> tensors_;
  std::unique_ptr<Mapping, Unmap> mapping_;  // null: the bytes are someone else's
};

// The same over bytes in memory, which must outlive the result; `name` stands for the path in messages.
absl::StatusOr<TensorFile> ParseTensorFile(std::span<const std::byte> bytes, std::string_view name);

}  // namespace hsa

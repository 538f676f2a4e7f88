// Writes a safetensors file whose rows come in any order; the file appears whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace hsa {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // rank 2 or 3
};

// A file under way, `path`.tmp.PID, at its final size and mapped: rows are written by storing to the views. Commit gives it its name; without
// Commit the destructor removes it. Only a killed process leaves the temporary file. One writer of a path at a time.
//
// All space is taken before the first row, so that running out of it is an error here and not a signal in the middle of the work (a file
// system that allocates again on overwriting, such as btrfs, can still send SIGBUS).
class TensorWriter {
 public:
  // Names are not empty and all different. Rows start as zeros.
  // INVALID_ARGUMENT     a shape that is negative, not of rank 2 or 3, or too large; a name that comes twice
  // RESOURCE_EXHAUSTED   no space left, or over the file size limit: names the bytes needed and the bytes there are
  // FAILED_PRECONDITION  the file cannot be created, or `path` is a folder or a device: names the system's reason
  static absl::StatusOr<TensorWriter> Create(const std::string& path, std::span<const TensorSpec> tensors);

  TensorWriter(TensorWriter&&) noexcept;
  TensorWriter& operator=(TensorWriter&&) noexcept;
  ~TensorWriter();

  // Where the tensor goes; [H,N] is seen as [1,H,N]. Empty (no data) when there is no tensor of that name. Valid until the writer ends.
  MutableTensorView View(std::string_view tensor) const;

  // Rows [begin, end) of every head are final: the system starts to write them, so that Commit has less to wait for. Their pages leave this
  // process; they may still be read and even written.
  void RowsReady(std::string_view tensor, int64_t begin, int64_t end) const;
  // The same of one head, 0 ≤ begin and end ≤ N.
  void RowsReady(std::string_view tensor, int64_t head, int64_t begin, int64_t end) const;

  // All that was written is on the disk and has the name `path`, replacing what was there; a symbolic link is followed. Call it once.
  // FAILED_PRECONDITION  the system refused: names its reason; the temporary file is removed
  absl::Status Commit();

  int64_t file_bytes() const;

 private:
  struct Impl;
  explicit TensorWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hsa

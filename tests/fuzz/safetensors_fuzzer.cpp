// Any bytes as a safetensors file: refused with one line, or every tensor that it gives lies inside them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "runtime/tensor_source.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// Reads the first and the last byte of every row of heads, and sees that both are the file's.
void Touch(const hsa::TensorView& tensor, std::span<const std::byte> file) {
  if (tensor.heads() == 0 || tensor.tokens() == 0 || tensor.dim() == 0) return;
  const std::byte* begin = tensor.Row(0, 0);
  const std::byte* end = tensor.Row(tensor.heads() - 1, tensor.tokens() - 1) + tensor.dim() * hsa::DTypeBytes(tensor.dtype);
  Require(begin >= file.data() && begin < end && end <= file.data() + file.size());
  [[maybe_unused]] volatile std::byte sink = begin[0];
  sink = end[-1];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> file = std::as_bytes(std::span(data, size));
  const auto tensors = hsa::ParseTensorFile(file, "in");
  if (!tensors.ok()) {
    Require(std::string(tensors.status().message()).find('\n') == std::string::npos);
    return 0;
  }
  int64_t end_before = 0;
  for (const hsa::TensorEntry& entry : tensors->tensors()) {
    Require(entry.begin >= end_before && entry.end >= entry.begin && entry.end <= tensors->file_bytes());
    end_before = entry.end;
    if (const auto view = tensors->Get(entry.name); view.ok()) {
      Touch(*view, file);
      Require(tensors->WillNeed(*view, 0, view->tokens()).ok());
    }
  }
  return 0;
}

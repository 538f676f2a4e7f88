// The header of a safetensors file: which tensors the file holds, and where their bytes are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hsa {

struct TensorEntry {
  std::string name;
  std::string dtype;  // as the file spells it: "F32", "BF16", "I64"
  std::vector<int64_t> shape;
  int64_t begin = 0;  // bytes from the start of the file
  int64_t end = 0;
};

// The tensors of a whole file, by offset. What this returns is not checked again: every shape is non-negative, the product of its dimensions
// (zeros counted as ones) times the bytes of an element fits int64_t, and [begin, end) holds exactly the tensor and lies inside the file.
// `name` stands for the file in messages.
// DATA_LOSS  the bytes are no such file: names the tensor, what it says and what was wanted
absl::StatusOr<std::vector<TensorEntry>> ParseSafetensorsHeader(std::span<const std::byte> file, std::string_view name);

// A name from a file, fit for one line of a message: quoted, escaped and cut to 64 bytes.
std::string QuoteName(std::string_view name);

}  // namespace hsa

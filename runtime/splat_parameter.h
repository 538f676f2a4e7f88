// A tensor of parameters of scheme routed, before its numbers are looked at.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "runtime/tensor.h"

namespace hsa {

// OK when `tensor` is there, f32 and [heads, rows, dim].
// INVALID_ARGUMENT  otherwise: names the tensor, what it is and what the plan wants
absl::Status CheckSplatParameter(const std::string& name, const TensorView& tensor, int64_t heads, int64_t rows, int64_t dim);

inline float EntryOf(const TensorView& tensor, int64_t head, int64_t row, int64_t d) {
  return reinterpret_cast<const float*>(tensor.Row(head, row))[d];
}

}  // namespace hsa

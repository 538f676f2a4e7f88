// A tensor as the runtime sees it: a pointer, a shape and strides. It owns nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hsa {

enum class DType : uint8_t { kF32 = 0, kBF16 = 1, kF16 = 2 };

constexpr int64_t DTypeBytes(DType dtype) { return dtype == DType::kF32 ? 4 : 2; }
constexpr std::string_view DTypeName(DType dtype) {  // as hsa-run spells it
  return dtype == DType::kF32 ? "f32" : dtype == DType::kBF16 ? "bf16" : "f16";
}

// [head, token, dim], strides in elements; the innermost stride is 1.
struct TensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  std::array<int64_t, 3> shape{};
  std::array<int64_t, 3> strides{};

  int64_t heads() const { return shape[0]; }
  int64_t tokens() const { return shape[1]; }
  int64_t dim() const { return shape[2]; }
  const std::byte* Row(int64_t head, int64_t token) const { return data + (head * strides[0] + token * strides[1]) * DTypeBytes(dtype); }
};

// Where results go; same conventions as TensorView.
struct MutableTensorView {
  std::byte* data = nullptr;
  DType dtype = DType::kF32;
  std::array<int64_t, 3> shape{};
  std::array<int64_t, 3> strides{};

  std::byte* Row(int64_t head, int64_t token) const { return data + (head * strides[0] + token * strides[1]) * DTypeBytes(dtype); }
};

}  // namespace hsa

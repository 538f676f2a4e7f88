// In which element type exact attention multiplies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hsa::frontend {

// kStored: as kBf16 where inputs are stored in bf16, as kF32 where they are not. kBf16: operands are rounded to bf16 (inputs in bf16 are as they are) and
// summed in f32, where the processor multiplies pairs of bf16 (AMX, AVX512-BF16); elsewhere the arithmetic is f32. kInt8: scores of exact attention are sums of products of 8-bit integers, where the processor has AVX512-VNNI.
enum class Precision : uint8_t { kF32, kBf16, kInt8, kStored };

inline constexpr std::array<std::string_view, 4> kPrecisionNames = {"f32", "bf16", "int8", "auto"};  // by number
inline std::string_view PrecisionName(Precision precision) { return kPrecisionNames[static_cast<size_t>(precision)]; }

}  // namespace hsa::frontend

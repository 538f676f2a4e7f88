// In which element type exact attention multiplies.
#pragma once

#include <cstdint>

namespace hsa::frontend {

// kBf16: operands are rounded to bf16 (inputs in bf16 are as they are) and summed in f32, where the processor multiplies tiles of bf16 (AMX);
// elsewhere, and in every stage by splats, the arithmetic is f32.
enum class Precision : uint8_t { kF32, kBf16 };

}  // namespace hsa::frontend

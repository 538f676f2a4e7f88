// The stages of both schemes and the vocabulary of what they are called with.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

enum class Element : uint8_t { kF32, kBF16, kI32, kInput };  // kInput: the type of the input (or output) tensors
enum class Home : uint8_t { kPort, kStridedPort, kBuffer };

// A named thing: a port that the runtime binds (strided: rows of a user's tensor), or a buffer of the worker's arena.
struct Term {
  std::string_view name;
  Home home;
  Element element;
  llvm::SmallVector<int64_t, 4> shape;  // -1: told at run time
};

struct StageSpec {
  std::string_view entry;  // also names the op: hsa.tile_<entry>
  std::string_view space;
  bool typed;
  llvm::SmallVector<std::string_view, 12> ins, outs;
  std::string_view features = {};  // of processors that run it, in LLVM's spelling, comma-separated: code for others leaves it out
};

// Shapes depend on the dimensions of the attention.
std::vector<Term> vocabulary(const KernelParams& params);

// Stages in order of execution inside their space.
llvm::ArrayRef<StageSpec> softmaxStages();
struct RoutedKind {
  bool causal = false, isotropic = false, factor = false, flow = false, gate = false;  // factor: covariances of low rank or full
};
std::vector<StageSpec> routedStages(const RoutedKind& kind);
std::vector<StageSpec> sparseStages(const RoutedKind& kind);

}  // namespace hsa::ir

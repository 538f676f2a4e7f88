// What a processor's name means for code: its instruction set, register tile, and the features that the code may use.
#pragma once

#include <memory>
#include <string>

#include "kernels/tile_shape.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

namespace hsa::ir {

struct Target {
  std::string name;     // as asked for: "native", "x86-64-v3", "znver4", "neoverse-v2"
  std::string triple;   // "x86_64-unknown-linux-gnu"
  std::string tuneCpu;  // the processor to schedule for
  std::string baseCpu;  // the one whose instructions may be used: a feature level, not a model
  TileShape tile;       // chosen by features, never by name

  bool bytes;  // it multiplies integers of 8 bits: kByteFeatures

  // Whether it has code for an entry that wants these features, of its own or of what does the same: kTileFeatures, kByteFeatures.
  bool runs(llvm::StringRef features) const { return features == llvm::StringRef(kByteFeatures) ? bytes : tile.pairs != PairUnit::kNone; }
};

// `native` is this machine. An error names the processor and says what is accepted.
llvm::Expected<Target> resolveTarget(llvm::StringRef cpu);

std::unique_ptr<llvm::TargetMachine> createTargetMachine(const Target& target);

}  // namespace hsa::ir

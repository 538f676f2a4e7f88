#include "passes/export/target.h"

#include <mutex>

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

namespace hsa::ir {

namespace {

// The instruction sets in order of preference and the LLVM processor that stands for exactly their features.
struct Level {
  const char* isa;
  const char* triple;
  const char* baseCpu;
};
constexpr Level kLevels[] = {
    {"avx512", "x86_64-unknown-linux-gnu", "x86-64-v4"},
    {"avx2", "x86_64-unknown-linux-gnu", "x86-64-v3"},
    {"sse2", "x86_64-unknown-linux-gnu", "x86-64"},
    {"neon", "aarch64-unknown-linux-gnu", "generic"},
};

void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo(), LLVMInitializeX86Target(), LLVMInitializeX86TargetMC(), LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo(), LLVMInitializeAArch64Target(), LLVMInitializeAArch64TargetMC(), LLVMInitializeAArch64AsmPrinter();
  });
}

const TileShape* tileOf(llvm::StringRef isa) {
  for (const TileShape& tile : kTileShapes)
    if (isa == llvm::StringRef(tile.isa)) return &tile;
  return nullptr;
}

std::unique_ptr<llvm::MCSubtargetInfo> subtarget(llvm::StringRef triple, llvm::StringRef cpu, llvm::StringRef features = "") {
  std::string error;
  llvm::Triple parsed(triple);
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(parsed, error);
  return std::unique_ptr<llvm::MCSubtargetInfo>(target->createMCSubtargetInfo(parsed, cpu, features));
}

bool hasAll(const llvm::MCSubtargetInfo& info, llvm::StringRef features) {
  llvm::SmallVector<llvm::StringRef> names;
  features.split(names, ',');
  return llvm::all_of(names, [&](llvm::StringRef name) { return info.checkFeatures(("+" + name).str()); });
}

// Tiles before vectors: a processor that has both multiplies eight to thirty times as many in tiles.
PairUnit pairUnitOf(const llvm::MCSubtargetInfo& info) {
  if (hasAll(info, kTileFeatures)) return PairUnit::kTiles;
  return hasAll(info, kDotFeatures) ? PairUnit::kDot : PairUnit::kNone;
}

}  // namespace

llvm::Expected<Target> resolveTarget(llvm::StringRef cpu) {
  initializeTargets();
  std::string name = cpu.str(), features;
  if (cpu == "native") {
    name = llvm::sys::getHostCPUName().str();
    llvm::SubtargetFeatures host;
    for (const auto& [feature, enabled] : llvm::sys::getHostCPUFeatures()) host.AddFeature(feature, enabled);
    features = host.getString();
  }
  const bool hostIsX86 = llvm::Triple(llvm::sys::getDefaultTargetTriple()).isX86();
  for (const Level& level : kLevels) {
    if (cpu == "native" && llvm::Triple(level.triple).isX86() != hostIsX86) continue;
    auto info = subtarget(level.triple, "");
    if (!info->isCPUStringValid(name)) continue;
    info = subtarget(level.triple, name, features);
    const TileShape* tile = tileOf(level.isa);
    if (hasAll(*info, tile->features)) {
      Target target{cpu.str(), level.triple, name, level.baseCpu, *tile, tile->lanes == 16 && hasAll(*info, kByteFeatures)};
      if (tile->lanes == 16) target.tile.pairs = pairUnitOf(*info);
      return target;
    }
  }
  return llvm::createStringError(
      "--mcpu=" + cpu.str() +
      ": no such x86-64 or aarch64 processor; give 'native' or a name of `llc --mcpu=help`, such as x86-64-v3, znver4, neoverse-v2");
}

std::unique_ptr<llvm::TargetMachine> createTargetMachine(const Target& target) {
  initializeTargets();
  std::string error;
  llvm::Triple triple(target.triple);
  const llvm::Target* llvmTarget = llvm::TargetRegistry::lookupTarget(triple, error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;  // a·x + y is fused only where the IR says contract
  return std::unique_ptr<llvm::TargetMachine>(llvmTarget->createTargetMachine(triple, target.baseCpu, "", options, llvm::Reloc::PIC_,
                                                                              llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

}  // namespace hsa::ir

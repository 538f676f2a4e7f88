// What this processor can do, read once from the processor itself and from the operating system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hsa {

struct Machine {
  std::string vendor;  // "AuthenticAMD", "GenuineIntel", …; on aarch64 the implementer that Linux tells
  std::string model;   // the processor's own name for itself: "AMD EPYC 7763 64-Core Processor"

  // Instruction sets that code may use, as LLVM spells them ("avx2", "bmi", "amx-tile", "neon"), sorted. One whose registers the operating
  // system does not save is not here. Linux saves AMX tiles only for a process that has asked: arch_prctl(ARCH_REQ_XCOMP_PERM, 18).
  std::vector<std::string> features;

  int cores = 1;                                      // processors that this process may run on
  int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // of the first core; 0 when there is none or nobody tells

  bool Has(std::string_view feature) const;
};

// The same object on every call; thread-safe.
const Machine& ThisMachine();

// "x86_64", "aarch64": the first part of an LLVM triple for this process. Empty on other processors.
std::string_view ThisArchitecture();

// The register tiles of format::Variant.isa, best first: {"avx512", "avx512f"} says that avx512 code needs at least avx512f.
struct Isa {
  std::string_view name, feature, architecture;
};
inline constexpr Isa kIsas[] = {
    {"avx512", "avx512f", "x86_64"},
    {"avx2", "avx2", "x86_64"},
    {"sse2", "sse2", "x86_64"},
    {"neon", "neon", "aarch64"},
};

}  // namespace hsa

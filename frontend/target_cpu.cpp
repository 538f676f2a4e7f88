#include "frontend/target_cpu.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "frontend/spelling.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/AArch64TargetParser.h"
#include "llvm/TargetParser/X86TargetParser.h"

namespace hsa::frontend {
namespace {

const std::vector<std::string>& KnownCpus() {
  static const std::vector<std::string> names = [] {
    llvm::SmallVector<llvm::StringRef> known;
    llvm::X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
    llvm::AArch64::fillValidCPUArchList(known);
    std::vector<std::string> all = {"native"};
    for (llvm::StringRef name : known) all.push_back(name.str());
    return all;
  }();
  return names;
}

}  // namespace

absl::Status CheckCpus(const std::vector<std::string>& cpus) {
  if (cpus.empty()) return absl::InvalidArgumentError("no CPU to compile for; name one, or 'native'");
  std::set<std::string> seen;
  for (const std::string& cpu : cpus) {
    if (std::find(KnownCpus().begin(), KnownCpus().end(), cpu) == KnownCpus().end()) {
      const std::string guess = DidYouMean(cpu, KnownCpus());
      return absl::InvalidArgumentError(absl::StrCat("CPU ", Quoted(cpu), " is neither 'native' nor a name that LLVM knows",
                                                     guess.empty() ? ": x86-64-v3, znver4, sapphirerapids, ..." : guess));
    }
    if (!seen.insert(cpu).second) return absl::InvalidArgumentError(absl::StrCat("CPU ", Quoted(cpu), " is named twice"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ParseCpus(std::string_view list) {
  std::vector<std::string> cpus = absl::StrSplit(std::string(list), ',');
  if (absl::Status checked = CheckCpus(cpus); !checked.ok()) return checked;
  return cpus;
}

}  // namespace hsa::frontend

#include "frontend/cache_key.h"

#include <link.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kernels/machine.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"

namespace hsa::frontend {
namespace {

// Raise it when plans change for a reason that no build id shows.
constexpr std::string_view kFormat = "hsa-cache-1";

bool Holds(const dl_phdr_info& object, uintptr_t address) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr) & segment = object.dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && address - (object.dlpi_addr + segment.p_vaddr) < segment.p_memsz) return true;
  }
  return false;
}

// Hexadecimal, empty when the linker wrote no build id.
std::string BuildId(const dl_phdr_info& object) {
  constexpr auto align = [](size_t bytes) { return (bytes + 3) & ~size_t{3}; };
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr) & segment = object.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const char* note = reinterpret_cast<const char*>(object.dlpi_addr + segment.p_vaddr);
    size_t left = segment.p_memsz;
    while (left >= sizeof(ElfW(Nhdr))) {
      ElfW(Nhdr) header;
      std::memcpy(&header, note, sizeof(header));
      const size_t bytes = sizeof(header) + align(header.n_namesz) + align(header.n_descsz);
      if (bytes > left) break;
      const char* name = note + sizeof(header);
      if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        return absl::BytesToHexString(std::string(name + 4, header.n_descsz));
      }
      note += bytes;
      left -= bytes;
    }
  }
  return "";
}

std::string FileStamp(const char* path) {
  struct stat info;
  if (stat(path, &info) != 0) return "unknown";
  return absl::StrCat(info.st_size, "@", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
}

int AddObject(dl_phdr_info* object, size_t, void* version) {
  const std::string_view path = object->dlpi_name == nullptr ? "" : object->dlpi_name;
  const std::string_view file = path.substr(path.rfind('/') + 1);
  const bool ours = Holds(*object, reinterpret_cast<uintptr_t>(&CompilerVersion));
  if (!ours && !file.starts_with("libLLVM") && !file.starts_with("libMLIR")) return 0;
  std::string id = BuildId(*object);
  if (id.empty()) id = FileStamp(path.empty() ? "/proc/self/exe" : object->dlpi_name);  // the program itself has no name here
  absl::StrAppend(static_cast<std::string*>(version), " ", ours ? "hsa" : std::string(file), "=", id);
  return 0;
}

// Lengths keep ("a", "bc") and ("ab", "c") apart.
void Add(std::string& text, std::string_view part) { absl::StrAppend(&text, part.size(), ":", std::string(part), "\n"); }

}  // namespace

const std::string& CompilerVersion() {
  static const std::string version = [] {
    std::string text = absl::StrCat(std::string(kFormat), " LLVM ", LLVM_VERSION_STRING);
    dl_iterate_phdr(AddObject, &text);
    return text;
  }();
  return version;
}

std::string CacheKey(std::string_view source, const std::vector<std::string>& cpus, Precision precision) {
  std::string text;
  Add(text, CompilerVersion());
  Add(text, source);
  Add(text, PrecisionName(precision));
  for (const std::string& cpu : cpus) {
    Add(text, cpu);
    if (cpu != "native") continue;
    Add(text, llvm::sys::getHostCPUName());  // schedules instructions for it
    Add(text, ThisArchitecture());
    for (const std::string& feature : ThisMachine().features) Add(text, feature);
  }
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data(), text.size()));
  return absl::BytesToHexString(std::string(reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest)));
}

}  // namespace hsa::frontend

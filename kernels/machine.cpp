#include "kernels/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace hsa {
namespace {

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// Zero for a leaf that the processor does not have: asking for it would return the highest leaf's numbers instead.
Registers Cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  if (leaf <= __get_cpuid_max(leaf & 0x80000000u, nullptr)) __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
}

// XCR0: the register state that the operating system saves. Only to be read when CPUID says OSXSAVE.
uint64_t SavedState(const Registers& leaf1) {
  if (!(leaf1.ecx >> 27 & 1)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// Register state that a feature needs, as bits of XCR0 (Intel SDM vol. 1, 13.1).
constexpr uint64_t kBase = 0, kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;

struct Feature {
  const char* name;
  uint32_t word;
  int bit;
  uint64_t state;
};

// Bits as in Intel SDM vol. 2, CPUID, and AMD APM vol. 3, appendix E.
std::vector<std::string> Features() {
  const Registers l1 = Cpuid(1), l7 = Cpuid(7), l71 = Cpuid(7, 1), ext = Cpuid(0x80000001u);
  const uint64_t saved = SavedState(l1);
  const Feature known[] = {
      {"cx8", l1.edx, 8, kBase},          {"cmov", l1.edx, 15, kBase},
      {"mmx", l1.edx, 23, kBase},         {"fxsr", l1.edx, 24, kBase},
      {"sse", l1.edx, 25, kBase},         {"sse2", l1.edx, 26, kBase},
      {"sse3", l1.ecx, 0, kBase},         {"pclmul", l1.ecx, 1, kBase},
      {"ssse3", l1.ecx, 9, kBase},        {"fma", l1.ecx, 12, kYmm},
      {"cx16", l1.ecx, 13, kBase},        {"sse4.1", l1.ecx, 19, kBase},
      {"sse4.2", l1.ecx, 20, kBase},      {"movbe", l1.ecx, 22, kBase},
      {"popcnt", l1.ecx, 23, kBase},      {"aes", l1.ecx, 25, kBase},
      {"xsave", l1.ecx, 27, kBase},       {"avx", l1.ecx, 28, kYmm},
      {"f16c", l1.ecx, 29, kYmm},         {"rdrnd", l1.ecx, 30, kBase},
      {"bmi", l7.ebx, 3, kBase},          {"avx2", l7.ebx, 5, kYmm},
      {"bmi2", l7.ebx, 8, kBase},         {"avx512f", l7.ebx, 16, kZmm},
      {"avx512dq", l7.ebx, 17, kZmm},     {"adx", l7.ebx, 19, kBase},
      {"avx512ifma", l7.ebx, 21, kZmm},   {"avx512cd", l7.ebx, 28, kZmm},
      {"avx512bw", l7.ebx, 30, kZmm},     {"avx512vl", l7.ebx, 31, kZmm},
      {"avx512vbmi", l7.ecx, 1, kZmm},    {"avx512vbmi2", l7.ecx, 6, kZmm},
      {"gfni", l7.ecx, 8, kBase},         {"vaes", l7.ecx, 9, kYmm},
      {"vpclmulqdq", l7.ecx, 10, kYmm},   {"avx512vnni", l7.ecx, 11, kZmm},
      {"avx512bitalg", l7.ecx, 12, kZmm}, {"avx512vpopcntdq", l7.ecx, 14, kZmm},
      {"amx-bf16", l7.edx, 22, kTiles},   {"avx512fp16", l7.edx, 23, kZmm},
      {"amx-tile", l7.edx, 24, kTiles},   {"amx-int8", l7.edx, 25, kTiles},
      {"avxvnni", l71.eax, 4, kYmm},      {"avx512bf16", l71.eax, 5, kZmm},
      {"amx-fp16", l71.eax, 21, kTiles},  {"avxifma", l71.eax, 23, kYmm},
      {"avxvnniint8", l71.edx, 4, kYmm},  {"avxneconvert", l71.edx, 5, kYmm},
      {"sahf", ext.ecx, 0, kBase},        {"lzcnt", ext.ecx, 5, kBase},
      {"prfchw", ext.ecx, 8, kBase},
  };
  std::vector<std::string> features;
  for (const Feature& f : known)
    if ((f.word >> f.bit & 1) && (saved & f.state) == f.state) features.push_back(f.name);
  return features;
}

std::string Vendor() {
  const Registers r = Cpuid(0);
  std::array<uint32_t, 3> words{r.ebx, r.edx, r.ecx};
  return std::string(reinterpret_cast<const char*>(words.data()), sizeof words);
}

std::string Model() {
  std::string model;
  for (uint32_t leaf = 0x80000002u; leaf <= 0x80000004u; ++leaf) {
    const Registers r = Cpuid(leaf);
    model.append(reinterpret_cast<const char*>(&r), sizeof r);
  }
  model.resize(std::strlen(model.c_str()));
  model.erase(0, model.find_first_not_of(' '));
  model.erase(model.find_last_not_of(' ') + 1);
  return model;
}

#else

std::string CpuInfo(std::string_view field) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field) && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  return "";
}
std::string Vendor() { return CpuInfo("CPU implementer"); }
std::string Model() { return CpuInfo("model name"); }

#if defined(__aarch64__)
// Bits of the kernel's Documentation/arch/arm64/elf_hwcaps; the kernel tells only what it saves.
std::vector<std::string> Features() {
  const uint64_t hwcap = getauxval(AT_HWCAP), hwcap2 = getauxval(AT_HWCAP2);
  struct Feature {
    const char* name;
    uint64_t word;
    int bit;
  };
  const Feature known[] = {
      {"fp-armv8", hwcap, 0}, {"neon", hwcap, 1},      {"aes", hwcap, 3},    {"sha2", hwcap, 6},     {"crc", hwcap, 7},
      {"lse", hwcap, 8},      {"fullfp16", hwcap, 10}, {"rdm", hwcap, 12},   {"dotprod", hwcap, 20}, {"sve", hwcap, 22},
      {"fp16fml", hwcap, 23}, {"sve2", hwcap2, 1},     {"i8mm", hwcap2, 13}, {"bf16", hwcap2, 14},
  };
  std::vector<std::string> features;
  for (const Feature& f : known)
    if (f.word >> f.bit & 1) features.push_back(f.name);
  return features;
}
#else
std::vector<std::string> Features() { return {}; }
#endif

#endif

// Linux describes each cache of the first core in a folder of its own: level, type ("Data", "Unified") and size ("32K").
int64_t CacheBytes(int level) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    std::ifstream level_in(folder + "/level"), type_in(folder + "/type"), size_in(folder + "/size");
    int found = 0;
    std::string type, unit;
    int64_t size = 0;
    if (!(level_in >> found) || !(type_in >> type) || !(size_in >> size)) continue;
    size_in >> unit;
    if (found == level && type != "Instruction") return unit == "K" ? size << 10 : unit == "M" ? size << 20 : size;
  }
  // Containers may hide the folder; the C library then asks the processor.
  const int name = level == 1 ? _SC_LEVEL1_DCACHE_SIZE : level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE;
  return std::max<int64_t>(0, sysconf(name));
}

int Cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1u, std::thread::hardware_concurrency());  // more processors than a cpu_set_t holds
}

Machine ReadMachine() {
  Machine m;
  m.vendor = Vendor();
  m.model = Model();
  m.features = Features();
  std::sort(m.features.begin(), m.features.end());
  m.cores = Cores();
  m.l1d_bytes = CacheBytes(1);
  m.l2_bytes = CacheBytes(2);
  m.l3_bytes = CacheBytes(3);
  return m;
}

}  // namespace

bool Machine::Has(std::string_view feature) const { return std::binary_search(features.begin(), features.end(), feature); }

const Machine& ThisMachine() {
  static const Machine machine = ReadMachine();
  return machine;
}

std::string_view ThisArchitecture() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "";
#endif
}

}  // namespace hsa

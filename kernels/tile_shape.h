// The register tile of each instruction set: rows of queries × vectors of keys (or of value columns) whose sums stay in registers.
#pragma once

#include <array>
#include <string_view>

namespace hsa {

// A panel is 16 keys side by side, a batch is four panels: the unit that scores, softmax and values work on.
inline constexpr int kPanelKeys = 16;
inline constexpr int kBatchPanels = 4;
inline constexpr int kBatchKeys = kPanelKeys * kBatchPanels;
inline constexpr int kPairPanelKeys = 2 * kPanelKeys;  // in pairs of bf16 each key, or dimension, stands beside the one 16 behind it
inline constexpr int kPairSegmentKeys = 128;           // a multiple of what a tile meets at once: keys in pairs are packed up to it
inline constexpr int kGroupNodes = 4;                  // nodes are stored four side by side: the children of one node
inline constexpr int kBatchGroups = kBatchKeys / kGroupNodes;
inline constexpr int kSumLanes = 16;             // partial sums of a row, added up at its end
inline constexpr int kPadPosition = 0x7fffffff;  // of an empty slot: after every query, so masked for all

// What multiplies pairs of bf16 and sums in f32.
enum class PairUnit {
  kNone,
  kDot,    // vdpbf16ps of AVX512-BF16, in registers of 16 sums
  kTiles,  // tdpbf16ps of AMX, in tiles of 16 x 16 sums
};
inline constexpr std::string_view kDotFeatures = "avx512bf16";
inline constexpr std::string_view kTileFeatures = "amx-tile,amx-bf16";
inline constexpr std::string_view kByteFeatures = "avx512vnni";  // of what multiplies integers of 8 bits, four to a sum

struct TileShape {
  std::string_view isa;
  int lanes;                  // f32 in a vector register
  int rows;                   // rows of the register tile
  int vectors;                // vectors side by side in the register tile
  std::string_view features;  // what the code may use, in LLVM's spelling, comma-separated; also what a plan requires
  PairUnit pairs = PairUnit::kNone;
};

// 8x32 of 32 zmm and 6x16 of 16 ymm are what leaves no spill and no idle FMA port; the measurements are in docs/performance.md.
inline constexpr std::array<TileShape, 4> kTileShapes = {{
    {"avx512", 16, 8, 2, "avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx2,fma,f16c,bmi,bmi2,lzcnt,movbe,popcnt"},
    {"avx2", 8, 6, 2, "avx2,fma,f16c,bmi,bmi2,lzcnt,movbe,popcnt"},
    {"sse2", 4, 4, 2, "sse2"},
    {"neon", 4, 8, 2, "neon"},
}};

}  // namespace hsa

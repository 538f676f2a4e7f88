// Numbers that the compiled code of scheme routed and the runtime agree on, in log2 units (docs/spec.md, "Routed"). Each is far from the next, so that
// their differences are the greater one.
#pragma once

#include <cstdint>

namespace hsa {

inline constexpr double kFarthest = -1e28;      // the least affinity of a token that sends
inline constexpr double kNothingSent = -1e30;   // max of a splat that was sent nothing
inline constexpr double kSendsNothing = -1e35;  // bias of a token that sends nothing: not there, or not finite
inline constexpr double kNoSplat = -1e38;       // weight of the splats that fill up a tile
inline constexpr double kMostExcess =
    80;  // by which a token of a causal chunk may exceed the running maximum: 2^80 · 64 tokens · 2^8 is finite
// r²(|x - c| + |μ - c|)² up to which the affinity of a token to an isotropic splat is a product: its terms are no greater, so that each of its roundings costs
// log2 φ 2^-24 · 64 at most.
inline constexpr double kMostCancelled = 64;
inline constexpr double kNoLink = -1e33;  // log2 of a link that is not there: below kNothingSent
inline constexpr int kMostLevels = 16;    // levels of a graph: entries of a gate
inline constexpr int kSplatTile = 64;     // splats that are computed together; their number is rounded up to it

inline constexpr int kSketchAxes = 4;  // on which tokens are projected to find those that are near each other
inline constexpr int kFactorRows = 4;  // of a covariance's factor that are multiplied at once: those of low rank are filled up to it
constexpr int64_t factorRows(int64_t rank) { return (rank + kFactorRows - 1) / kFactorRows * kFactorRows; }
// By how far a token may lie from a splat, in units of a dimension's width: what is farther counts as that far, which is beyond kFarthest.
inline constexpr double kFarthestApart = 1e15;

inline constexpr int kMostSplatLevels = 16;
inline constexpr double kNotNear = -9e29;  // an affinity below it is none: a slot of a list that no splat has taken
inline constexpr int kLinkTop = 8;         // splats of a level that a key belongs to where links are made from data and the graph keeps all
inline constexpr int kMostNear = 64;       // splats of a level that a token may keep
constexpr int nearListSlots(int top) { return (top + 15) / 16 * 16; }  // of a list: whole vectors of any processor

}  // namespace hsa

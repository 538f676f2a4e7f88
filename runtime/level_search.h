// How a token of a sparse graph finds the splats of a level that are nearest to it (docs/spec.md, "Sparse").
#pragma once

#include <cstdint>
#include <string_view>

namespace hsa {

enum class LevelSearch {
  kBrute,    // looks at every splat
  kDescent,  // looks at the nodes of a tree, then into as many of the nearest as it keeps splats
  kHnsw,     // a graph of neighbours names splats, and it looks into the nodes that they are in
};

constexpr std::string_view LevelSearchName(LevelSearch search) {  // as hsa-run spells it
  return search == LevelSearch::kBrute ? "brute" : search == LevelSearch::kDescent ? "descent" : "hnsw";
}

// The fastest one for tokens that keep `top` of so many splats, as measured (docs/routed.md, "Finding splats").
LevelSearch FastestSearch(int64_t top, int64_t splats);

}  // namespace hsa

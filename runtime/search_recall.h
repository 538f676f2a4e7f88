// What a search that does not look at every splat finds of those that one would find that does.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/level_tree.h"
#include "runtime/near_lists.h"

namespace hsa {

// Sums over some tokens and all levels.
struct Recall {
  int64_t nearest = 0, found = 0;   // splats that the whole search keeps, and how many of them the other keeps as well
  double mass = 0, mass_found = 0;  // Σ a φ of what each keeps, beside the nearest splat of the token and level
};

// `found` against `whole`, both counted, of the same tokens.
void AddRecall(const NearLists& found, const NearLists& whole, int64_t levels, int64_t tokens, Recall& recall);

}  // namespace hsa

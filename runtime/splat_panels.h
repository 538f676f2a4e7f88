// The splats of one kv_head as a search for the nearest reads them: level by level, in panels of 16.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/huge_pages.h"
#include "runtime/routed_tables.h"
#include "runtime/worker.h"

namespace hsa {

// Some splats of one level, padded to whole tiles of 64 slots.
struct SplatPanels {
  std::vector<float, HugePages<float>> scale, shift;  // [slots / 16, depth, 16], as RoutedTables has them
  std::vector<float, HugePages<float>> factor;        // [slots / 16, factor_rows, depth, 16], empty where covariances are diagonal
  std::vector<float> bias;                            // [slots]: log2 a; kNoSplat for a slot without a splat
  std::vector<int32_t> ids;                           // [slots]: the splat's number in the kv_head
  int64_t depth = 0, splats = 0, factor_rows = 0;
  IsotropicTables isotropic;  // where splats are isotropic: shifts are relative to its center then, as the tokens are

  int64_t slots() const { return static_cast<int64_t>(bias.size()); }
  // level_scale, level_shift, level_bias, level_ids and, of isotropic splats, level_product, level_terms and level_limit: of `count` slots from `first` on,
  // multiples of 64.
  void Bind(Worker& worker, int64_t first, int64_t count) const;
};

// The splats `which` of a kv_head, in this order. `center` [depth]: what they are relative to where they are isotropic, else empty.
SplatPanels PanelsOf(const RoutedTables& tables, std::span<const int32_t> which, std::span<const float> center);

}  // namespace hsa

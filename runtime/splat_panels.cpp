#include "runtime/splat_panels.h"

#include "kernels/affinity.h"
#include "kernels/tile_shape.h"

namespace hsa {

void SplatPanels::Bind(Worker& worker, int64_t first, int64_t count) const {
  worker.Bind("level_scale", scale.data() + first * depth, {count / kPanelKeys, depth, kPanelKeys});
  worker.Bind("level_shift", shift.data() + first * depth, {count / kPanelKeys, depth, kPanelKeys});
  if (factor_rows > 0)
    worker.Bind("level_factor", factor.data() + first * factor_rows * depth, {count / kPanelKeys, factor_rows, depth, kPanelKeys});
  worker.Bind("level_bias", bias.data() + first, {count});
  worker.Bind("level_ids", ids.data() + first, {count});
}

SplatPanels PanelsOf(const RoutedTables& tables, std::span<const int32_t> which) {
  SplatPanels panels;
  panels.depth = tables.depth, panels.splats = static_cast<int64_t>(which.size());
  const int64_t slots = (static_cast<int64_t>(which.size()) + kSplatTile - 1) / kSplatTile * kSplatTile;
  panels.scale.resize(slots * panels.depth);
  panels.shift.resize(slots * panels.depth);
  panels.factor_rows = tables.factor_rows;
  const int64_t factors = tables.factor_rows * panels.depth;
  panels.factor.resize(slots * factors);
  panels.bias.assign(slots, static_cast<float>(kNoSplat));
  panels.ids.assign(slots, 0);
  for (size_t slot = 0; slot < which.size(); ++slot) {
    const int64_t splat = which[slot], panel = static_cast<int64_t>(slot) / kPanelKeys, lane = static_cast<int64_t>(slot) % kPanelKeys;
    panels.bias[slot] = tables.amplitude[splat];
    panels.ids[slot] = which[slot];
    for (int64_t i = 0; i < factors; ++i) panels.factor[(panel * factors + i) * kPanelKeys + lane] = tables.factor[splat * factors + i];
    for (int64_t d = 0; d < panels.depth; ++d) {
      panels.scale[(panel * panels.depth + d) * kPanelKeys + lane] = tables.scale[splat * panels.depth + d];
      panels.shift[(panel * panels.depth + d) * kPanelKeys + lane] = tables.shift[splat * panels.depth + d];
    }
  }
  return panels;
}

}  // namespace hsa

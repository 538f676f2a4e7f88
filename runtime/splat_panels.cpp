#include "runtime/splat_panels.h"

#include "kernels/affinity.h"
#include "kernels/tile_shape.h"

namespace hsa {

void SplatPanels::Bind(Worker& worker, int64_t first, int64_t count) const {
  worker.Bind("level_scale", scale.data() + first * depth, {count / kPanelKeys, depth, kPanelKeys});
  worker.Bind("level_shift", shift.data() + first * depth, {count / kPanelKeys, depth, kPanelKeys});
  worker.Bind("level_bias", bias.data() + first, {count});
  worker.Bind("level_ids", ids.data() + first, {count});
}

SplatPanels PanelsOf(const RoutedTables& tables, std::span<const int32_t> which) {
  SplatPanels panels;
  panels.depth = tables.depth, panels.splats = static_cast<int64_t>(which.size());
  const int64_t slots = (static_cast<int64_t>(which.size()) + kSplatTile - 1) / kSplatTile * kSplatTile;
  panels.scale.resize(slots * panels.depth);
  panels.shift.resize(slots * panels.depth);
  panels.bias.assign(slots, static_cast<float>(kNoSplat));
  panels.ids.assign(slots, 0);
  for (size_t slot = 0; slot < which.size(); ++slot) {
    const int64_t splat = which[slot], panel = static_cast<int64_t>(slot) / kPanelKeys, lane = static_cast<int64_t>(slot) % kPanelKeys;
    panels.bias[slot] = tables.amplitude[splat];
    panels.ids[slot] = which[slot];
    for (int64_t d = 0; d < panels.depth; ++d) {
      panels.scale[(panel * panels.depth + d) * kPanelKeys + lane] = tables.scale[splat * panels.depth + d];
      panels.shift[(panel * panels.depth + d) * kPanelKeys + lane] = tables.shift[splat * panels.depth + d];
    }
  }
  return panels;
}

}  // namespace hsa

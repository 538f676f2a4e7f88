#include "runtime/splat_panels.h"

#include <numbers>
#include <vector>

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
  if (isotropic.center.empty()) return;
  worker.Bind("level_product", isotropic.panel_product.data() + first * depth, {count / kPanelKeys, depth, kPanelKeys});
  worker.Bind("level_terms", isotropic.panel_terms.data() + first * 2, {count / kPanelKeys, 2, kPanelKeys});
  worker.Bind("level_limit", isotropic.limit.data() + first / kSplatTile, {count / kSplatTile});
}

namespace {

// The splats as factors of a product, and their shifts, relative to `center`.
void TakeProducts(const RoutedTables& tables, std::span<const int32_t> which, std::span<const float> center, SplatPanels& panels) {
  panels.isotropic.Start({center.begin(), center.end()}, panels.slots());
  std::vector<double> apart(panels.depth);
  for (int64_t slot = 0; slot < panels.splats; ++slot) {
    const int64_t splat = which[slot];
    const double scale = tables.scale[splat * panels.depth];
    for (int64_t d = 0; d < panels.depth; ++d) {
      apart[d] = static_cast<double>(tables.Center(splat, d)) - center[d];
      panels.shift[PanelPlace(slot, d, panels.depth)] = static_cast<float>(-tables.scale[splat * panels.depth + d] * apart[d]);
    }
    panels.isotropic.Put(slot, apart, 0.5 * std::numbers::log2e / (scale * scale));
  }
  panels.isotropic.SetLimits();
}

}  // namespace

SplatPanels PanelsOf(const RoutedTables& tables, std::span<const int32_t> which, std::span<const float> center) {
  SplatPanels panels;
  panels.depth = tables.depth, panels.splats = static_cast<int64_t>(which.size());
  const int64_t slots = (panels.splats + kSplatTile - 1) / kSplatTile * kSplatTile;
  panels.scale.resize(slots * panels.depth);
  panels.shift.resize(slots * panels.depth);
  panels.factor_rows = tables.factor_rows;
  const int64_t factors = tables.factor_rows * panels.depth;
  panels.factor.resize(slots * factors);
  panels.bias.assign(slots, static_cast<float>(kNoSplat));
  panels.ids.assign(slots, 0);
  for (int64_t slot = 0; slot < panels.splats; ++slot) {
    const int64_t splat = which[slot];
    panels.bias[slot] = tables.amplitude[splat];
    panels.ids[slot] = which[slot];
    for (int64_t i = 0; i < factors; ++i) panels.factor[PanelPlace(slot, i, factors)] = tables.factor[splat * factors + i];
    for (int64_t d = 0; d < panels.depth; ++d) {
      panels.scale[PanelPlace(slot, d, panels.depth)] = tables.scale[splat * panels.depth + d];
      panels.shift[PanelPlace(slot, d, panels.depth)] = tables.shift[splat * panels.depth + d];
    }
  }
  if (!center.empty()) TakeProducts(tables, which, center, panels);
  return panels;
}

}  // namespace hsa

#include "runtime/gate_tables.h"

#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "runtime/format/level_name.h"
#include "runtime/splat_parameter.h"

namespace hsa {
namespace {

absl::Status Refuse(const std::string& tensor, int64_t head, const std::string& level, double entry, const char* wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor '", tensor, "': ", level, " of kv_head ", head, " has the entry ", entry, ", wanted ", wanted));
}

}  // namespace

void GateTables::Bind(Worker& worker) const {
  if (empty()) return;
  worker.Bind("gate_weight", weight.data(), {depth, kMostLevels});
  worker.Bind("gate_bias", bias.data(), {kMostLevels});
  worker.Bind("level_panel", level_panel.data(), {splats / kPanelKeys, kMostLevels, kPanelKeys});
}

absl::StatusOr<GateTables> BuildGateTables(const format::Graph& graph, const SplatTensors& tensors, int64_t head) {
  const format::Routed& routed = graph.routed();
  GateTables tables;
  if (routed.gate_weight().empty()) return tables;
  const int64_t levels = routed.levels_size(), dim = graph.head_dim(), heads = graph.kv_heads();
  if (absl::Status shape = CheckSplatParameter(routed.gate_weight(), tensors.gate_weight, heads, levels, dim); !shape.ok()) return shape;
  if (absl::Status shape = CheckSplatParameter(routed.gate_bias(), tensors.gate_bias, heads, levels, 1); !shape.ok()) return shape;
  int64_t splats = 0;
  for (const format::SplatLevel& level : routed.levels()) splats += level.splats();
  tables.depth = (dim + kPanelKeys - 1) / kPanelKeys * kPanelKeys;
  tables.splats = (splats + kSplatTile - 1) / kSplatTile * kSplatTile;
  tables.weight.resize(tables.depth * kMostLevels);
  tables.bias.assign(kMostLevels, static_cast<float>(kSendsNothing));
  tables.level_panel.resize(tables.splats * kMostLevels);
  for (int64_t level = 0, splat = 0; level < levels; ++level) {
    const double bias = EntryOf(tensors.gate_bias, head, level, 0);
    if (!(std::abs(bias) <= 1e4))
      return Refuse(routed.gate_bias(), head, format::LevelText(routed.levels(), level), bias, "a number between -10000 and 10000");
    tables.bias[level] = static_cast<float>(bias * std::numbers::log2e);
    for (int64_t d = 0; d < dim; ++d) {
      const double entry = EntryOf(tensors.gate_weight, head, level, d);
      if (!std::isfinite(entry))
        return Refuse(routed.gate_weight(), head, format::LevelText(routed.levels(), level), entry, "a finite number");
      tables.weight[d * kMostLevels + level] = static_cast<float>(entry * std::numbers::log2e);
    }
    for (const int64_t end = splat + routed.levels(static_cast<int>(level)).splats(); splat < end; ++splat)
      tables.level_panel[(splat / kPanelKeys * kMostLevels + level) * kPanelKeys + splat % kPanelKeys] = 1;
  }
  return tables;
}

}  // namespace hsa

#include "runtime/routed_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "runtime/covariance.h"
#include "runtime/format/level_name.h"
#include "runtime/splat_parameter.h"

namespace hsa {
namespace {

int64_t SplatsOf(const format::Routed& routed) {
  int64_t splats = 0;
  for (const format::SplatLevel& level : routed.levels()) splats += level.splats();
  return splats;
}

int LevelOf(const format::Routed& routed, int64_t splat) {
  int level = 0;
  for (int64_t end = routed.levels(0).splats(); splat >= end; end += routed.levels(level).splats()) ++level;
  return level;
}

// Far beyond what an exponential of f32 tells apart, and far from where sums of logarithms lose their digits.
constexpr double kMostLogAmplitude = 1e4;

// Whether affinities are products, tokens and centers being relative to the mean center.
bool TakesProducts(const format::Routed& routed) { return IsIsotropic(routed) && !routed.has_sparse(); }

// Fills the tables of one kv_head, splat by splat.
class TableBuilder {
 public:
  TableBuilder(const format::Graph& graph, const SplatTensors& tensors, int64_t head)
      : graph_(graph), routed_(graph.routed()), tensors_(tensors), head_(head) {
    const auto up = [](int64_t n, int64_t to) { return (n + to - 1) / to * to; };
    tables_.splats = up(SplatsOf(routed_), kSplatTile);
    tables_.depth = up(graph.head_dim(), kPanelKeys);
    for (auto* table : {&tables_.scale, &tables_.shift, &tables_.panel_scale, &tables_.panel_shift})
      table->resize(tables_.splats * tables_.depth);
    tables_.factor_rows = FactorRows(graph);
    for (auto* table : {&tables_.factor, &tables_.panel_factor}) table->resize(tables_.splats * tables_.factor_rows * tables_.depth);
    tables_.weight.assign(tables_.splats, static_cast<float>(kNoSplat));
    tables_.amplitude.assign(tables_.splats, 0);
  }

  absl::StatusOr<RoutedTables> Build() {
    if (TakesProducts(routed_)) StartIsotropic();
    for (int64_t s = 0; s < SplatsOf(routed_); ++s)
      if (absl::Status added = Add(s); !added.ok()) return added;
    if (TakesProducts(routed_)) tables_.isotropic.SetLimits();
    return std::move(tables_);
  }

 private:
  // c, and room for what belongs to it.
  void StartIsotropic() {
    std::vector<float> center(tables_.depth);
    const int64_t splats = SplatsOf(routed_);
    for (int64_t d = 0; d < graph_.head_dim(); ++d) {
      double sum = 0;
      for (int64_t s = 0; s < splats; ++s) sum += EntryOf(tensors_.center, head_, s, d);
      center[d] = static_cast<float>(sum / static_cast<double>(splats));
    }
    tables_.isotropic.Start(std::move(center), tables_.splats);
  }

  absl::Status Add(int64_t s) {
    const double log_amplitude = tensors_.amplitude.data == nullptr ? 0 : EntryOf(tensors_.amplitude, head_, s, 0);
    if (!(std::abs(log_amplitude) <= kMostLogAmplitude))
      return Refuse(routed_.amplitude(), s, "has the log-amplitude", log_amplitude, "a number between -10000 and 10000");
    tables_.weight[s] = static_cast<float>(std::log2(routed_.levels(LevelOf(routed_, s)).weight()) + log_amplitude * std::numbers::log2e);
    tables_.amplitude[s] = static_cast<float>(log_amplitude * std::numbers::log2e);
    std::vector<double> apart;  // center relative to c
    const absl::StatusOr<std::vector<double>> variances = AddCovariance(s);
    if (!variances.ok()) return variances.status();
    for (int64_t d = 0; d < graph_.head_dim(); ++d) {
      const double coordinate = EntryOf(tensors_.center, head_, s, d), variance = (*variances)[d];
      if (!std::isfinite(coordinate)) return Refuse(routed_.center(), s, "has the coordinate", coordinate, "a finite number");
      const double center = TakesProducts(routed_) ? coordinate - tables_.isotropic.center[d] : coordinate;
      const auto scale = static_cast<float>(std::sqrt(0.5 * std::numbers::log2e / variance)), shift = static_cast<float>(-scale * center);
      if (!std::isfinite(shift))
        return Refuse(routed_.cholesky() + routed_.variance(), s, "has the variance", variance, "one that is wider beside its center");
      tables_.Put(s, d, scale, shift);
      apart.push_back(center);
    }
    if (TakesProducts(routed_)) tables_.isotropic.Put(s, apart, EntryOf(tensors_.variance, head_, s, 0));
    return absl::OkStatus();
  }

  // Rows of the factor of splat `s`; returns the squared widths in which its differences are measured.
  absl::StatusOr<std::vector<double>> AddCovariance(int64_t s) {
    const absl::StatusOr<MappedDifferences> mapped = MapDifferences(graph_, tensors_, head_, s, NameOf(s));
    if (!mapped.ok()) return mapped.status();
    for (size_t i = 0; i < mapped->rows.size(); ++i) {
      const int64_t r = static_cast<int64_t>(i) / graph_.head_dim(), d = static_cast<int64_t>(i) % graph_.head_dim();
      tables_.PutFactor(s, r, d, static_cast<float>(mapped->rows[i]));
    }
    return mapped->variance;
  }

  // "splat 50 of kv_head 0 (level 1 'phrase')"
  std::string NameOf(int64_t s) const {
    return absl::StrCat("splat ", s, " of kv_head ", head_, " (", format::LevelText(routed_.levels(), LevelOf(routed_, s)), ")");
  }

  absl::Status Refuse(const std::string& tensor, int64_t s, const char* has, double value, const char* wanted) const {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor, "': ", NameOf(s), " ", has, " ", value, ", wanted ", wanted));
  }

  const format::Graph& graph_;
  const format::Routed& routed_;
  const SplatTensors& tensors_;
  const int64_t head_;
  RoutedTables tables_;
};

}  // namespace

int64_t PanelPlace(int64_t r, int64_t c, int64_t columns) { return (r / kPanelKeys * columns + c) * kPanelKeys + r % kPanelKeys; }

void IsotropicTables::Start(std::vector<float> around, int64_t splats) {
  center = std::move(around);
  const auto depth = static_cast<int64_t>(center.size());
  for (auto* table : {&product, &panel_product}) table->resize(splats * depth);
  for (auto* table : {&terms, &panel_terms}) table->resize(splats * 2);
  squares.resize(splats), reach.resize(splats);
  limit.resize(splats / kSplatTile);
}

void IsotropicTables::Put(int64_t s, std::span<const double> at, double variance) {
  const auto depth = static_cast<int64_t>(center.size());
  const double r2 = 0.5 * std::numbers::log2e / variance;
  double norm = 0;
  for (const double x : at) norm += x * x;
  for (int64_t d = 0; d < static_cast<int64_t>(at.size()); ++d)
    product[s * depth + d] = panel_product[PanelPlace(s, d, depth)] = static_cast<float>(2 * r2 * at[d]);
  const double of[] = {-r2, -r2 * norm};
  for (int64_t i = 0; i < 2; ++i) terms[s * 2 + i] = panel_terms[PanelPlace(s, i, 2)] = static_cast<float>(of[i]);
  squares[s] = r2, reach[s] = std::sqrt(norm);
}

void IsotropicTables::Remove(int64_t s) {
  const auto depth = static_cast<int64_t>(center.size());
  for (int64_t d = 0; d < depth; ++d) product[s * depth + d] = panel_product[PanelPlace(s, d, depth)] = 0;
  for (int64_t i = 0; i < 2; ++i) terms[s * 2 + i] = panel_terms[PanelPlace(s, i, 2)] = 0;
  squares[s] = reach[s] = 0;
}

// A token within the limit of a tile is near enough to c beside all of its splats.
void IsotropicTables::SetLimits() {
  constexpr double kMost = 1e30;  // far from where a square of f32 overflows
  for (size_t tile = 0; tile < limit.size(); ++tile) {
    const auto range = [&](const std::vector<double>& of) {
      return *std::max_element(&of[tile * kSplatTile], &of[tile * kSplatTile] + kSplatTile);
    };
    const double room = std::sqrt(kMostCancelled / range(squares)) - range(reach);
    limit[tile] = static_cast<float>(room > 0 ? std::min(kMost, room * room) : -1);
  }
}

bool RoutedTables::IsSplat(int64_t s) const { return weight[s] > static_cast<float>(kNoSplat); }

float RoutedTables::Center(int64_t s, int64_t d) const {
  const int64_t entry = s * depth + d;
  return scale[entry] > 0 ? -shift[entry] / scale[entry] : 0;
}

std::vector<float> RoutedTables::MeanScale(std::span<const int32_t> which) const {
  std::vector<float> mean(depth);
  for (const int32_t s : which)
    for (int64_t d = 0; d < depth; ++d) mean[d] += scale[s * depth + d] / static_cast<float>(which.size());
  return mean;
}

int64_t RoutedTables::CountSplats() const {
  int64_t count = 0;
  for (int64_t s = 0; s < splats; ++s) count += IsSplat(s) ? 1 : 0;
  return count;
}

void RoutedTables::Put(int64_t s, int64_t d, float scale_sd, float shift_sd) {
  scale[s * depth + d] = panel_scale[PanelPlace(s, d, depth)] = scale_sd;
  shift[s * depth + d] = panel_shift[PanelPlace(s, d, depth)] = shift_sd;
}

void RoutedTables::CopyToPanels(int64_t s) {
  const float *row_scale = &scale[s * depth], *row_shift = &shift[s * depth];
  float *to_scale = &panel_scale[PanelPlace(s, 0, depth)], *to_shift = &panel_shift[PanelPlace(s, 0, depth)];
  for (int64_t d = 0; d < depth; ++d) to_scale[d * kPanelKeys] = row_scale[d], to_shift[d * kPanelKeys] = row_shift[d];
}

void RoutedTables::PutFactor(int64_t s, int64_t r, int64_t d, float entry) {
  const int64_t place = r * depth + d, entries = factor_rows * depth;
  factor[s * entries + place] = panel_factor[PanelPlace(s, place, entries)] = entry;
}

void RoutedTables::BindRows(Worker& worker) const {
  worker.Bind("splat_scale", scale.data(), {splats, depth});
  worker.Bind("splat_shift", shift.data(), {splats, depth});
  if (factor_rows > 0) worker.Bind("splat_factor", factor.data(), {splats, factor_rows, depth});
  if (isotropic.center.empty()) return;
  worker.Bind("splat_center", isotropic.center.data(), {depth});
  worker.Bind("splat_product", isotropic.product.data(), {splats, depth});
  worker.Bind("splat_terms", isotropic.terms.data(), {splats, 2});
  worker.Bind("splat_limit", isotropic.limit.data(), {splats / kSplatTile});
}

void RoutedTables::BindPanels(Worker& worker) const {
  worker.Bind("panel_scale", panel_scale.data(), {splats / kPanelKeys, depth, kPanelKeys});
  worker.Bind("panel_shift", panel_shift.data(), {splats / kPanelKeys, depth, kPanelKeys});
  if (factor_rows > 0) worker.Bind("panel_factor", panel_factor.data(), {splats / kPanelKeys, factor_rows, depth, kPanelKeys});
  worker.Bind("splat_weight", weight.data(), {splats});
  gate.Bind(worker);
  if (isotropic.center.empty()) return;
  worker.Bind("splat_center", isotropic.center.data(), {depth});
  worker.Bind("panel_product", isotropic.panel_product.data(), {splats / kPanelKeys, depth, kPanelKeys});
  worker.Bind("panel_terms", isotropic.panel_terms.data(), {splats / kPanelKeys, 2, kPanelKeys});
  worker.Bind("splat_limit", isotropic.limit.data(), {splats / kSplatTile});
}

absl::StatusOr<std::vector<RoutedTables>> BuildRoutedTables(const format::Graph& graph, const SplatTensors& splats) {
  const format::Routed& routed = graph.routed();
  const int64_t heads = graph.kv_heads(), count = SplatsOf(routed), dim = graph.head_dim();
  absl::Status status = CheckSplatParameter(routed.center(), splats.center, heads, count, dim);
  if (status.ok() && !routed.variance().empty())
    status = CheckSplatParameter(routed.variance(), splats.variance, heads, count, VarianceDim(graph));
  if (status.ok() && StoredRows(graph) > 0)
    status = CheckSplatParameter(FactorName(routed), splats.factor, heads, count * StoredRows(graph), dim);
  if (status.ok() && !routed.amplitude().empty()) status = CheckSplatParameter(routed.amplitude(), splats.amplitude, heads, count, 1);
  if (!status.ok()) return status;
  std::vector<RoutedTables> tables;
  for (int64_t head = 0; head < heads; ++head) {
    absl::StatusOr<RoutedTables> built = TableBuilder(graph, splats, head).Build();
    if (!built.ok()) return built.status();
    absl::StatusOr<FlowTables> flow = BuildFlowTables(routed, splats.links, heads, head);
    if (!flow.ok()) return flow.status();
    absl::StatusOr<GateTables> gate = BuildGateTables(graph, splats, head);
    if (!gate.ok()) return gate.status();
    built->flow = *std::move(flow), built->gate = *std::move(gate);
    tables.push_back(*std::move(built));
  }
  return tables;
}

}  // namespace hsa

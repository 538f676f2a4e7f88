#include "runtime/index_builder.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "kernels/tile_shape.h"

namespace hsa {

namespace {

constexpr int64_t kSamples = 16;
constexpr double kValueWeight = 0.5;  // α of the metric, relative to the keys' spread

// Spread of columns [first, first + width) of rows of `stride` floats: root of the mean variance about each column's mean.
double Spread(const std::vector<float>& x, int64_t rows, int64_t stride, int64_t first, int64_t width, int64_t columns) {
  std::vector<double> sum(width, 0.0), squares(width, 0.0);
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = &x[r * stride + first];
    for (int64_t c = 0; c < width; ++c) {
      sum[c] += row[c];
      squares[c] += static_cast<double>(row[c]) * row[c];
    }
  }
  double variance = 0;
  for (int64_t c = 0; c < width; ++c) variance += squares[c] / rows - (sum[c] / rows) * (sum[c] / rows);
  return std::sqrt(std::max(0.0, variance / columns));
}

}  // namespace

IndexBuilder::IndexBuilder(const Program& program, const Geometry& geometry, const TensorView& query, const TensorView& key,
                           const TensorView& value)
    : geometry_(geometry),
      query_(query),
      key_(key),
      value_(value),
      stages_{program.Find("metric_rows"),  program.Find("pack_leaves", key.dtype), program.Find("pack_panels"), program.Find("leaf_moments"),
              program.Find("leaf_gram"),    program.Find("merge_moments"),          program.Find("load_query"),  program.Find("query_bands"),
              program.Find("leaf_mass"),    program.Find("merge_mass"),             program.Find("fit_gain")},
      key_reader_(program, key.dtype),
      query_reader_(program, query.dtype),
      program_(program) {}

void IndexBuilder::ReadKeys(Worker& worker, const Unit& unit, std::vector<int32_t>& bad_keys) {
  k_.Resize(unit.tokens, geometry_.padded_head_dim);
  v_.Resize(unit.tokens, geometry_.padded_value_dim);
  key_reader_.Read(worker, key_, unit.kv_head, unit.begin, unit.tokens, geometry_.padded_head_dim, k_.rows.data(), k_.bad.data());
  key_reader_.Read(worker, value_, unit.kv_head, unit.begin, unit.tokens, geometry_.padded_value_dim, v_.rows.data(), v_.bad.data());
  live_.clear();
  for (int64_t i = 0; i < unit.tokens; ++i) {
    const bool bad = (k_.bad[i] | v_.bad[i]) != 0;
    if (bad) bad_keys.push_back(static_cast<int32_t>(unit.begin + i));
    if (!bad && unit.begin + i >= geometry_.near_sinks) live_.push_back(static_cast<int32_t>(i));
  }
}

void IndexBuilder::OrderKeys(Worker& worker, QueryGrams& grams, const Unit& unit) {
  const auto count = static_cast<int64_t>(live_.size());
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, width = d + dv;
  slots_.assign(unit.tokens, -1);
  if (count == 0) return;
  const std::vector<float> metric = grams.Metric(worker, unit.kv_head, unit.begin + unit.tokens);
  x_.resize(count * width);
  const float one = 1;
  worker.Bind("k_rows", k_.rows.data(), {unit.tokens, d});
  worker.Bind("v_rows", v_.rows.data(), {unit.tokens, dv});
  worker.Bind("order", live_.data(), {count});
  worker.Bind("metric", metric.data(), {d, d});
  worker.Bind("alpha", &one, {1});
  worker.Bind("metric_x", x_.data(), {count, width});
  worker.Call(stages_.metric_rows);
  const double key_spread = Spread(x_, count, width, 0, d, geometry_.head_dim), value_spread = Spread(x_, count, width, d, dv, geometry_.value_dim);
  const auto alpha = static_cast<float>(value_spread > 0 ? kValueWeight * key_spread / value_spread : 0.0);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t c = d; c < width; ++c) x_[r * width + c] *= alpha;
  KeyOrder(program_, worker).Bisect(x_, width, live_, slots_);
}

void IndexBuilder::PackLeaves(Worker& worker, SplatIndex& index, const Unit& unit) {
  const int64_t leaves = unit.tokens / kPanelKeys, first = unit.slot * index.leaves_per_slot() + unit.mini * (geometry_.mini / kPanelKeys);
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, element = DTypeBytes(key_.dtype);
  worker.BindStrided("k_raw", key_.Row(unit.kv_head, unit.begin), {unit.tokens, key_.dim()}, key_.strides[1]);
  worker.BindStrided("v_raw", value_.Row(unit.kv_head, unit.begin), {unit.tokens, value_.dim()}, value_.strides[1]);
  worker.Bind("order", slots_.data(), {unit.tokens});
  worker.Bind("leaf_k", index.leaf_k() + first * kPanelKeys * d * element, {leaves, d, kPanelKeys});
  worker.Bind("leaf_v", index.leaf_v() + first * kPanelKeys * dv * element, {leaves, kPanelKeys, dv});
  worker.Call(stages_.pack_leaves);
  int32_t* positions = index.leaf_pos() + first * kPanelKeys;
  for (int64_t s = 0; s < unit.tokens; ++s)
    positions[s] = slots_[s] < 0 ? kPadPosition : static_cast<int32_t>(unit.begin) + slots_[s];
}

// The 16 sample queries as a tile, finite ones first; returns how many there are.
int64_t IndexBuilder::LoadSamples(Worker& worker, const Unit& unit, const float* basis) {
  const int64_t d = geometry_.padded_head_dim, end = geometry_.causal ? unit.begin + unit.tokens : geometry_.keys;
  const int64_t lo = geometry_.causal ? std::max(geometry_.first_position(), end - geometry_.segment) : geometry_.first_position();
  std::vector<float> rows(kSamples * d, 0.0f);
  int64_t count = 0;
  for (int64_t t = 0; t < kSamples && end - lo >= kSamples; ++t) {
    const int64_t position = lo + (2 * t + 1) * (end - lo) / (2 * kSamples);
    const int64_t head = unit.kv_head * geometry_.group() + t % geometry_.group();
    int32_t bad = 0;
    query_reader_.Read(worker, query_, head, position - geometry_.first_position(), 1, d, &rows[count * d], &bad);
    count += bad == 0;
  }
  if (count == 0) return 0;
  worker.Bind("q_rows", rows.data(), {count, d});
  worker.Bind("basis", basis, {geometry_.basis_panels(), d, kPanelKeys});
  worker.Call(stages_.load_query);
  worker.Call(stages_.query_bands);
  return count;
}

void IndexBuilder::FitLevel(Worker& worker, const std::vector<float>& mass, int64_t groups, float samples) {
  const std::array<int32_t, 2> counts = {static_cast<int32_t>(samples), 0};
  worker.Bind("true_mass", mass.data(), {groups, kSamples, kGroupNodes});
  worker.Bind("counts", counts.data(), {2});
  worker.Call(stages_.fit_gain);
}

void IndexBuilder::Summarise(Worker& worker, SplatIndex& index, const Unit& unit, const float* basis) {
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, panels = unit.tokens / kPanelKeys;
  const int64_t samples = geometry_.order == 2 ? LoadSamples(worker, unit, basis) : 0;
  worker.Bind("k_rows", k_.rows.data(), {unit.tokens, d});
  worker.Bind("v_rows", v_.rows.data(), {unit.tokens, dv});
  worker.Bind("order", slots_.data(), {unit.tokens});
  worker.Bind("basis", basis, {geometry_.basis_panels(), d, kPanelKeys});
  if (samples > 0) {
    panel_k_.resize(unit.tokens * d);
    panel_v_.resize(unit.tokens * dv);
    worker.Bind("panel_k", panel_k_.data(), {panels, d, kPanelKeys});
    worker.Bind("panel_v", panel_v_.data(), {panels, kPanelKeys, dv});
    worker.Call(stages_.pack_panels);
  }
  std::vector<float> mass, child_mass;
  // Every level whose nodes come in whole groups; the root of the unit stands alone.
  size_t level = 0;
  for (; index.levels()[level].tokens * kGroupNodes <= unit.tokens; ++level) {
    const LevelArrays& l = index.levels()[level];
    const int64_t groups = unit.tokens / l.tokens / kGroupNodes;
    const int64_t first = (unit.slot * l.nodes + unit.mini * (geometry_.mini / l.tokens)) / kGroupNodes;
    const std::array<int32_t, 4> params = {0, 0, static_cast<int32_t>(l.child_groups), 0};
    index.BindNodes(worker, level, first, groups);
    worker.Bind("level_params", params.data(), {4});
    std::swap(mass, child_mass);
    mass.assign(groups * kSamples * kGroupNodes, 0.0f);
    if (level == 0) {
      worker.Call(stages_.leaf_moments);
    } else {
      const LevelArrays& finer = index.levels()[level - 1];
      const int64_t first_child = (unit.slot * finer.nodes + unit.mini * (geometry_.mini / finer.tokens)) / kGroupNodes;
      index.BindChildren(worker, level - 1, first_child, groups * kGroupNodes * l.child_groups);
      worker.Call(stages_.merge_moments);
    }
    if (samples == 0) continue;
    worker.Bind("true_mass", mass.data(), {groups, kSamples, kGroupNodes});
    if (level == 0) {
      worker.Call(stages_.leaf_mass);
    } else {
      worker.Bind("child_mass", child_mass.data(), {static_cast<int64_t>(child_mass.size()) / (kSamples * kGroupNodes), kSamples, kGroupNodes});
      worker.Call(stages_.merge_mass);
    }
    FitLevel(worker, mass, groups, static_cast<float>(samples));
  }
  SummariseRoot(worker, index, unit, level, mass, basis, samples);
}

// A unit has one root, but nodes are made four at a time: it is made in a group of its own, beside three without keys, then put in its place.
void IndexBuilder::SummariseRoot(Worker& worker, SplatIndex& index, const Unit& unit, size_t level, std::vector<float>& mass, const float* basis,
                                 int64_t samples) {
  const LevelArrays &l = index.levels()[level], &finer = index.levels()[level - 1];
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, bands = geometry_.bands;
  const int64_t child_groups = unit.tokens / finer.tokens / kGroupNodes, all_groups = kGroupNodes * child_groups;
  const int64_t first_child = (unit.slot * finer.nodes + unit.mini * (geometry_.mini / finer.tokens)) / kGroupNodes;
  const auto padded = [&](const float* from, int64_t floats) {  // the real children, then empty ones
    std::vector<float> out(all_groups * floats, 0.0f);
    std::copy_n(from + first_child * floats, child_groups * floats, out.begin());
    return out;
  };
  const std::vector<float> child_mean = padded(finer.mean, d * kGroupNodes), child_value = padded(finer.value, dv * kGroupNodes),
                           child_var = padded(finer.var, bands * kGroupNodes), child_scalar = padded(finer.scalar, 4 * kGroupNodes);
  std::vector<float> mean(d * kGroupNodes), value(dv * kGroupNodes), var(bands * kGroupNodes), scalar(4 * kGroupNodes);
  worker.Bind("child_mean", child_mean.data(), {all_groups, d, kGroupNodes});
  worker.Bind("child_value", child_value.data(), {all_groups, kGroupNodes, dv});
  worker.Bind("child_var", child_var.data(), {all_groups, bands, kGroupNodes});
  worker.Bind("child_scalar", child_scalar.data(), {all_groups, 4, kGroupNodes});
  worker.Bind("node_mean", mean.data(), {1, d, kGroupNodes});
  worker.Bind("node_value", value.data(), {1, kGroupNodes, dv});
  worker.Bind("node_var", var.data(), {1, bands, kGroupNodes});
  worker.Bind("node_scalar", scalar.data(), {1, 4, kGroupNodes});
  worker.Bind("basis", basis, {geometry_.basis_panels(), d, kPanelKeys});
  const std::array<int32_t, 4> params = {0, 0, static_cast<int32_t>(child_groups), 0};
  worker.Bind("level_params", params.data(), {4});
  worker.Call(stages_.merge_moments);
  if (samples > 0) {
    mass.resize(all_groups * kSamples * kGroupNodes, -std::numeric_limits<float>::infinity());
    std::vector<float> root_mass(kSamples * kGroupNodes);
    worker.Bind("child_mass", mass.data(), {all_groups, kSamples, kGroupNodes});
    worker.Bind("true_mass", root_mass.data(), {1, kSamples, kGroupNodes});
    worker.Call(stages_.merge_mass);
    FitLevel(worker, root_mass, 1, static_cast<float>(samples));
  }
  const int64_t node = unit.slot * l.nodes + unit.mini, group = node / kGroupNodes, place = node % kGroupNodes;
  for (int64_t i = 0; i < d; ++i) l.mean[(group * d + i) * kGroupNodes + place] = mean[i * kGroupNodes];
  for (int64_t b = 0; b < bands; ++b) l.var[(group * bands + b) * kGroupNodes + place] = var[b * kGroupNodes];
  for (int64_t s = 0; s < 4; ++s) l.scalar[(group * 4 + s) * kGroupNodes + place] = scalar[s * kGroupNodes];
  std::copy_n(value.begin(), dv, l.value + (group * kGroupNodes + place) * dv);
}

void IndexBuilder::Build(Worker& worker, QueryGrams& grams, SplatIndex& index, const Unit& unit, const float* basis,
                         std::vector<int32_t>& bad_keys) {
  ReadKeys(worker, unit, bad_keys);
  OrderKeys(worker, grams, unit);
  PackLeaves(worker, index, unit);
  Summarise(worker, index, unit, basis);
}

std::vector<float> IndexBuilder::LearnBasis(Worker& worker, const SplatIndex& index, const Unit& unit) {
  const int64_t d = geometry_.padded_head_dim, n = geometry_.head_dim;
  std::vector<float> gram(d * d, 0.0f);
  const LevelArrays& leaves = index.levels()[0];
  worker.Bind("k_rows", k_.rows.data(), {unit.tokens, d});
  worker.Bind("order", slots_.data(), {unit.tokens});
  index.BindNodes(worker, 0, unit.slot * leaves.nodes / kGroupNodes, unit.tokens / leaves.tokens / kGroupNodes);
  worker.Bind("gram", gram.data(), {d, d});
  worker.Call(stages_.leaf_gram);
  Eigen::MatrixXd covariance(n, n);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < n; ++c) covariance(r, c) = gram[r * d + c];
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);  // ascending
  std::vector<float> panels(geometry_.basis_panels() * d * kPanelKeys, 0.0f);
  for (int64_t c = 0; c < n; ++c)
    for (int64_t r = 0; r < n; ++r) panels[(c / kPanelKeys * d + r) * kPanelKeys + c % kPanelKeys] = static_cast<float>(solver.eigenvectors()(r, n - 1 - c));
  return panels;
}

}  // namespace hsa

#include "runtime/index_builder.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/tile_shape.h"

namespace hsa {

namespace {

constexpr double kValueWeight = 0.5;  // α of the metric, relative to the keys' spread

// Spread of columns [first, first + width) of rows of `stride` floats: root of the mean variance about each column's mean.
double Spread(std::span<const float> x, int64_t rows, int64_t stride, int64_t first, int64_t width, int64_t columns) {
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

IndexBuilder::IndexBuilder(const Program& program, const Geometry& geometry, const TensorView& key, const TensorView& value)
    : geometry_(geometry),
      key_(key),
      value_(value),
      metric_rows_(program.Find("metric_rows")),
      pack_leaves_(program.Find("pack_leaves", key.dtype)),
      key_reader_(program, key.dtype),
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
  worker.Call(metric_rows_);
  const double key_spread = Spread(x_, count, width, 0, d, geometry_.head_dim),
               value_spread = Spread(x_, count, width, d, dv, geometry_.value_dim);
  const auto alpha = static_cast<float>(value_spread > 0 ? kValueWeight * key_spread / value_spread : 0.0);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t c = d; c < width; ++c) x_[r * width + c] *= alpha;
  KeyOrder(program_, worker).Bisect(x_, width, live_, slots_);
}

void IndexBuilder::PackLeaves(Worker& worker, SplatIndex& index, const Unit& unit) {
  const int64_t leaves = unit.tokens / kPanelKeys, first = unit.slot * index.leaves_per_slot() + unit.mini * (geometry_.mini / kPanelKeys);
  worker.BindStrided("k_raw", key_.Row(unit.kv_head, unit.begin), {unit.tokens, key_.dim()}, key_.strides[1]);
  worker.BindStrided("v_raw", value_.Row(unit.kv_head, unit.begin), {unit.tokens, value_.dim()}, value_.strides[1]);
  worker.Bind("order", slots_.data(), {unit.tokens});
  index.BindLeaves(worker, first, leaves);
  worker.Call(pack_leaves_);
  int32_t* positions = index.leaf_pos() + first * kPanelKeys;
  for (int64_t s = 0; s < unit.tokens; ++s) positions[s] = slots_[s] < 0 ? kPadPosition : static_cast<int32_t>(unit.begin) + slots_[s];
}

void IndexBuilder::Build(Worker& worker, QueryGrams& grams, SplatIndex& index, const Unit& unit, std::vector<int32_t>& bad_keys) {
  ReadKeys(worker, unit, bad_keys);
  OrderKeys(worker, grams, unit);
  PackLeaves(worker, index, unit);
}

}  // namespace hsa

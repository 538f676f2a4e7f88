#include "runtime/splat_nodes.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "kernels/tile_shape.h"

namespace hsa {

namespace {

constexpr int64_t kScalars = 5, kAlignedFloats = 1024;  // a page: arrays can be mapped from a file

// Lays the levels out from `memory` on; returns how many floats they take. With a null memory it only adds up.
int64_t Arrange(const format::Graph& graph, const Geometry& g, int64_t slots, float* memory, std::vector<LevelArrays>& levels) {
  int64_t used = 0, finer = 0;
  const auto take = [&](int64_t floats) {
    float* piece = memory == nullptr ? nullptr : memory + used;
    used += (floats + kAlignedFloats - 1) / kAlignedFloats * kAlignedFloats;
    return piece;
  };
  for (uint32_t tokens : graph.splats().level_tokens()) {
    LevelArrays level;
    level.tokens = tokens;
    level.nodes = g.segment / tokens;
    level.groups = (slots * level.nodes + kGroupNodes - 1) / kGroupNodes;
    level.child_groups = finer == 0 ? 1 : tokens / finer / kGroupNodes;
    level.mean = take(level.groups * g.padded_head_dim * kGroupNodes);
    level.value = take(level.groups * kGroupNodes * g.padded_value_dim);
    level.var = take(level.groups * g.bands * kGroupNodes);
    level.scalar = take(level.groups * kScalars * kGroupNodes);
    levels.push_back(level);
    finer = tokens;
  }
  return used;
}

// The ports of a level's arrays, and the arrays from some group on.
struct Ports {
  Port mean, value, var, scalar;
};
constexpr Ports kNodePorts{"node_mean", "node_value", "node_var", "node_scalar"};
constexpr Ports kChildPorts{"child_mean", "child_value", "child_var", "child_scalar"};

struct Arrays {
  const float *mean, *value, *var, *scalar;
};
Arrays From(const LevelArrays& l, const Geometry& g, int64_t group) {
  return {l.mean + group * g.padded_head_dim * kGroupNodes, l.value + group * kGroupNodes * g.padded_value_dim,
          l.var + group * g.bands * kGroupNodes, l.scalar + group * kScalars * kGroupNodes};
}
void Bind(Worker& worker, const Ports& ports, const Geometry& g, const Arrays& arrays, int64_t groups) {
  worker.Bind(ports.mean, arrays.mean, {groups, g.padded_head_dim, kGroupNodes});
  worker.Bind(ports.value, arrays.value, {groups, kGroupNodes, g.padded_value_dim});
  worker.Bind(ports.var, arrays.var, {groups, g.bands, kGroupNodes});
  worker.Bind(ports.scalar, arrays.scalar, {groups, kScalars, kGroupNodes});
}

// First group of a unit's nodes on a level, and how many groups are its own.
int64_t FirstGroup(const Geometry& g, const LevelArrays& level, const Unit& unit) {
  return (unit.slot * level.nodes + unit.mini * (g.mini / level.tokens)) / kGroupNodes;
}
int64_t GroupsOf(const LevelArrays& level, const Unit& unit) { return unit.tokens / level.tokens / kGroupNodes; }

}  // namespace

int64_t SplatNodes::Bytes(const format::Graph& graph, const Geometry& geometry, int64_t slots) {
  std::vector<LevelArrays> levels;
  return Arrange(graph, geometry, slots, nullptr, levels) * static_cast<int64_t>(sizeof(float));
}

SplatNodes::SplatNodes(const format::Graph& graph, const Geometry& geometry, int64_t slots)
    : reference(geometry.padded_head_dim, 0.0f),
      geometry_(geometry),
      memory_(Bytes(graph, geometry, slots) / sizeof(float)),
      no_tilt_(tilt_floats(), 0.0f) {
  Arrange(graph, geometry, slots, memory_.data(), levels_);
}

SplatNodes::SplatNodes(const format::Graph& graph, const Geometry& geometry, int64_t slots, std::byte* memory)
    : reference(geometry.padded_head_dim, 0.0f), geometry_(geometry), no_tilt_(tilt_floats(), 0.0f) {
  Arrange(graph, geometry, slots, reinterpret_cast<float*>(memory), levels_);
}

std::vector<std::span<std::byte>> SplatNodes::Arrays(int64_t slot, int64_t places) const {
  std::vector<std::span<std::byte>> arrays;
  for (const LevelArrays& level : levels_) {
    if (level.tokens > places) continue;
    const int64_t first = slot * level.nodes / kGroupNodes, nodes = places / level.tokens, groups = (nodes + kGroupNodes - 1) / kGroupNodes;
    const auto add = [&](float* array, int64_t floats) {  // of a group
      arrays.push_back(std::as_writable_bytes(std::span(array + first * floats, static_cast<size_t>(groups * floats))));
    };
    add(level.mean, geometry_.padded_head_dim * kGroupNodes);
    add(level.value, geometry_.padded_value_dim * kGroupNodes);
    add(level.var, geometry_.bands * kGroupNodes);
    add(level.scalar, kScalars * kGroupNodes);
  }
  return arrays;
}

void SplatNodes::BindNodes(Worker& worker, size_t level, int64_t first, int64_t count) const {
  Bind(worker, kNodePorts, geometry_, From(levels_[level], geometry_, first), count);
}

void SplatNodes::BindChildren(Worker& worker, size_t level, int64_t first, int64_t count) const {
  Bind(worker, kChildPorts, geometry_, From(levels_[level], geometry_, first), count);
}

void Add(const TiltSums& segment, TiltTotals& totals) {
  totals.resize(segment.size());
  for (size_t level = 0; level < segment.size(); ++level) {
    TiltTotal& total = totals[level];
    const TiltSum& part = segment[level];
    total.matrix.resize(part.matrix.size(), 0.0);
    for (size_t i = 0; i < part.matrix.size(); ++i) total.matrix[i] += part.matrix[i];
    for (size_t i = 0; i < part.traces.size(); ++i) total.traces[i] += part.traces[i];
  }
}

void SplatNodes::SetTilt(int64_t segment, std::span<const TiltSums> segments, double scale) {
  TiltTotals totals;
  for (const TiltSums& of_segment : segments) Add(of_segment, totals);
  SetTilt(segment, totals, scale);
}

// C of the leaves is their sum over their traces; above, a node's keys lean as its children do, by the children's tilt, and as the children do about it:
// C = (W C_finer + Σ p (μ_c − μ)(v̄_c − v̄)ᵀ) / Σ trace, W what the children had of the traces (docs/spec.md, "Node").
void SplatNodes::SetTilt(int64_t segment, const TiltTotals& totals, double scale) {
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim;
  std::vector<std::vector<float>>& panels = tilt_[segment];
  panels.assign(levels_.size(), std::vector<float>(tilt_floats(), 0.0f));
  std::vector<double> tilt(d * dv, 0.0);
  for (size_t level = 0; level < totals.size(); ++level) {
    const auto& [sum, traces] = totals[level];
    const auto& [trace, within] = traces;
    for (int64_t i = 0; i < d * dv; ++i) tilt[i] = trace > 0 ? (within * tilt[i] + sum[i]) / trace : 0;
    for (int64_t r = 0; r < d; ++r)
      for (int64_t c = 0; c < dv; ++c)
        panels[level][(c / kPanelKeys * d + r) * kPanelKeys + c % kPanelKeys] = static_cast<float>(scale * tilt[r * dv + c]);
  }
}

void SplatNodes::BindTilt(Worker& worker, int64_t segment, size_t level) const {
  const auto found = tilt_.find(segment);
  const std::vector<float>& panels = found == tilt_.end() ? no_tilt_ : found->second[level];
  worker.Bind("tilt", panels.data(),
              {tilt_floats() / geometry_.padded_head_dim / kPanelKeys, geometry_.padded_head_dim, int64_t{kPanelKeys}});
}

NodeBuilder::NodeBuilder(const Program& program, const Geometry& geometry, const Inputs& inputs)
    : geometry_(geometry),
      query_(inputs.query),
      reader_(program, inputs.query.dtype),
      add_rows_(program.Find("add_rows")),
      leaf_moments_(program.Find("leaf_moments", inputs.key.dtype)),
      merge_moments_(program.Find("merge_moments")) {}

void NodeBuilder::SetReference(Worker& worker, int64_t head, int64_t begin, int64_t end, SplatNodes& nodes) const {
  const int64_t d = geometry_.padded_head_dim;
  std::fill(nodes.reference.begin(), nodes.reference.end(), 0.0f);
  std::vector<double> sum(d, 0.0);
  std::vector<float> part(d);
  int64_t finite = 0;
  thread_local WideRows rows;
  for (int64_t first = begin; first < end; first += geometry_.window) {
    const int64_t count = std::min(geometry_.window, end - first);
    rows.Resize(count, d);
    reader_.Read(worker, query_, head, first - geometry_.first_position(), count, d, rows.rows.data(), rows.bad.data());
    std::fill(part.begin(), part.end(), 0.0f);
    worker.Bind("q_rows", rows.rows.data(), {count, d});
    worker.Bind("bad_rows", rows.bad.data(), {count});
    worker.Bind("reference", part.data(), {d});
    worker.Call(add_rows_);
    finite += count - std::accumulate(rows.bad.begin(), rows.bad.begin() + count, int64_t{0});
    for (int64_t c = 0; c < d; ++c) sum[c] += part[c];
  }
  if (finite == 0) return;
  for (int64_t c = 0; c < d; ++c) nodes.reference[c] = static_cast<float>(sum[c] / static_cast<double>(finite));
}

void NodeBuilder::BindSum(Worker& worker, TiltSum& tilt) const {
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim;
  tilt.matrix.assign(d * dv, 0.0f);
  worker.Bind("tilt_sum", tilt.matrix.data(), {d, dv});
  worker.Bind("tilt_traces", tilt.traces.data(), {2});
}

TiltSums NodeBuilder::Build(Worker& worker, const SplatIndex& index, const Unit& unit, SplatNodes& nodes) const {
  TiltSums tilt(nodes.levels().size());
  nodes.BindReference(worker);
  // Every level whose nodes come in whole groups; the root of the unit stands alone.
  size_t level = 0;
  for (; nodes.levels()[level].tokens * kGroupNodes <= unit.tokens; ++level) {
    const LevelArrays& l = nodes.levels()[level];
    const int64_t groups = GroupsOf(l, unit);
    nodes.BindNodes(worker, level, FirstGroup(geometry_, l, unit), groups);
    BindSum(worker, tilt[level]);
    if (level == 0) {
      index.BindLeaves(worker, FirstGroup(geometry_, l, unit) * kGroupNodes, groups * kGroupNodes);
      worker.Call(leaf_moments_);
      continue;
    }
    const std::array<int32_t, 4> params = {0, 0, static_cast<int32_t>(l.child_groups), 0};
    worker.Bind("level_params", params.data(), {4});
    nodes.BindChildren(worker, level - 1, FirstGroup(geometry_, nodes.levels()[level - 1], unit), groups * kGroupNodes * l.child_groups);
    worker.Call(merge_moments_);
  }
  BuildRoot(worker, unit, level, nodes, tilt[level]);
  return tilt;
}

// A unit has one root, but nodes are made four at a time: it is made in a group of its own, beside three without keys, then put in its place.
void NodeBuilder::BuildRoot(Worker& worker, const Unit& unit, size_t level, SplatNodes& nodes, TiltSum& tilt) const {
  const LevelArrays &l = nodes.levels()[level], &finer = nodes.levels()[level - 1];
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, bands = geometry_.bands;
  const int64_t child_groups = GroupsOf(finer, unit), all_groups = kGroupNodes * child_groups, first = FirstGroup(geometry_, finer, unit);
  const auto padded = [&](const float* from, int64_t floats) {  // the real children, then empty ones
    std::vector<float> out(all_groups * floats, 0.0f);
    std::copy_n(from + first * floats, child_groups * floats, out.begin());
    return out;
  };
  const std::vector<float> child_mean = padded(finer.mean, d * kGroupNodes), child_value = padded(finer.value, dv * kGroupNodes),
                           child_var = padded(finer.var, bands * kGroupNodes);
  std::vector<float> child_scalar = padded(finer.scalar, kScalars * kGroupNodes);
  for (int64_t group = child_groups; group < all_groups; ++group)  // no keys: their constant and log-mass are -inf
    std::fill_n(child_scalar.begin() + group * kScalars * kGroupNodes, 2 * kGroupNodes, -std::numeric_limits<float>::infinity());
  std::vector<float> mean(d * kGroupNodes), value(dv * kGroupNodes), var(bands * kGroupNodes), scalar(kScalars * kGroupNodes);
  Bind(worker, kChildPorts, geometry_, {child_mean.data(), child_value.data(), child_var.data(), child_scalar.data()}, all_groups);
  Bind(worker, kNodePorts, geometry_, {mean.data(), value.data(), var.data(), scalar.data()}, 1);
  const std::array<int32_t, 4> params = {0, 0, static_cast<int32_t>(child_groups), 0};
  worker.Bind("level_params", params.data(), {4});
  BindSum(worker, tilt);
  worker.Call(merge_moments_);
  const int64_t node = unit.slot * l.nodes + unit.mini, group = node / kGroupNodes, place = node % kGroupNodes;
  for (int64_t i = 0; i < d; ++i) l.mean[(group * d + i) * kGroupNodes + place] = mean[i * kGroupNodes];
  for (int64_t b = 0; b < bands; ++b) l.var[(group * bands + b) * kGroupNodes + place] = var[b * kGroupNodes];
  for (int64_t s = 0; s < kScalars; ++s) l.scalar[(group * kScalars + s) * kGroupNodes + place] = scalar[s * kGroupNodes];
  std::copy_n(value.begin(), dv, l.value + (group * kGroupNodes + place) * dv);
}

}  // namespace hsa

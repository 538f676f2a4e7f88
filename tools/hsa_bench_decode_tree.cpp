#include "tools/hsa_bench_decode_tree.h"

#include <algorithm>
#include <cmath>

#include "runtime/element.h"

namespace hsa::bench {
namespace {

constexpr size_t kTiltLeaves = 4;  // every fourth leaf tells of the tilt, as in the runtime

// Appends a row's elements; whether all are finite.
bool AppendRow(const TensorView& tensor, int64_t head, int64_t token, std::vector<float>& out) {
  bool finite = true;
  for (int64_t c = 0; c < tensor.dim(); ++c) {
    out.push_back(LoadElement(tensor.Row(head, token) + c * DTypeBytes(tensor.dtype), tensor.dtype));
    finite &= std::isfinite(out.back());
  }
  return finite;
}

double Dot(const double* a, const float* b, int64_t count) {
  double dot = 0;
  for (int64_t c = 0; c < count; ++c) dot += a[c] * static_cast<double>(b[c]);
  return dot;
}

// p_j of a key as a member of a node.
double Weight(const KeyTree::Node& node, int32_t key, const Reference& reference) {
  return std::exp(reference.scores[key] - node.log_mass);
}

// A of the last node, and its μ and v̄.
void AddMeans(KeyTree& tree, const KeyRows& rows, const Reference& reference) {
  KeyTree::Node& node = tree.nodes.back();
  double* mean = &*tree.mean.insert(tree.mean.end(), rows.dim, 0.0);
  double* value = &*tree.value.insert(tree.value.end(), rows.value_dim, 0.0);
  if (node.count == 0) return;
  double top = -INFINITY, sum = 0;
  const std::span<const int32_t> members = std::span(tree.keys).subspan(node.first, node.count);
  for (int32_t j : members) top = std::max(top, reference.scores[j]);
  for (int32_t j : members) sum += std::exp(reference.scores[j] - top);
  node.log_mass = top + std::log(sum);
  for (int32_t j : members) {
    const double p = Weight(node, j, reference);
    for (int64_t c = 0; c < rows.dim; ++c) mean[c] += p * rows.Key(j)[c];
    for (int64_t c = 0; c < rows.value_dim; ++c) value[c] += p * rows.Value(j)[c];
  }
}

// The variances of the last node, about its μ.
void AddVar(KeyTree& tree, int64_t bands, const KeyRows& rows, const Reference& reference) {
  KeyTree::Node& node = tree.nodes.back();
  const double* mean = tree.Mean(tree.nodes.size() - 1);
  double* var = &*tree.var.insert(tree.var.end(), bands, 0.0);
  const int64_t width = (rows.dim + bands - 1) / bands;
  for (int32_t j : std::span(tree.keys).subspan(node.first, node.count)) {
    const double p = Weight(node, j, reference);
    const float* key = rows.Key(j);
    for (int64_t c = 0; c < rows.dim; ++c) var[c / width] += p * (key[c] - mean[c]) * (key[c] - mean[c]);
  }
  for (int64_t b = 0; b < bands; ++b) {
    node.trace += var[b];
    const int64_t dims = std::min(width, rows.dim - b * width);  // the last bands may be ragged, or empty
    if (dims > 0) var[b] /= static_cast<double>(dims);
  }
}

// between += p (v − v̄_s)(k − μ_s)ᵀ, s a node.
template <typename T>
void AddOuter(double p, const T* value, const T* key, const KeyTree& tree, size_t s, const KeyRows& rows, std::vector<double>& between) {
  const double *mean = tree.Mean(s), *mean_value = tree.Value(s);
  for (int64_t r = 0; r < rows.value_dim; ++r) {
    const double v = p * (value[r] - mean_value[r]);
    for (int64_t c = 0; c < rows.dim; ++c) between[r * rows.dim + c] += v * (key[c] - mean[c]);
  }
}

}  // namespace

KeyRows::KeyRows(const TensorView& key, const TensorView& value, int64_t kv_head)
    : tokens(key.tokens()), dim(key.dim()), value_dim(value.dim()) {
  for (int64_t j = 0; j < tokens; ++j) {
    const bool key_finite = AppendRow(key, kv_head, j, k), value_finite = AppendRow(value, kv_head, j, v);
    finite.push_back(key_finite && value_finite);
  }
}

Reference Reference::Zero(const KeyRows& rows) { return {std::vector<double>(rows.dim), std::vector<double>(rows.tokens)}; }

Reference Reference::MeanQuery(const TensorView& query, int64_t head, int64_t begin, int64_t end, const KeyRows& rows, double scale) {
  Reference reference = Zero(rows);
  double count = 0;
  for (int64_t i = begin; i < end; ++i) {
    std::vector<float> row;
    if (!AppendRow(query, head, i, row)) continue;
    for (int64_t c = 0; c < rows.dim; ++c) reference.query[c] += row[c];
    ++count;
  }
  if (count == 0) return reference;
  for (double& q : reference.query) q /= count;
  for (int64_t j = 0; j < rows.tokens; ++j)
    if (rows.finite[j]) reference.scores[j] = scale * Dot(reference.query.data(), rows.Key(j), rows.dim);
  return reference;
}

KeyTree TreeOf(std::span<const int32_t> slots, std::span<const int64_t> level_tokens, int64_t bands, const KeyRows& rows,
               const Reference& reference) {
  KeyTree tree;
  std::vector<int64_t> live = {0};  // before each slot
  for (int32_t key : slots) {
    if (key >= 0) tree.keys.push_back(key);
    live.push_back(static_cast<int64_t>(tree.keys.size()));
  }
  size_t level = level_tokens.size();
  while (level_tokens[level - 1] > static_cast<int64_t>(slots.size())) --level;
  tree.roots = slots.size() / level_tokens[level - 1];
  while (level-- > 0) {
    const int64_t size = level_tokens[level], nodes = static_cast<int64_t>(slots.size()) / size,
                  children = level > 0 ? size / level_tokens[level - 1] : 0,
                  next = static_cast<int64_t>(tree.nodes.size()) + nodes;  // first node of the next level
    for (int64_t j = 0; j < nodes; ++j) {
      tree.nodes.push_back({.first = live[j * size],
                            .count = live[(j + 1) * size] - live[j * size],
                            .first_child = next + j * children,
                            .children = children,
                            .level = level});
      AddMeans(tree, rows, reference);
      AddVar(tree, bands, rows, reference);
    }
  }
  return tree;
}

KeyTree FlatTree(std::vector<int32_t> keys, std::span<const int64_t> starts, const KeyRows& rows, const Reference& reference) {
  KeyTree tree;
  tree.keys = std::move(keys);
  for (size_t g = 0; g + 1 < starts.size(); ++g) {
    if (starts[g] == starts[g + 1]) continue;  // a cluster none of whose keys is visible
    tree.nodes.push_back({.first = starts[g], .count = starts[g + 1] - starts[g]});
    AddMeans(tree, rows, reference);
  }
  tree.roots = tree.nodes.size();
  return tree;
}

std::vector<TiltSum> TiltSumsOf(const KeyTree& tree, size_t levels, const KeyRows& rows, const Reference& reference) {
  std::vector<TiltSum> sums(levels, {std::vector<double>(rows.value_dim * rows.dim)});
  size_t leaf = 0;
  for (size_t s = 0; s < tree.nodes.size(); ++s) {
    const KeyTree::Node& node = tree.nodes[s];
    TiltSum& sum = sums[node.level];
    if (node.count == 0 || (node.children == 0 && leaf++ % kTiltLeaves != 0)) continue;
    sum.trace += node.trace;
    if (node.children == 0)
      for (int32_t j : std::span(tree.keys).subspan(node.first, node.count))
        AddOuter(Weight(node, j, reference), rows.Value(j), rows.Key(j), tree, s, rows, sum.between);
    for (int64_t c = node.first_child; c < node.first_child + node.children; ++c) {
      const KeyTree::Node& child = tree.nodes[c];
      if (child.count == 0) continue;
      const double p = std::exp(child.log_mass - node.log_mass);
      sum.within += p * child.trace;
      AddOuter(p, tree.Value(c), tree.Mean(c), tree, s, rows, sum.between);
    }
  }
  return sums;
}

std::vector<std::vector<double>> TiltOf(std::span<const std::vector<TiltSum>* const> segments) {
  std::vector<std::vector<double>> tilt;
  if (segments.empty()) return tilt;
  for (size_t level = 0; level < segments[0]->size(); ++level) {
    std::vector<double> matrix((*segments[0])[level].between.size());
    double within = 0, trace = 0;
    for (const std::vector<TiltSum>* sums : segments) {
      const TiltSum& sum = (*sums)[level];
      within += sum.within, trace += sum.trace;
      for (size_t e = 0; e < matrix.size(); ++e) matrix[e] += sum.between[e];
    }
    for (size_t e = 0; e < matrix.size(); ++e) {
      if (level > 0) matrix[e] += within * tilt.back()[e];
      matrix[e] = trace > 0 ? matrix[e] / trace : 0;
    }
    tilt.push_back(std::move(matrix));
  }
  return tilt;
}

}  // namespace hsa::bench

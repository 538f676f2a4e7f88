#include "tools/hsa_bench_decode_cut.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "tools/hsa_bench_decode.h"

namespace hsa::bench {

void WeightedSum::Add(double weight, std::span<const float> value) {
  mass += weight;
  for (size_t c = 0; c < values.size(); ++c) values[c] += weight * value[c];
}

void WeightedSum::Add(double factor, const WeightedSum& other) {
  mass += factor * other.mass;
  for (size_t c = 0; c < values.size(); ++c) values[c] += factor * other.values[c];
}

std::optional<DecodeQuery> DecodeQuery::Of(std::vector<float> row, int64_t visible, const KeyRows& rows, double scale) {
  DecodeQuery query;
  query.row = std::move(row), query.rows = &rows;
  query.visible = visible, query.scale = scale, query.top = -INFINITY;
  for (int64_t j = 0; j < visible; ++j) {
    double dot = 0;
    for (int64_t c = 0; c < rows.dim; ++c) dot += static_cast<double>(query.row[c]) * rows.Key(j)[c];
    if (!std::isfinite(dot) || !rows.finite[j]) return std::nullopt;
    query.weights.push_back(scale * dot);
    query.top = std::max(query.top, query.weights.back());
  }
  query.far_end = std::max(kDecodeSinks, visible - kDecodeLast);
  query.near = query.all = {std::vector<double>(rows.value_dim)};
  for (int64_t j = 0; j < visible; ++j) {
    query.weights[j] = std::exp(query.weights[j] - query.top);
    const std::span value(rows.Value(j), rows.value_dim);
    query.all.Add(query.weights[j], value);
    if (j >= kDecodeSinks && j < query.far_end) continue;
    query.near.Add(query.weights[j], value);
    ++query.near_keys;
  }
  if (std::all_of(query.all.values.begin(), query.all.values.end(), [](double v) { return v == 0; })) return std::nullopt;
  return query;
}

double DecodeQuery::Error(const WeightedSum& sum) const {
  double difference = 0, norm = 0;
  for (size_t c = 0; c < all.values.size(); ++c) {
    const double exact = all.values[c] / all.mass, d = sum.values[c] / sum.mass - exact;
    difference += d * d, norm += exact * exact;
  }
  return std::sqrt(difference / norm);
}

WeightedSum DecodeQuery::Sum(std::span<const int32_t> keys) const {
  WeightedSum sum{std::vector<double>(rows->value_dim)};
  for (int32_t j : keys) sum.Add(weights[j], {rows->Value(j), static_cast<size_t>(rows->value_dim)});
  return sum;
}

double DecodeQuery::ErrorOfTopKeys(int64_t count) const {
  std::vector<int32_t> keys(visible);
  for (int64_t j = 0; j < visible; ++j) keys[j] = static_cast<int32_t>(j);
  count = std::min(count, visible);
  std::nth_element(keys.begin(), keys.begin() + count, keys.end(),
                   [&](int32_t a, int32_t b) { return weights[a] != weights[b] ? weights[a] > weights[b] : a < b; });
  keys.resize(count);
  return Error(Sum(keys));
}

Estimator::Estimator(const DecodeQuery& query, const Summaries& summaries) : query_(query), summaries_(summaries) {
  for (size_t c = 0; c < query.row.size(); ++c) difference_.push_back(query.row[c] - summaries.reference->query[c]);
  if (summaries.order == 2 && !summaries.trees.empty()) {
    const auto dim = static_cast<int64_t>(difference_.size());
    const KeyTree& any = *summaries.trees.front();
    const int64_t bands = static_cast<int64_t>(any.var.size() / any.nodes.size()), width = (dim + bands - 1) / bands;
    band_norms_.resize(bands);
    for (int64_t c = 0; c < dim; ++c) band_norms_[c / width] += difference_[c] * difference_[c];
  }
  if (summaries.tilt == nullptr) return;
  for (const std::vector<double>& matrix : *summaries.tilt) {
    std::vector<double>& lean = tilt_.emplace_back(query.rows->value_dim);
    for (size_t e = 0; e < matrix.size(); ++e)
      lean[e / difference_.size()] += query.scale * matrix[e] * difference_[e % difference_.size()];
  }
}

ScoredNode Estimator::Score(const KeyTree& tree, size_t node) const {
  const double* mean = tree.Mean(node);
  double log_mass = tree.nodes[node].log_mass;
  for (size_t c = 0; c < difference_.size(); ++c) log_mass += query_.scale * difference_[c] * mean[c];
  if (summaries_.order == 0) {
    const double mass = std::exp(log_mass - query_.top);
    return {&tree, node, mass, mass};
  }
  double variance = 0;
  for (size_t b = 0; b < band_norms_.size(); ++b) variance += tree.Var(node)[b] * band_norms_[b];
  const double s = query_.scale * std::sqrt(variance), c = std::sqrt(2 * std::log(static_cast<double>(tree.nodes[node].count)));
  log_mass += s <= c ? s * s / 2 : s * c - c * c / 2;
  const double mass = std::exp(log_mass - query_.top);
  return {&tree, node, mass, mass * std::sqrt(s * s + s * s * s * s)};
}

std::optional<Cut> Estimator::OpenWithin(int64_t keys) const {
  const auto later = [](const ScoredNode& a, const ScoredNode& b) { return a.rank < b.rank; };
  std::priority_queue<ScoredNode, std::vector<ScoredNode>, decltype(later)> queue(later);
  Cut cut;
  cut.keys = query_.near_keys;
  const auto score = [&](const KeyTree& tree, int64_t first, int64_t end) {
    for (int64_t s = first; s < end; ++s) {
      const KeyTree::Node& node = tree.nodes[s];
      if (node.count == 0) continue;
      queue.push(Score(tree, s));
      if (cut.scored.size() <= node.level) cut.scored.resize(node.level + 1), cut.opened.resize(node.level + 1);
      ++cut.scored[node.level], ++cut.keys;
    }
  };
  for (const KeyTree* tree : summaries_.trees) score(*tree, 0, static_cast<int64_t>(tree->roots));
  if (cut.keys > keys) return std::nullopt;
  while (!queue.empty()) {
    const ScoredNode best = queue.top();
    queue.pop();
    const KeyTree::Node& node = best.get();
    const int64_t cost = node.children > 0 ? std::min(node.children, node.count) : node.count;
    if (cut.keys + cost > keys) {
      cut.closed.push_back(best);
      continue;
    }
    ++cut.opened[node.level];
    if (node.children > 0) {
      score(*best.tree, node.first_child, node.first_child + node.children);
    } else {
      cut.keys += cost;
      cut.open.push_back(best);
    }
  }
  return cut;
}

WeightedSum Estimator::Estimated(const ScoredNode& scored) const {
  const double* value = scored.tree->Value(scored.node);
  WeightedSum sum{std::vector<double>(value, value + query_.rows->value_dim), scored.mass};
  const KeyTree::Node& node = scored.get();
  for (size_t c = 0; c < sum.values.size(); ++c) {
    if (node.level < tilt_.size()) sum.values[c] += node.trace * tilt_[node.level][c];
    sum.values[c] *= scored.mass;
  }
  return sum;
}

WeightedSum Estimator::Sum(const Cut& cut) const {
  WeightedSum sum = query_.near;
  for (const ScoredNode& leaf : cut.open) sum.Add(1, query_.Sum(leaf.keys()));
  for (const ScoredNode& node : cut.closed) sum.Add(1, Estimated(node));
  return sum;
}

}  // namespace hsa::bench

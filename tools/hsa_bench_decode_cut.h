// One query of the decode view: its exact attention, what a method estimates of the far keys, and the cut that a budget buys.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tools/hsa_bench_decode_tree.h"

namespace hsa::bench {

// Σ w_j v_j and Σ w_j over some keys, w_j = e^{s_j − top}.
struct WeightedSum {
  std::vector<double> values;
  double mass = 0;

  void Add(double weight, std::span<const float> value);
  void Add(double factor, const WeightedSum& other);
};

struct DecodeQuery {
  // The query `row` [D] that sees keys [0, visible). Nothing when its exact output is not finite, or 0.
  static std::optional<DecodeQuery> Of(std::vector<float> row, int64_t visible, const KeyRows& rows, double scale);

  // Relative L2 of the output that `sum` over all visible keys gives.
  double Error(const WeightedSum& sum) const;
  WeightedSum Sum(std::span<const int32_t> keys) const;
  // Of the `count` heaviest keys alone.
  double ErrorOfTopKeys(int64_t count) const;

  std::vector<float> row;
  int64_t visible = 0;
  double scale = 1, top = 0;    // σ; the greatest score
  std::vector<double> weights;  // of visible keys
  WeightedSum all, near;
  int64_t near_keys = 0, far_end = 0;  // far keys are [kDecodeSinks, far_end)
  const KeyRows* rows = nullptr;
};

// What a method knows of the far keys of a query, which its trees partition.
struct Summaries {
  std::vector<const KeyTree*> trees;
  const Reference* reference = nullptr;
  int order = 0;
  const std::vector<std::vector<double>>* tilt = nullptr;  // of each level; null or empty: none
};

struct ScoredNode {
  const KeyTree* tree = nullptr;
  size_t node = 0;
  double mass = 0;  // M / e^top
  double rank = 0;  // what is opened first: M (s² + s⁴)^½, of order 0 M

  const KeyTree::Node& get() const { return tree->nodes[node]; }
  std::span<const int32_t> keys() const { return std::span(tree->keys).subspan(get().first, get().count); }
};

struct Cut {
  std::vector<ScoredNode> closed, open;  // open: leaves
  std::vector<int64_t> scored, opened;   // nodes of each level, finest first
  int64_t keys = 0;                      // key-equivalents: near + scored + keys of open leaves
};

// Estimates of one query by one method.
class Estimator {
 public:
  Estimator(const DecodeQuery& query, const Summaries& summaries);

  // The cut of at most `keys` key-equivalents: from the roots down, the highest rank is opened first; what does not fit any more stays
  // closed. Nothing when the near keys and the roots are more than that.
  std::optional<Cut> OpenWithin(int64_t keys) const;
  // Over the keys of a node as estimated: M v̂ and M.
  WeightedSum Estimated(const ScoredNode& scored) const;
  // Near and open keys exactly, closed ones as estimated.
  WeightedSum Sum(const Cut& cut) const;

 private:
  ScoredNode Score(const KeyTree& tree, size_t node) const;

  const DecodeQuery& query_;
  const Summaries& summaries_;
  std::vector<double> difference_;         // q − q₀
  std::vector<double> band_norms_;         // ‖(q − q₀)_b‖²
  std::vector<std::vector<double>> tilt_;  // σ C_ℓ (q − q₀)
};

}  // namespace hsa::bench

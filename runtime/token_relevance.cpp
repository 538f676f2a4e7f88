#include "runtime/token_relevance.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"

namespace hsa {
namespace {

constexpr double kRounding = 1 + 1e-4;  // of distances and shares in f32: what is compared with a bound is this much larger
constexpr double kCellWidth = 16;       // cells, in distances at which tokens are the same: an edge parts few of them
constexpr double kLeastTokens = 64;     // that what may be left out has room for, whichever they are: a few dear ones gain nothing

using Cell = std::array<int64_t, kSketchAxes>;
struct CellHash {
  size_t operator()(const Cell& cell) const {
    uint64_t hash = 0;
    for (int64_t x : cell) hash = (hash ^ static_cast<uint64_t>(x)) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
    return hash;
  }
};

}  // namespace

absl::Status CheckRelevance(double error, const format::PlanHeader& header) {
  if (!(error > 0 && error < 1))
    return absl::InvalidArgumentError(
        absl::StrCat("--token-error: ", error, ", wanted more than 0 and less than 1: a share of the largest value"));
  if (header.graph().routed().has_sparse())
    return absl::InvalidArgumentError(
        "--token-error: the graph is sparse, where tokens send to a few splats each and nothing is left out; leave one of them out");
  if (!header.graph().routed().cholesky().empty())
    return absl::InvalidArgumentError(
        "--token-error: the graph has full covariances, of which no bound on what a token changes is known; leave one of them out");
  for (const char* name : {"sketch_tokens", "token_distances", "mean_values", "token_shares"})
    if (std::ranges::none_of(header.stages(), [&](const format::Stage& stage) { return stage.name() == name; }))
      return absl::FailedPreconditionError(
          absl::StrCat("--token-error: the plan, written by ", header.producer(), ", has no stage '", name, "'; compile the graph again"));
  return absl::OkStatus();
}

void Relevance::Add(const Relevance& other) {
  tokens += other.tokens, joined += other.joined, left_out += other.left_out;
  joining = std::max(joining, other.joining), leaving = std::max(leaving, other.leaving);
}

RelevantTokens::RelevantTokens(const Program& program, const RoutedTables& tables, double error, int64_t tokens)
    : tables_(tables),
      sketch_(program.Find("sketch_tokens")),
      distances_(program.Find("token_distances")),
      means_(program.Find("mean_values")),
      shares_(program.Find("token_shares")),
      error_(error),
      tokens_(tokens),
      axes_((kSketchAxes + 1) * tables.depth) {
  std::mt19937_64 random(1);
  for (int64_t i = 0; i < kSketchAxes * tables.depth; ++i)
    axes_[i] = (random() >> 40 & 1 ? 1.0f : -1.0f) / std::sqrt(static_cast<float>(tables.depth));
  std::vector<double> sum(tables.depth), center(tables.depth);
  const auto centers = [&](auto visit) {
    for (int64_t s = 0; s < tables.splats; ++s)
      for (int64_t d = 0; tables.IsSplat(s) && d < tables.depth; ++d)
        if (const double scale = tables.scale[s * tables.depth + d]; scale > 0)
          visit(s, d, scale, -tables.shift[s * tables.depth + d] / scale);
  };
  const auto splats = static_cast<double>(tables.CountSplats());
  centers([&](int64_t, int64_t d, double scale, double x) { sum[d] += x / splats, sharpness_ = std::max(sharpness_, scale * scale); });
  for (int64_t d = 0; d < tables.depth; ++d) axes_[kSketchAxes * tables.depth + d] = static_cast<float>(sum[d]);
  std::vector<double> apart(tables.splats);
  centers([&](int64_t s, int64_t d, double, double x) { apart[s] += std::pow(x - axes_[kSketchAxes * tables.depth + d], 2); });
  radius_ = std::sqrt(*std::ranges::max_element(apart));
}

void RelevantTokens::Pack(Worker& worker, TokenPanels& panels, const RoutedState& state) {
  counts_.tokens += panels.count();
  Sketch(worker, panels);
  FindClusters(worker, panels);
  panels.Pack(worker, order_, bias_);
  const size_t clusters = order_.size();
  LeaveOut(worker, state);
  if (order_.size() < clusters) panels.Pack(worker, order_, bias_);
}

void RelevantTokens::Sketch(Worker& worker, const TokenPanels& panels) {
  token_sketch_.resize(panels.count() * (kSketchAxes + 1));
  worker.Bind("sketch_axes", axes_.data(), {kSketchAxes + 1, tables_.depth});
  worker.Bind("token_sketch", token_sketch_.data(), {panels.count(), kSketchAxes + 1});
  worker.Call(sketch_);
}

double RelevantTokens::DistanceFromCenter(int64_t token) const {
  return std::sqrt(static_cast<double>(token_sketch_[token * (kSketchAxes + 1) + kSketchAxes]));
}

// |log φ_s(x) - log φ_s(y)| ≤ ½ max 1/Σ ‖x - y‖ ‖x + y - 2μ_s‖, the last factor at most ‖x - c‖ + ‖y - c‖ + 2R. A token joins the first of its cell where that
// is at most error / 2.
void RelevantTokens::FindClusters(Worker& worker, const TokenPanels& panels) {
  const int64_t count = panels.count();
  const double factor = sharpness_ / std::numbers::log2e * kRounding, most = error_ / 2;
  FindFirsts(panels, most / factor);
  apart_.resize(count);
  worker.Bind("token_other", other_.data(), {count});
  worker.Bind("token_apart", apart_.data(), {count});
  worker.Call(distances_);

  std::vector<int32_t> cluster(count, -1), sizes;
  order_.clear();
  for (int64_t i = 0; i < count; ++i) {
    if (!panels.Finite(i)) continue;
    const int32_t first = other_[i];  // itself, or one that is sent
    const double change =
        factor * std::sqrt(static_cast<double>(apart_[i])) * (DistanceFromCenter(i) + DistanceFromCenter(first) + 2 * radius_);
    if (first != i && change <= most) {
      counts_.joining = std::max(counts_.joining, change);
      ++counts_.joined, ++sizes[cluster[i] = cluster[first]];
      continue;
    }
    cluster[i] = static_cast<int32_t>(sizes.size());
    sizes.push_back(1), order_.push_back(static_cast<int32_t>(i));
  }
  bias_.clear();
  for (int32_t size : sizes) bias_.push_back(static_cast<float>(std::log2(size)));
  if (static_cast<int64_t>(order_.size()) < count) AverageValues(worker, cluster, sizes);
}

// other = the first token of the same cell, itself where it is not finite. Tokens x and y join where ‖x - y‖ (‖x - c‖ + ‖y - c‖ + 2R) ≤ `product`: cells are
// wide beside ‖x - y‖ for tokens that are as far from c as the mean.
void RelevantTokens::FindFirsts(const TokenPanels& panels, double product) {
  const int64_t count = panels.count();
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    if (panels.Finite(i)) sum += DistanceFromCenter(i);
  const double around = 2 * radius_ + 2 * sum / static_cast<double>(std::max<int64_t>(1, count));
  const double side = around > 0 ? kCellWidth * product / around : 1;
  std::unordered_map<Cell, int32_t, CellHash> cells(static_cast<size_t>(2 * count));
  other_.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    other_[i] = static_cast<int32_t>(i);
    if (!panels.Finite(i)) continue;
    Cell cell;
    // Beyond what an integer holds tokens share the outermost cells, and their distance still decides.
    for (int64_t axis = 0; axis < kSketchAxes; ++axis)
      cell[axis] = static_cast<int64_t>(std::clamp(std::floor(token_sketch_[i * (kSketchAxes + 1) + axis] / side), -0x1p62, 0x1p62));
    other_[i] = cells.try_emplace(cell, other_[i]).first->second;
  }
}

// `cluster` of each token, −1: none; `sizes` of the clusters.
void RelevantTokens::AverageValues(Worker& worker, const std::vector<int32_t>& cluster, const std::vector<int32_t>& sizes) {
  begin_.assign(sizes.size() + 1, 0);
  std::partial_sum(sizes.begin(), sizes.end(), begin_.begin() + 1);
  members_.resize(begin_.back());
  std::vector<int32_t> next(begin_.begin(), begin_.end() - 1);
  for (size_t i = 0; i < cluster.size(); ++i)
    if (cluster[i] >= 0) members_[next[cluster[i]]++] = static_cast<int32_t>(i);
  worker.Bind("cluster_begin", begin_.data(), {static_cast<int64_t>(begin_.size())});
  worker.Bind("cluster_tokens", members_.data(), {static_cast<int64_t>(members_.size())});
  worker.Call(means_);
}

// Tokens with the smallest shares go while the shares of all that went are at most error / 4, so far as tokens have come by. What is sent later only makes
// them smaller.
void RelevantTokens::LeaveOut(Worker& worker, const RoutedState& state) {
  const double allowed = error_ / 4 * static_cast<double>(counts_.tokens) / static_cast<double>(tokens_) - shares_left_out_;
  if (allowed <= 0 || order_.empty()) return;
  sent_ = state.LogSent();
  for (int64_t s = 0; s < tables_.splats; ++s)
    if (!tables_.IsSplat(s)) sent_[s] = static_cast<float>(-kNoSplat);  // none: no token has a share in it
  const auto limit = static_cast<float>(std::log2(allowed / kLeastTokens));
  const int64_t panels = (static_cast<int64_t>(order_.size()) + kBatchKeys - 1) / kBatchKeys * kBatchPanels;
  share_.resize(panels * kPanelKeys);
  worker.Bind("splat_sent", sent_.data(), {tables_.splats});
  worker.Bind("share_limit", &limit, {1});
  worker.Bind("token_share", share_.data(), {panels, kPanelKeys});
  worker.Call(shares_);

  std::vector<int32_t> least;
  for (size_t i = 0; i < order_.size(); ++i)
    if (share_[i] <= limit) least.push_back(static_cast<int32_t>(i));
  std::ranges::sort(least, [&](int32_t i, int32_t j) { return share_[i] != share_[j] ? share_[i] < share_[j] : i < j; });
  double spent = 0;
  for (int32_t i : least) {
    const double share = std::exp2(static_cast<double>(share_[i])) * kRounding;
    if (spent + share > allowed) break;
    spent += share;
    counts_.left_out += std::lround(std::exp2(static_cast<double>(bias_[i])));
    order_[i] = -1;
  }
  shares_left_out_ += spent;
  counts_.leaving = shares_left_out_;
  size_t kept = 0;
  for (size_t i = 0; i < order_.size(); ++i)
    if (order_[i] >= 0) order_[kept] = order_[i], bias_[kept] = bias_[i], ++kept;
  order_.resize(kept), bias_.resize(kept);
}

}  // namespace hsa

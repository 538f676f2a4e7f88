#include "runtime/exact_splats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/splat_parameter.h"

namespace hsa {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

double LogSum(std::span<const double> logs) {
  const double max = *std::max_element(logs.begin(), logs.end());
  if (max == kNone) return kNone;
  double sum = 0;
  for (const double x : logs) sum += std::exp(x - max);
  return max + std::log(sum);
}

// L of Σ = L Lᵀ in place, row by row.
void Cholesky(std::span<double> sigma, int64_t dims) {
  for (int64_t i = 0; i < dims; ++i)
    for (int64_t j = 0; j < dims; ++j) {
      double rest = j > i ? 0 : sigma[i * dims + j];
      for (int64_t k = 0; k < j && j <= i; ++k) rest -= sigma[i * dims + k] * sigma[j * dims + k];
      sigma[i * dims + j] = j > i ? 0 : j == i ? std::sqrt(rest) : rest / sigma[j * dims + j];
    }
}

}  // namespace

ExactSplats::ExactSplats(const format::Graph& graph, const SplatTensors& splats, int64_t head) : graph_(graph), dims_(graph.head_dim()) {
  const format::Routed& routed = graph.routed();
  for (const format::SplatLevel& level : routed.levels()) {
    levels_.push_back({splats_, splats_ + level.splats(), std::log(level.weight())});
    splats_ += level.splats();
  }
  for (int64_t d = 0; d < dims_; ++d)
    for (int64_t s = 0; s < splats_; ++s) center_.push_back(EntryOf(splats.center, head, s, d));
  for (int64_t s = 0; s < splats_; ++s) log_amplitude_.push_back(routed.amplitude().empty() ? 0 : EntryOf(splats.amplitude, head, s, 0));
  routed.factor().empty() && routed.cholesky().empty() ? AddDiagonal(splats, head) : AddTriangles(splats, head);
  AddLinks(splats, head);
  for (size_t level = 0; !routed.gate_weight().empty() && level < levels_.size(); ++level) {
    gate_bias_.push_back(EntryOf(splats.gate_bias, head, static_cast<int64_t>(level), 0));
    for (int64_t d = 0; d < dims_; ++d) gate_weight_.push_back(EntryOf(splats.gate_weight, head, static_cast<int64_t>(level), d));
  }
}

// Band ⌊d / ⌈D/B⌉⌋ is that of dimension d; B is 1 or D where there are no bands.
void ExactSplats::AddDiagonal(const SplatTensors& splats, int64_t head) {
  const int64_t width = (dims_ + splats.variance.dim() - 1) / splats.variance.dim();
  for (int64_t d = 0; d < dims_; ++d)
    for (int64_t s = 0; s < splats_; ++s) precision_.push_back(1.0 / EntryOf(splats.variance, head, s, d / width));
}

void ExactSplats::AddTriangles(const SplatTensors& splats, int64_t head) {
  const bool full = !graph_.routed().cholesky().empty();
  const int64_t rows = full ? dims_ : graph_.routed().rank();
  triangle_.resize(splats_ * dims_ * dims_);
  for (int64_t s = 0; s < splats_; ++s) {
    const std::span<double> sigma = std::span(triangle_).subspan(s * dims_ * dims_, dims_ * dims_);
    const auto entry = [&](int64_t r, int64_t d) { return static_cast<double>(EntryOf(splats.factor, head, s * rows + r, d)); };
    for (int64_t i = 0; i < dims_; ++i)
      for (int64_t j = 0; j < dims_; ++j)
        if (full) {
          sigma[i * dims_ + j] = entry(i, j);
        } else {
          const int64_t width = (dims_ + splats.variance.dim() - 1) / splats.variance.dim();
          if (i == j) sigma[i * dims_ + j] = EntryOf(splats.variance, head, s, i / width);
          for (int64_t r = 0; r < rows; ++r) sigma[i * dims_ + j] += entry(r, i) * entry(r, j);
        }
    if (!full) Cholesky(sigma, dims_);
  }
}

void ExactSplats::AddLinks(const SplatTensors& splats, int64_t head) {
  size_t next = 0;
  for (const format::Link& link : graph_.routed().links()) {
    const Level &to = levels_[link.to()], &from = levels_[link.from()];
    const TensorView &left = splats.links[next], &right = splats.links[link.rank() == 0 ? next : next + 1];
    next += link.rank() == 0 ? 1 : 2;
    for (int64_t s = 0; s < to.end - to.first; ++s)
      for (int64_t t = 0; t < from.end - from.first; ++t) {
        double weight = link.rank() == 0 ? EntryOf(left, head, s, t) : 0;
        for (int64_t r = 0; r < link.rank(); ++r) weight += static_cast<double>(EntryOf(left, head, s, r)) * EntryOf(right, head, r, t);
        if (weight > 0) links_.push_back({to.first + s, from.first + t, std::log(weight)});
      }
  }
}

void ExactSplats::LogKept(std::span<const double> x, double length, std::span<double> log_affinity) const {
  std::fill(log_affinity.begin(), log_affinity.end(), 0.0);
  for (int64_t d = 0; !precision_.empty() && d < dims_; ++d) {
    const double *center = &center_[d * splats_], *precision = &precision_[d * splats_];
    for (int64_t s = 0; s < splats_; ++s) log_affinity[s] -= 0.5 * (x[d] - center[s]) * (x[d] - center[s]) * precision[s];
  }
  std::vector<double> y(dims_);  // L⁻¹ (x − μ)
  for (int64_t s = 0; !triangle_.empty() && s < splats_; ++s)
    for (int64_t i = 0; i < dims_; ++i) {
      const double* row = &triangle_[(s * dims_ + i) * dims_];
      y[i] = x[i] - center_[i * splats_ + s];
      for (int64_t j = 0; j < i; ++j) y[i] -= row[j] * y[j];
      y[i] /= row[i];
      log_affinity[s] -= 0.5 * y[i] * y[i];
    }
  if (!graph_.routed().has_sparse()) return;
  for (const Level& level : levels_) Keep(level, length, log_affinity);
}

void ExactSplats::Keep(const Level& level, double length, std::span<double> log_affinity) const {
  const format::Sparse& sparse = graph_.routed().sparse();
  const auto near = [&](int64_t s) { return log_affinity[s] + log_amplitude_[s]; };
  std::vector<int64_t> order(level.end - level.first);
  std::iota(order.begin(), order.end(), level.first);
  const auto kept = std::min<int64_t>(sparse.top(), level.end - level.first);
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [&](int64_t s, int64_t t) { return near(s) > near(t) || (near(s) == near(t) && s < t); });
  const double share = std::min(1.0, sparse.threshold() * std::sqrt(std::max(1.0, length / 8192)));
  const double least = share > 0 ? near(order[0]) + std::log(share) : kNone;
  for (auto s = order.begin(); s != order.end(); ++s)
    if (s - order.begin() >= kept || near(*s) < least) log_affinity[*s] = kNone;
}

void ExactSplats::Weigh(std::span<const double> q, std::span<double> log_affinity) const {
  std::vector<double> gate(levels_.size(), 0.0);
  for (size_t level = 0; level < gate_bias_.size(); ++level)
    gate[level] =
        gate_bias_[level] + std::inner_product(q.begin(), q.end(), gate_weight_.begin() + static_cast<int64_t>(level) * dims_, 0.0);
  const double total = gate_bias_.empty() ? 0 : LogSum(gate);
  for (size_t level = 0; level < levels_.size(); ++level)
    for (int64_t s = levels_[level].first; s < levels_[level].end; ++s)
      log_affinity[s] += gate[level] - total + levels_[level].log_weight + log_amplitude_[s];
}

std::vector<double> ExactSplats::BackAlongLinks(std::span<const double> log_received) const {
  std::vector<double> back(log_received.begin(), log_received.end());  // F_tt is 1 at least
  for (const Link& link : links_) {
    const double both[] = {back[link.from], log_received[link.to] + link.log_weight};
    back[link.from] = LogSum(both);
  }
  return back;
}

}  // namespace hsa

#include "dialect/reference/routed.h"

#include <cmath>
#include <limits>

#include "dialect/reference/linear_algebra.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace hsa::ir::reference {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

// log Σ e^x; NaN when some x is.
static double logSumExp(const std::vector<double>& xs) {
  double max = -kInfinity, sum = 0;
  for (double x : xs) max = std::max(max, x);
  if (max == -kInfinity && llvm::none_of(xs, [](double x) { return std::isnan(x); })) return -kInfinity;
  for (double x : xs) sum += std::exp(x - max);
  return max + std::log(sum);
}

// The covariance of splat s of kv_head g.
static Matrix covarianceOf(const Covariances& of, int64_t g, int64_t s, int64_t splats, int64_t headDim) {
  Matrix sigma = Matrix::zero(headDim);
  if (of.variance) {
    const int64_t width = llvm::divideCeil(headDim, of.variance->shape[2]);
    for (int64_t d = 0; d < headDim; ++d) sigma(d, d) = of.variance->row(g, s)[d / width];
  }
  const int64_t rank = of.factor ? of.factor->shape[1] / splats : 0;
  for (int64_t d = 0; d < headDim; ++d)
    for (int64_t e = 0; e < headDim; ++e) {
      for (int64_t r = 0; r < rank; ++r) sigma(d, e) += of.factor->row(g, s * rank + r)[d] * of.factor->row(g, s * rank + r)[e];
      for (int64_t r = 0; of.cholesky && r < headDim; ++r)
        sigma(d, e) += of.cholesky->row(g, s * headDim + d)[r] * of.cholesky->row(g, s * headDim + e)[r];
    }
  return sigma;
}

// ‖L⁻¹ x‖², that is xᵀ Σ⁻¹ x of Σ = L Lᵀ: forward substitution.
static double squaredDistance(const Matrix& factor, std::vector<double> x) {
  double sum = 0;
  for (int64_t d = 0; d < factor.size; ++d) {
    for (int64_t e = 0; e < d; ++e) x[d] -= factor(d, e) * x[e];
    x[d] /= factor(d, d);
    sum += x[d] * x[d];
  }
  return sum;
}

Tensor affinity(const Tensor& tokens, const Tensor& center, const Covariances& covariances) {
  const int64_t heads = tokens.shape[0], kvHeads = center.shape[0], splats = center.shape[1], headDim = center.shape[2];
  Tensor result = Tensor::filled({heads, tokens.shape[1], splats}, 0);
  for (int64_t g = 0; g < kvHeads; ++g)
    for (int64_t s = 0; s < splats; ++s) {
      const Matrix factor = cholesky(covarianceOf(covariances, g, s, splats, headDim));
      for (int64_t h = g * heads / kvHeads; h < (g + 1) * heads / kvHeads; ++h)
        for (int64_t i = 0; i < tokens.shape[1]; ++i) {
          std::vector<double> apart(headDim);
          for (int64_t d = 0; d < headDim; ++d) apart[d] = tokens.row(h, i)[d] - center.row(g, s)[d];
          const double distance = squaredDistance(factor, std::move(apart));
          // An infinite coordinate is not far away but not a number.
          result.row(h, i)[s] = std::isfinite(distance) ? -distance / 2 : std::numeric_limits<double>::quiet_NaN();
        }
    }
  return result;
}

Tensor links(llvm::ArrayRef<const Tensor*> factors, llvm::ArrayRef<int64_t> levels, const LinkList& list) {
  std::vector<int64_t> first = {0};  // splat of each level, and the end
  for (int64_t level : levels) first.push_back(first.back() + level);
  const int64_t kvHeads = factors.front()->shape[0], splats = first.back();
  Tensor result = Tensor::filled({kvHeads, splats, splats}, 0);
  for (auto [from, to, rank] : llvm::zip_equal(list.from, list.to, list.ranks)) {
    const Tensor& left = *factors.front();
    for (int64_t g = 0; g < kvHeads; ++g)
      for (int64_t s = 0; s < levels[to]; ++s)
        for (int64_t t = 0; t < levels[from]; ++t) {
          double weight = rank == 0 ? left.row(g, s)[t] : 0;
          for (int64_t r = 0; r < rank; ++r) weight += left.row(g, s)[r] * factors[1]->row(g, r)[t];
          result.row(g, first[to] + s)[first[from] + t] += weight;
        }
    factors = factors.drop_front(rank == 0 ? 1 : 2);
  }
  return result;
}

Tensor flow(const Tensor& affinity, const Tensor& link) {
  Tensor result = affinity;
  const int64_t splats = affinity.shape[2];
  for (int64_t g = 0; g < affinity.shape[0]; ++g)
    for (int64_t j = 0; j < affinity.shape[1]; ++j)
      for (int64_t s = 0; s < splats; ++s) {
        std::vector<double> terms{affinity.row(g, j)[s]};
        for (int64_t t = 0; t < splats; ++t)
          if (link.row(g, s)[t] != 0) terms.push_back(std::log(link.row(g, s)[t]) + affinity.row(g, j)[t]);
        result.row(g, j)[s] = logSumExp(terms);
      }
  return result;
}

void sendToken(const Tensor& sent, const Tensor& value, int64_t kvHead, int64_t j, Partial& state) {
  // A splat that is not kept was sent −∞, and a token that is not finite has NaN.
  if (llvm::any_of(sent.row(kvHead, j), [](double x) { return std::isnan(x); }) ||
      !llvm::all_of(value.row(kvHead, j), [](double x) { return std::isfinite(x); }))
    return;
  for (int64_t s = 0; s < sent.shape[2]; ++s) state.add(kvHead, s, sent.row(kvHead, j)[s], value.row(kvHead, j));
}

Tensor gate(const Tensor& query, const Tensor& weight, const Tensor& bias) {
  const int64_t heads = query.shape[0], kvHeads = weight.shape[0], levels = weight.shape[1];
  Tensor result = Tensor::filled({heads, query.shape[1], levels}, 0);
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < query.shape[1]; ++i) {
      const int64_t g = h * kvHeads / heads;
      std::vector<double> logits;
      for (int64_t l = 0; l < levels; ++l) {
        logits.push_back(bias.row(g, l)[0]);
        for (int64_t d = 0; d < query.shape[2]; ++d) logits.back() += weight.row(g, l)[d] * query.row(h, i)[d];
      }
      const double total = logSumExp(logits);
      for (int64_t l = 0; l < levels; ++l) result.row(h, i)[l] = logits[l] - total;
    }
  return result;
}

void receiveRow(const Tensor& affinity, const Partial& state, const Weights& weights, int64_t h, int64_t i, Partial& output) {
  const int64_t g = h * state.acc.shape[0] / affinity.shape[0];
  int64_t s = 0;
  for (auto [level, count] : llvm::enumerate(weights.levels))
    for (int64_t end = s + count; s < end; ++s) {
      double logWeight = affinity.row(h, i)[s] + std::log(weights.weights[level]);
      if (weights.amplitude) logWeight += weights.amplitude->row(g, s)[0];
      if (weights.gate) logWeight += weights.gate->row(h, i)[level];
      if (state.sum.at(g, s) == 0) {  // nothing was sent, but a query that is no number stays none
        if (std::isnan(logWeight)) output.poison(h, i);
        continue;
      }
      std::vector<double> mean(state.acc.row(g, s).begin(), state.acc.row(g, s).end());
      for (double& v : mean) v /= state.sum.at(g, s);
      if (!weights.valueDims.empty()) std::fill(mean.begin() + weights.valueDims[level], mean.end(), 0.0);
      output.add(h, i, logWeight + state.logSum(g, s), mean);
    }
}

int64_t firstSeen(std::optional<uint64_t> window, int64_t p) {
  if (!window) return 0;
  const auto tokens = static_cast<int64_t>(*window), pane = tokens / 8;
  return std::max<int64_t>(0, p / pane * pane - tokens);
}

void sendPrefix(const Tensor& sent, const Tensor& value, std::optional<uint64_t> window, int64_t p, Partial& state) {
  const int64_t first = firstSeen(window, p);
  const bool moved = p > 0 && first != firstSeen(window, p - 1);
  if (moved) state = Partial::empty(sent.shape[0], sent.shape[2], value.shape[2]);
  for (int64_t j = moved ? first : p; j <= p; ++j)
    for (int64_t g = 0; g < sent.shape[0]; ++g) sendToken(sent, value, g, j, state);
}

llvm::Error refuseAdapting(std::optional<AdaptAttr> adapt) {
  if (!adapt || adapt->getWhat() == AdaptKind::Observe) return llvm::Error::success();
  return llvm::createStringError("splats that adapt between segments are not evaluated; leave adapt out, or let it observe");
}

}  // namespace hsa::ir::reference

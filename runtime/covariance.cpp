#include "runtime/covariance.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "runtime/splat_parameter.h"
#include "runtime/symmetric_eigen.h"

namespace hsa {
namespace {

// Of an entry of B: beside kFarthestApart, sums of its products stay finite in f32.
constexpr double kMostEntry = 1e18;

// One splat of one head, and what to call it.
struct Place {
  int64_t head, splat;
  const std::string& name;
};

template <typename... Words>
absl::Status Refuse(const std::string& tensor, const Place& at, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor, "': ", at.name, " has ", words...));
}

absl::Status AddVariances(const format::Graph& graph, const SplatTensors& splats, const Place& at, MappedDifferences& mapped) {
  for (int64_t d = 0; d < graph.head_dim(); ++d) {
    const double variance = EntryOf(splats.variance, at.head, at.splat, VarianceEntry(graph, d));
    if (!std::isfinite(variance) || variance <= 0)
      return Refuse(graph.routed().variance(), at, "the variance ", variance,
                    ", wanted a finite number > 0: a covariance is positive definite");
    mapped.variance.push_back(variance);
  }
  return absl::OkStatus();
}

// V^-½ Σ V^-½ = 1 + GᵀG, G = F V^-½ [R,D]. With GGᵀ = Σ_i λ_i u_i u_iᵀ its inverse root is 1 - Σ_i c_i g_i g_iᵀ / λ_i, g_i = Gᵀu_i, c = 1 - (1 + λ)^-½;
// c / λ = 1 / (ρ (1 + ρ)), ρ = (1 + λ)^½, is ½ where λ is 0.
absl::Status AddLowRank(const format::Graph& graph, const SplatTensors& splats, const Place& at, MappedDifferences& mapped) {
  const int64_t rank = graph.routed().rank(), dims = graph.head_dim();
  std::vector<double> g(rank * dims), gram(rank * rank);
  for (int64_t i = 0; i < rank * dims; ++i) {
    const double entry = EntryOf(splats.factor, at.head, at.splat * rank + i / dims, i % dims);
    g[i] = entry / std::sqrt(mapped.variance[i % dims]);
    if (!std::isfinite(entry) || std::abs(g[i]) > kMostEntry)
      return Refuse(graph.routed().factor(), at, "the entry ", entry, " in row ", i / dims, " beside the variance ",
                    mapped.variance[i % dims], ", wanted a finite number, at most 1e18 times its root");
  }
  for (int64_t r = 0; r < rank; ++r)
    for (int64_t t = 0; t < rank; ++t)
      for (int64_t d = 0; d < dims; ++d) gram[r * rank + t] += g[r * dims + d] * g[t * dims + d];
  const SymmetricEigen eigen = EigenOf(std::move(gram), rank);
  mapped.rows.resize(rank * dims);
  for (int64_t i = 0; i < rank; ++i) {
    const double rho = std::sqrt(1 + std::max(0.0, eigen.values[i])), scale = 1 / std::sqrt(rho * (1 + rho));
    for (int64_t r = 0; r < rank; ++r)
      for (int64_t d = 0; d < dims; ++d) mapped.rows[i * dims + d] += scale * eigen.vectors[i * rank + r] * g[r * dims + d];
  }
  return absl::OkStatus();
}

// Differences are measured in units of the diagonal, so B = L⁻¹ diag(L): B_ij = (δ_ij L_jj - Σ_{j ≤ k < i} L_ik B_kj) / L_ii, row by row.
absl::Status AddCholesky(const format::Graph& graph, const SplatTensors& splats, const Place& at, MappedDifferences& mapped) {
  const std::string& name = graph.routed().cholesky();
  const int64_t dims = graph.head_dim();
  const auto entry = [&](int64_t i, int64_t j) { return static_cast<double>(EntryOf(splats.factor, at.head, at.splat * dims + i, j)); };
  for (int64_t i = 0; i < dims; ++i)
    for (int64_t j = 0; j < dims; ++j) {
      const double x = entry(i, j);
      if (!std::isfinite(x) || (j > i && x != 0))
        return Refuse(name, at, x, " in row ", i, ", column ", j, ", wanted ", j > i ? "0 above the diagonal" : "a finite number");
      if (i == j && x <= 0) return Refuse(name, at, x, " on the diagonal, row ", i, ", wanted a number > 0: LLᵀ is not positive definite");
    }
  mapped.rows.resize(dims * dims);
  for (int64_t i = 0; i < dims; ++i) {
    mapped.variance.push_back(entry(i, i) * entry(i, i));
    for (int64_t j = 0; j <= i; ++j) {
      double sum = i == j ? entry(j, j) : 0;
      for (int64_t k = j; k < i; ++k) sum -= entry(i, k) * mapped.rows[k * dims + j];
      mapped.rows[i * dims + j] = sum / entry(i, i);
      if (!(std::abs(mapped.rows[i * dims + j]) <= kMostEntry))
        return Refuse(name, at, "a row ", i, " whose inverse reaches ", mapped.rows[i * dims + j],
                      ", wanted at most 1e18: LLᵀ is positive definite in name only");
    }
  }
  return absl::OkStatus();
}

}  // namespace

int64_t VarianceDim(const format::Graph& graph) {
  const format::Routed& routed = graph.routed();
  if (!routed.cholesky().empty()) return 0;
  if (routed.isotropic()) return 1;
  return routed.bands() > 0 ? routed.bands() : graph.head_dim();
}

int64_t VarianceEntry(const format::Graph& graph, int64_t d) {
  const int64_t entries = VarianceDim(graph), width = (graph.head_dim() + entries - 1) / entries;
  return d / width;
}

bool IsIsotropic(const format::Routed& routed) { return routed.isotropic() && routed.factor().empty(); }

std::string FactorName(const format::Routed& routed) { return routed.cholesky().empty() ? routed.factor() : routed.cholesky(); }

int64_t StoredRows(const format::Graph& graph) { return graph.routed().cholesky().empty() ? graph.routed().rank() : graph.head_dim(); }

int64_t FactorRows(const format::Graph& graph) {
  if (graph.routed().cholesky().empty()) return factorRows(graph.routed().rank());
  return (graph.head_dim() + kPanelKeys - 1) / kPanelKeys * kPanelKeys;
}

absl::StatusOr<MappedDifferences> MapDifferences(const format::Graph& graph, const SplatTensors& splats, int64_t head, int64_t splat,
                                                 const std::string& name) {
  const Place at{head, splat, name};
  MappedDifferences mapped;
  absl::Status added = graph.routed().cholesky().empty() ? AddVariances(graph, splats, at, mapped) : AddCholesky(graph, splats, at, mapped);
  if (added.ok() && !graph.routed().factor().empty()) added = AddLowRank(graph, splats, at, mapped);
  if (!added.ok()) return added;
  return mapped;
}

}  // namespace hsa

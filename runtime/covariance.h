// Covariances of splats that are parameters (docs/spec.md, "Covariances"), as what differences of tokens and centers are multiplied with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"
#include "runtime/run.h"

namespace hsa {

// Entries of a variance that the plan reads; 0 where it reads none.
int64_t VarianceDim(const format::Graph& graph);
// The variance of dimension d is this entry of it.
int64_t VarianceEntry(const format::Graph& graph, int64_t d);

// One variance for all dimensions and no factor: affinities may be products about a common center.
bool IsIsotropic(const format::Routed& routed);

// The tensor behind SplatTensors::factor, "" for none, and how many rows of it a splat has.
std::string FactorName(const format::Routed& routed);
int64_t StoredRows(const format::Graph& graph);
// Rows of B that the compiled code reads of each splat.
int64_t FactorRows(const format::Graph& graph);

// (x - μ)ᵀ Σ⁻¹ (x - μ) = |B y|², y_d = (x_d - μ_d) / variance_d^½. Without rows B is 1; with rows of low rank b_r it is 1 - Σ_r b_r b_rᵀ; else the rows
// are those of B, lower triangular with a diagonal of 1.
struct MappedDifferences {
  std::vector<double> variance;  // [D]
  std::vector<double> rows;      // [R, D]
};

// Of one splat, which messages call `name`; tensors have the shapes that the plan wants.
// INVALID_ARGUMENT  names the tensor, the splat and what is wrong with its part of it: a variance that is not finite and > 0, an entry that is not finite,
//                   one above the diagonal of cholesky that is not 0, one on it that is not > 0, a covariance too near to one without an inverse
absl::StatusOr<MappedDifferences> MapDifferences(const format::Graph& graph, const SplatTensors& splats, int64_t head, int64_t splat,
                                                 const std::string& name);

}  // namespace hsa

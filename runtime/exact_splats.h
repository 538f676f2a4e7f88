// The splats of one kv_head in float64, as docs/spec.md says them ("Routed", "Covariances", "Sparse"): what --verify compares with. Shares no code with the
// tables that the compiled code reads, nor with the searches of sparse tokens: every splat is looked at.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/format/plan.pb.h"
#include "runtime/run.h"

namespace hsa {

class ExactSplats {
 public:
  // Tensors have been checked: they have the shapes that the plan wants, and covariances are positive definite.
  ExactSplats(const format::Graph& graph, const SplatTensors& splats, int64_t head);

  int64_t count() const { return splats_; }

  // log φ_s(x) of every splat, −∞ where a token for which `length` tokens count (the spec's L) does not keep the splat.
  void LogKept(std::span<const double> x, double length, std::span<double> log_affinity) const;
  // log w(q) a φ_s(q) of every splat, from what LogKept has made of q.
  void Weigh(std::span<const double> q, std::span<double> log_affinity) const;
  // r'_t = Σ_s r_s F_st as logarithms: what a query receives of splats that have not passed on what they were sent. Σ_s r_s (F S)_s = Σ_t r'_t S_t.
  std::vector<double> BackAlongLinks(std::span<const double> log_received) const;

 private:
  struct Level {
    int64_t first, end;
    double log_weight;
  };
  struct Link {
    int64_t to, from;  // splats
    double log_weight;
  };

  void AddDiagonal(const SplatTensors& splats, int64_t head);
  void AddTriangles(const SplatTensors& splats, int64_t head);
  void AddLinks(const SplatTensors& splats, int64_t head);
  void Keep(const Level& level, double length, std::span<double> log_affinity) const;

  const format::Graph& graph_;
  const int64_t dims_;
  int64_t splats_ = 0;
  std::vector<Level> levels_;
  std::vector<double> center_, precision_;  // [D, S]; precision_ is empty where covariances have a factor
  std::vector<double> triangle_;            // [S, D, D]: L of Σ = L Lᵀ, where they have one
  std::vector<double> log_amplitude_;       // [S]
  std::vector<Link> links_;
  std::vector<double> gate_weight_, gate_bias_;  // [levels, D], [levels]; empty without a gate
};

}  // namespace hsa

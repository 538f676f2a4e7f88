// What the benchmark of sparse splats runs over: one head of tokens, and splats.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/plan.h"
#include "runtime/run.h"
#include "tools/hsa_bench_capture.h"

namespace hsa::bench {

class SparseTokens {
 public:
  // Tokens of a hierarchy of 8 · 8 · 8 · 8 groups whose spreads halve, and isotropic splats that are drawn as they are: what embeddings look like more than one
  // cloud does. Variances such that a token is at log φ of about -2 from a splat of its own group.
  static SparseTokens Groups(int64_t tokens, int64_t dim, int64_t splats);
  // Tokens and isotropic splats of one normal distribution, the hardest case for a tree: nothing is near anything.
  static SparseTokens Cloud(int64_t tokens, int64_t dim, int64_t splats);
  // The first tokens of the first head of a capture, and the diagonal splats of `plan` made from 65,536 of its keys, as hsa-run --make-splats does; with
  // perturbed repeats where it is shorter. A failure ends the process with its message.
  static SparseTokens Captured(const Capture& capture, const Plan& plan, int64_t tokens);

  // The first `tokens` of them; valid as long as this lives.
  Inputs First(int64_t tokens) const;

 private:
  SparseTokens() = default;
  SparseTokens(std::vector<float> q, std::vector<float> k, std::vector<float> v, std::vector<float> center, float variance, int64_t dim);

  std::vector<float> q_, k_, v_, center_, variance_;
  std::optional<TensorFile> splats_;
  Inputs inputs_;
};

}  // namespace hsa::bench

// Which splats tokens keep: for each level and token a list of numbers of splats and their log2 a φ, greatest first (ELL, or CSR by its counts).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/sparse_tables.h"
#include "runtime/worker.h"

namespace hsa {

class NearLists {
 public:
  NearLists(int64_t levels, int64_t top);

  // Empty lists of so many tokens.
  void Reset(int64_t tokens);

  // Looks at every splat of each level: `rows` are the tokens [tokens rounded up to 64, depth], NaN where a token is not finite, which then keeps none.
  void SearchAll(Worker& worker, const Program::Stage& nearest, const std::vector<SplatPanels>& levels, const float* rows);

  // How many of its list each token keeps: `least` [tokens] is log2 of the share of the greatest.
  void Count(Worker& worker, const Program::Stage& count, std::span<const float> least);
  // The token keeps none.
  void Drop(int64_t token);

  // near_score, near_splat and near_count, or those of queries.
  void BindKeys(Worker& worker) const;
  void BindQueries(Worker& worker) const;

  int64_t kept() const;  // of all tokens and levels
  static int64_t Bytes(int64_t levels, int64_t top, int64_t tokens);

 private:
  int64_t levels_, slots_, tokens_ = 0;
  std::vector<float> score_;    // [levels · tokens, slots]
  std::vector<int32_t> splat_;  // the same
  std::vector<int32_t> count_;  // [levels · tokens]
};

}  // namespace hsa

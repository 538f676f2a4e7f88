// Tokens of one kv_head on their way into a state: keys and values in panels of 16. A token that is not finite leaves an empty slot, which sends nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/geometry.h"
#include "runtime/rows.h"
#include "runtime/run.h"
#include "runtime/worker.h"

namespace hsa {

class TokenPanels {
 public:
  TokenPanels(const Program& program, const Geometry& geometry, const Inputs& inputs)
      : g_(geometry),
        inputs_(inputs),
        reader_(program, inputs.key.dtype),
        pack_(program.Find("pack_panels")),
        center_(program.Find("center_panels")) {}

  // Tokens [first, first + count), in whole batches of 64 slots, bound to panel_k, panel_v and token_bias; where splats are isotropic, relative to the
  // splat_center that the worker has bound, with token_norm.
  void Read(Worker& worker, int64_t kv_head, int64_t first, int64_t count);
  // The two steps of it: the rows, bound to k_rows and v_rows, then panels of some of them with a bias each.
  void ReadRows(Worker& worker, int64_t kv_head, int64_t first, int64_t count);
  void Pack(Worker& worker, std::span<const int32_t> rows, std::span<const float> bias);
  // Of the rows that were read last: how many, and whether the token is finite.
  int64_t count() const { return static_cast<int64_t>(k_.bad.size()); }
  bool Finite(int64_t row) const { return (k_.bad[row] | v_.bad[row]) == 0; }

  // Binds them again, to another worker too.
  void Bind(Worker& worker) const;

  // A key among those that were read last; null for one that sends nothing.
  const float* Key(int64_t i) const { return order_[i] < 0 ? nullptr : &k_.rows[i * g_.padded_head_dim]; }
  // How many of the first `count` tokens that were read last are not finite.
  int64_t Bad(int64_t count) const;

 private:
  void Reserve(int64_t tokens);
  void Fill(Worker& worker);

  const Geometry& g_;
  const Inputs& inputs_;
  RowReader reader_;
  Program::Stage pack_, center_;  // center_ is empty where splats are diagonal
  WideRows k_, v_;
  std::vector<int32_t> order_;
  std::vector<float, HugePages<float>> panel_k_, panel_v_;
  std::vector<float> bias_, norm_;
};

}  // namespace hsa

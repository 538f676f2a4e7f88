#include "runtime/token_panels.h"

#include <algorithm>

#include "kernels/affinity.h"
#include "kernels/tile_shape.h"

namespace hsa {

void TokenPanels::Read(Worker& worker, int64_t kv_head, int64_t first, int64_t count) {
  ReadRows(worker, kv_head, first, count);
  Reserve(count);
  for (int64_t i = 0; i < count; ++i)
    if (Finite(i)) order_[i] = static_cast<int32_t>(i), bias_[i] = 0;
  Fill(worker);
}

void TokenPanels::Pack(Worker& worker, std::span<const int32_t> rows, std::span<const float> bias) {
  Reserve(static_cast<int64_t>(rows.size()));
  std::ranges::copy(rows, order_.begin());
  std::ranges::copy(bias, bias_.begin());
  Fill(worker);
}

void TokenPanels::ReadRows(Worker& worker, int64_t kv_head, int64_t first, int64_t count) {
  const int64_t d = g_.padded_head_dim, dv = g_.padded_value_dim;
  k_.Resize(count, d);
  v_.Resize(count, dv);
  reader_.Read(worker, inputs_.key, kv_head, first, count, d, k_.rows.data(), k_.bad.data());
  reader_.Read(worker, inputs_.value, kv_head, first, count, dv, v_.rows.data(), v_.bad.data());
  worker.Bind("k_rows", k_.rows.data(), {count, d});
  worker.Bind("v_rows", v_.rows.data(), {count, dv});
}

// Empty slots for so many tokens, in whole batches.
void TokenPanels::Reserve(int64_t tokens) {
  const int64_t slots = (tokens + kBatchKeys - 1) / kBatchKeys * kBatchKeys;
  order_.assign(slots, -1);
  bias_.assign(slots, static_cast<float>(kSendsNothing));
  panel_k_.resize(slots * g_.padded_head_dim);
  panel_v_.resize(slots * g_.padded_value_dim);
  norm_.resize(slots);
}

void TokenPanels::Fill(Worker& worker) {
  worker.Bind("order", order_.data(), {static_cast<int64_t>(order_.size())});
  Bind(worker);
  worker.Call(pack_);
  if (center_.entry != nullptr) worker.Call(center_);
}

void TokenPanels::Bind(Worker& worker) const {
  const int64_t panels = static_cast<int64_t>(bias_.size()) / kPanelKeys;
  worker.Bind("panel_k", panel_k_.data(), {panels, g_.padded_head_dim, kPanelKeys});
  worker.Bind("panel_v", panel_v_.data(), {panels, kPanelKeys, g_.padded_value_dim});
  worker.Bind("token_bias", bias_.data(), {panels, kPanelKeys});
  worker.Bind("token_norm", norm_.data(), {panels, kPanelKeys});
}

int64_t TokenPanels::Bad(int64_t count) const {
  int64_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad += Finite(i) ? 0 : 1;
  return bad;
}

}  // namespace hsa

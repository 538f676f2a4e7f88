#include "runtime/rows.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/tile_shape.h"

namespace hsa {

namespace {

static_assert(kRowsAtOnce % kBatchKeys == 0);

int64_t SlotsFor(int64_t keys) { return (keys + kBatchKeys - 1) / kBatchKeys * kBatchKeys; }

}  // namespace

void RowReader::Read(Worker& worker, const TensorView& tensor, int64_t head, int64_t first, int64_t count, int64_t width, float* out,
                     int32_t* bad) const {
  if (count == 0) return;
  worker.BindStrided("raw_rows", tensor.Row(head, first), {count, tensor.dim()}, tensor.strides[1]);
  worker.Bind("widened", out, {count, width});
  worker.Bind("bad_rows", bad, {count});
  worker.Call(widen_);
}

void KeyPanels::Bind(Worker& worker, const Geometry& g) const {
  worker.Bind("panel_k", k.data(), {byte_k.empty() ? panels : kBatchPanels, g.padded_head_dim, kPanelKeys});  // of bytes: the first batch
  worker.Bind("panel_v", v.data(), {panels, kPanelKeys, g.padded_value_dim});
  worker.Bind("pair_k", pair_k.data(), {panels, g.paired_head_dim / 2, kPairPanelKeys});
  worker.Bind("pair_v", pair_v.data(), {panels / 2, g.padded_value_dim, kPairPanelKeys});
  worker.Bind("byte_k", byte_k.data(), {panels, g.padded_head_dim / 4, kPanelKeys});
  worker.Bind("byte_scale", byte_scale.data(), {panels, kPanelKeys});
  worker.Bind("byte_sum", byte_sum.data(), {panels, kPanelKeys});
  worker.Bind("center_panel", center.data(),
              {static_cast<int64_t>(center.size()) / (g.padded_head_dim * kPanelKeys), g.padded_head_dim, kPanelKeys});
  worker.Bind("panel_pos", pos.data(), {panels, kPanelKeys});
  worker.Bind("panel_bad", bad.data(), {panels});
}

void SpreadNaN(WideRows& rows, int64_t row, int64_t width) {
  if (rows.bad[row] != 0) std::fill_n(rows.rows.begin() + row * width, width, std::numeric_limits<float>::quiet_NaN());
}

int64_t KeyPanelBytes(const Geometry& g, int64_t keys) {
  const int64_t slots = SlotsFor(keys);
  return slots * (g.padded_head_dim + g.padded_value_dim + 1) * 4 + slots / kPanelKeys * 4;
}

void PanelPacker::Reserve(std::span<const int32_t> positions, KeyPanels& out) const {
  const int64_t slots = SlotsFor(static_cast<int64_t>(positions.size()));
  out.panels = slots / kPanelKeys;
  out.k.resize(slots * geometry_.padded_head_dim);
  out.v.resize(slots * geometry_.padded_value_dim);
  out.pos.assign(slots, kPadPosition);
  out.bad.assign(out.panels, 0);
  std::copy(positions.begin(), positions.end(), out.pos.begin());
}

void PanelPacker::Pack(Worker& worker, WideRows& k, WideRows& v, int64_t count, int64_t begin, KeyPanels& out) const {
  const int64_t slots = SlotsFor(count), panels = slots / kPanelKeys;
  if (slots == 0) return;
  thread_local std::vector<int32_t> order;
  order.assign(slots, -1);
  for (int64_t i = 0; i < count; ++i) {
    order[i] = static_cast<int32_t>(i);
    out.bad[(begin + i) / kPanelKeys] |= v.bad[i];
    SpreadNaN(k, i, geometry_.padded_head_dim);
  }
  worker.Bind("k_rows", k.rows.data(), {count, geometry_.padded_head_dim});
  worker.Bind("v_rows", v.rows.data(), {count, geometry_.padded_value_dim});
  worker.Bind("order", order.data(), {slots});
  worker.Bind("panel_k", &out.k[begin * geometry_.padded_head_dim], {panels, geometry_.padded_head_dim, kPanelKeys});
  worker.Bind("panel_v", &out.v[begin * geometry_.padded_value_dim], {panels, kPanelKeys, geometry_.padded_value_dim});
  worker.Call(pack_);
}

void PanelPacker::PackRange(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, int64_t first, int64_t count,
                            KeyPanels& out, std::vector<int32_t>* bad_keys) const {
  std::vector<int32_t> positions(count);
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(first));
  Reserve(positions, out);
  thread_local WideRows k, v;
  k.Resize(kRowsAtOnce, geometry_.padded_head_dim);
  v.Resize(kRowsAtOnce, geometry_.padded_value_dim);
  for (int64_t begin = 0; begin < count; begin += kRowsAtOnce) {
    const int64_t rows = std::min(count - begin, kRowsAtOnce);
    reader_.Read(worker, key, kv_head, first + begin, rows, geometry_.padded_head_dim, k.rows.data(), k.bad.data());
    reader_.Read(worker, value, kv_head, first + begin, rows, geometry_.padded_value_dim, v.rows.data(), v.bad.data());
    for (int64_t i = 0; bad_keys != nullptr && i < rows; ++i)
      if ((k.bad[i] | v.bad[i]) != 0) bad_keys->push_back(positions[begin + i]);
    Pack(worker, k, v, rows, begin, out);
  }
}

void PanelPacker::PackList(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head,
                           std::span<const int32_t> positions, KeyPanels& out) const {
  const auto count = static_cast<int64_t>(positions.size());
  Reserve(positions, out);
  WideRows k, v;
  k.Resize(count, geometry_.padded_head_dim);
  v.Resize(count, geometry_.padded_value_dim);
  for (int64_t i = 0; i < count; ++i) {
    reader_.Read(worker, key, kv_head, positions[i], 1, geometry_.padded_head_dim, &k.rows[i * geometry_.padded_head_dim], &k.bad[i]);
    reader_.Read(worker, value, kv_head, positions[i], 1, geometry_.padded_value_dim, &v.rows[i * geometry_.padded_value_dim], &v.bad[i]);
  }
  Pack(worker, k, v, count, 0, out);
}

void WillNeed(const TensorView& tensor, int64_t head, int64_t first, int64_t count) {
  if (count <= 0) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(tensor.Row(head, first)) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(tensor.Row(head, first + count - 1)) + tensor.dim() * DTypeBytes(tensor.dtype);
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

}  // namespace hsa

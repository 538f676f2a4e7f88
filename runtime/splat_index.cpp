#include "runtime/splat_index.h"

#include <algorithm>

namespace hsa {

namespace {

constexpr int64_t kAlignment = 64;
int64_t Aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

int64_t SplatIndex::Bytes(const Geometry& g, DType dtype, int64_t slots) {
  const int64_t keys = slots * g.segment, element = DTypeBytes(dtype);
  return Aligned(keys * g.padded_head_dim * element) + Aligned(keys * g.padded_value_dim * element) +
         Aligned(keys * int64_t{sizeof(int32_t)});
}

SplatIndex::SplatIndex(const Geometry& geometry, DType dtype, int64_t slots, std::byte* memory)
    : geometry_(geometry), slots_(slots), leaves_per_slot_(geometry.segment / geometry.leaf), element_bytes_(DTypeBytes(dtype)) {
  const int64_t keys = slots * geometry.segment;
  leaf_k_ = memory;
  leaf_v_ = leaf_k_ + Aligned(keys * geometry.padded_head_dim * element_bytes_);
  leaf_pos_ = reinterpret_cast<int32_t*>(leaf_v_ + Aligned(keys * geometry.padded_value_dim * element_bytes_));
}

void SplatIndex::BindLeaves(Worker& worker, int64_t first, int64_t count) const {
  const int64_t leaf = geometry_.leaf, d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim;
  worker.Bind("leaf_k", leaf_k_ + first * leaf * d * element_bytes_, {count, d, leaf});
  worker.Bind("leaf_v", leaf_v_ + first * leaf * dv * element_bytes_, {count, leaf, dv});
  worker.Bind("leaf_pos", leaf_pos_ + first * leaf, {count, leaf});
}

void SplatIndex::CopySlot(const SplatIndex& from, int64_t from_slot, int64_t slot) {
  const int64_t keys = geometry_.segment, k_bytes = keys * geometry_.padded_head_dim * element_bytes_,
                v_bytes = keys * geometry_.padded_value_dim * element_bytes_;
  std::copy_n(from.leaf_k_ + from_slot * k_bytes, k_bytes, leaf_k_ + slot * k_bytes);
  std::copy_n(from.leaf_v_ + from_slot * v_bytes, v_bytes, leaf_v_ + slot * v_bytes);
  std::copy_n(from.leaf_pos_ + from_slot * keys, keys, leaf_pos_ + slot * keys);
}

}  // namespace hsa

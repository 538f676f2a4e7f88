#include "runtime/splat_index.h"

namespace hsa {

namespace {

constexpr int64_t kAlignment = 4096;  // a page: arrays can be mapped from a file
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

std::array<std::span<std::byte>, 3> SplatIndex::Arrays(int64_t slot, int64_t places) const {
  const int64_t first = slot * geometry_.segment, k_bytes = geometry_.padded_head_dim * element_bytes_,
                v_bytes = geometry_.padded_value_dim * element_bytes_;
  const auto part = [&](std::byte* array, int64_t bytes) { return std::span(array + first * bytes, static_cast<size_t>(places * bytes)); };
  return {part(leaf_k_, k_bytes), part(leaf_v_, v_bytes), part(reinterpret_cast<std::byte*>(leaf_pos_), sizeof(int32_t))};
}

}  // namespace hsa

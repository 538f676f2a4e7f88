#include "runtime/splat_index.h"

#include <algorithm>

#include "kernels/tile_shape.h"

namespace hsa {

namespace {

constexpr int64_t kAlignment = 64;

// Hands out aligned pieces of a block; with a null block it only adds up.
class Cursor {
 public:
  explicit Cursor(std::byte* memory) : memory_(memory) {}
  std::byte* Take(int64_t bytes) {
    std::byte* piece = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return piece;
  }
  float* Floats(int64_t count) { return reinterpret_cast<float*>(Take(count * 4)); }
  int64_t used() const { return used_; }

 private:
  std::byte* memory_;
  int64_t used_ = 0;
};

struct Layout {
  std::vector<LevelArrays> levels;
  std::byte *leaf_k, *leaf_v;
  int32_t* leaf_pos;
  int64_t bytes;
};

Layout Arrange(const format::Graph& graph, const Geometry& g, DType dtype, int64_t slots, std::byte* memory) {
  Layout layout;
  Cursor cursor(memory);
  const int64_t leaves = slots * g.segment / g.leaf, element = DTypeBytes(dtype);
  layout.leaf_k = cursor.Take(leaves * g.leaf * g.padded_head_dim * element);
  layout.leaf_v = cursor.Take(leaves * g.leaf * g.padded_value_dim * element);
  layout.leaf_pos = reinterpret_cast<int32_t*>(cursor.Take(leaves * g.leaf * 4));
  int64_t finer = 0;
  for (uint32_t tokens : graph.splats().level_tokens()) {
    LevelArrays level;
    level.tokens = tokens;
    level.nodes = g.segment / tokens;
    level.groups = (slots * level.nodes + kGroupNodes - 1) / kGroupNodes;
    level.child_groups = finer == 0 ? 1 : tokens / finer / kGroupNodes;
    const int64_t groups = level.groups;
    level.mean = cursor.Floats(groups * g.padded_head_dim * kGroupNodes);
    level.value = cursor.Floats(groups * kGroupNodes * g.padded_value_dim);
    level.var = cursor.Floats(groups * g.bands * kGroupNodes);
    level.scalar = cursor.Floats(groups * 4 * kGroupNodes);
    layout.levels.push_back(level);
    finer = tokens;
  }
  layout.bytes = cursor.used();
  return layout;
}

std::vector<float> IdentityPanels(const Geometry& g) {
  const int64_t panels = g.basis_panels();
  std::vector<float> basis(panels * g.padded_head_dim * 16, 0.0f);
  for (int64_t c = 0; c < g.head_dim; ++c) basis[(c / 16 * g.padded_head_dim + c) * 16 + c % 16] = 1.0f;
  return basis;
}

}  // namespace

int64_t SplatIndex::Bytes(const format::Graph& graph, const Geometry& geometry, DType dtype, int64_t slots) {
  return Arrange(graph, geometry, dtype, slots, nullptr).bytes;
}

SplatIndex::SplatIndex(const format::Graph& graph, const Geometry& geometry, DType dtype, int64_t slots, std::byte* memory)
    : identity_basis(IdentityPanels(geometry)),
      geometry_(geometry),
      slots_(slots),
      leaves_per_slot_(geometry.segment / geometry.leaf),
      leaf_bytes_(geometry.padded_head_dim * DTypeBytes(dtype)),
      memory_(memory) {
  Layout layout = Arrange(graph, geometry, dtype, slots, memory);
  bytes_ = layout.bytes;
  levels_ = std::move(layout.levels);
  leaf_k_ = layout.leaf_k;
  leaf_v_ = layout.leaf_v;
  leaf_pos_ = layout.leaf_pos;
}

void SplatIndex::BindNodes(Worker& worker, size_t level, int64_t first, int64_t count) const {
  const LevelArrays& l = levels_[level];
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, bands = geometry_.bands;
  worker.Bind("node_mean", l.mean + first * d * kGroupNodes, {count, d, kGroupNodes});
  worker.Bind("node_value", l.value + first * kGroupNodes * dv, {count, kGroupNodes, dv});
  worker.Bind("node_var", l.var + first * bands * kGroupNodes, {count, bands, kGroupNodes});
  worker.Bind("node_scalar", l.scalar + first * 4 * kGroupNodes, {count, 4, kGroupNodes});
}

void SplatIndex::BindChildren(Worker& worker, size_t level, int64_t first, int64_t count) const {
  const LevelArrays& l = levels_[level];
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, bands = geometry_.bands;
  worker.Bind("child_mean", l.mean + first * d * kGroupNodes, {count, d, kGroupNodes});
  worker.Bind("child_value", l.value + first * kGroupNodes * dv, {count, kGroupNodes, dv});
  worker.Bind("child_var", l.var + first * bands * kGroupNodes, {count, bands, kGroupNodes});
  worker.Bind("child_scalar", l.scalar + first * 4 * kGroupNodes, {count, 4, kGroupNodes});
}

void SplatIndex::BindLeaves(Worker& worker) const {
  const int64_t leaves = slots_ * leaves_per_slot_;
  worker.Bind("leaf_k", leaf_k_, {leaves, geometry_.padded_head_dim, geometry_.leaf});
  worker.Bind("leaf_v", leaf_v_, {leaves, geometry_.leaf, geometry_.padded_value_dim});
  worker.Bind("leaf_pos", leaf_pos_, {leaves, geometry_.leaf});
}

void SplatIndex::CopySlot(const SplatIndex& from, int64_t from_slot, int64_t slot) {
  const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim, bands = geometry_.bands;
  const int64_t keys = leaves_per_slot_ * geometry_.leaf, element = leaf_bytes_ / geometry_.padded_head_dim;
  std::copy_n(from.leaf_k_ + from_slot * keys * d * element, keys * d * element, leaf_k_ + slot * keys * d * element);
  std::copy_n(from.leaf_v_ + from_slot * keys * dv * element, keys * dv * element, leaf_v_ + slot * keys * dv * element);
  std::copy_n(from.leaf_pos_ + from_slot * keys, keys, leaf_pos_ + slot * keys);
  for (size_t i = 0; i < levels_.size(); ++i) {
    const LevelArrays &to = levels_[i], &source = from.levels_[i];
    for (int64_t n = 0; n < to.nodes; ++n) {  // one by one: slots of the coarsest level share groups
      const int64_t a = from_slot * to.nodes + n, b = slot * to.nodes + n;
      const int64_t ga = a / kGroupNodes, pa = a % kGroupNodes, gb = b / kGroupNodes, pb = b % kGroupNodes;
      for (int64_t k = 0; k < d; ++k) to.mean[(gb * d + k) * kGroupNodes + pb] = source.mean[(ga * d + k) * kGroupNodes + pa];
      for (int64_t k = 0; k < bands; ++k) to.var[(gb * bands + k) * kGroupNodes + pb] = source.var[(ga * bands + k) * kGroupNodes + pa];
      for (int64_t k = 0; k < 4; ++k) to.scalar[(gb * 4 + k) * kGroupNodes + pb] = source.scalar[(ga * 4 + k) * kGroupNodes + pa];
      std::copy_n(source.value + a * dv, dv, to.value + b * dv);
    }
  }
}

void SplatIndex::CopySlots(const SplatIndex& from, int64_t segments) {
  for (int64_t slot = 0; slot < segments; ++slot) CopySlot(from, slot, slot);
}

const float* SplatIndex::basis(int64_t near_start) const {
  return near_start >= geometry_.segment && !learned_basis.empty() ? learned_basis.data() : identity_basis.data();
}

}  // namespace hsa

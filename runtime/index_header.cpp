#include "runtime/index_header.h"

#include <xxhash.h>

namespace hsa {

namespace {

constexpr int64_t kSampledKeys = 64;

// Adds up bytes that lie here and there.
class Hash {
 public:
  Hash() { XXH3_64bits_reset(state_); }
  ~Hash() { XXH3_freeState(state_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  void Add(const void* bytes, size_t count) { XXH3_64bits_update(state_, bytes, count); }
  void AddRow(const TensorView& tensor, int64_t head, int64_t token) {
    Add(tensor.Row(head, token), tensor.dim() * DTypeBytes(tensor.dtype));
  }
  uint64_t digest() const { return XXH3_64bits_digest(state_); }

 private:
  XXH3_state_t* state_ = XXH3_createState();
};

}  // namespace

uint64_t GraphHash(const Job& job) {
  const Geometry& g = job.geometry;
  const int64_t parts[] = {g.kv_heads, g.heads,   g.head_dim, g.value_dim, g.near_sinks, g.leaf,
                           g.mini,     g.segment, g.bands,    g.order,     g.causal};
  const double scale = job.plan.graph().scale();
  Hash hash;
  hash.Add(parts, sizeof parts);
  hash.Add(&scale, sizeof scale);
  return hash.digest();
}

uint64_t KeyHash(const Job& job, int64_t tokens) {
  Hash hash;
  for (const TensorView* tensor : {&job.inputs.key, &job.inputs.value})
    for (int64_t head = 0; head < tensor->heads(); ++head)
      for (int64_t token = 0; token < tokens; ++token) hash.AddRow(*tensor, head, token);
  return hash.digest();
}

uint64_t KeySampleHash(const Job& job, int64_t tokens) {
  Hash hash;
  hash.Add(&tokens, sizeof tokens);
  for (const TensorView* tensor : {&job.inputs.key, &job.inputs.value})
    for (int64_t head = 0; tokens > 0 && head < tensor->heads(); ++head) {
      for (int64_t i = 0; i < kSampledKeys; ++i) hash.AddRow(*tensor, head, (2 * i + 1) * tokens / (2 * kSampledKeys));
      hash.AddRow(*tensor, head, tokens - 1);  // of a model, what differs anywhere before shows here
    }
  return hash.digest();
}

int64_t KeySampleBytes(const Job& job) {
  const Geometry& g = job.geometry;
  return (kSampledKeys + 1) * g.kv_heads * (g.head_dim + g.value_dim) * DTypeBytes(job.inputs.key.dtype);
}

int64_t KeyTokens(const Geometry& g, const IndexHeader& header) { return header.segments * g.segment + header.minis * g.mini; }

std::vector<IndexArray> IndexArrays(const Job& job, const IndexStore& store, const Overlay* overlay, int64_t segments, int64_t minis) {
  const Geometry& g = job.geometry;
  const int64_t mini_slot = store.mini_slot(segments), segment_places = segments * g.segment, mini_places = minis * g.mini;
  std::vector<IndexArray> arrays;
  const auto add = [&](const auto& parts, bool of_minis) {
    for (const std::span<std::byte> part : parts) arrays.push_back({part, of_minis});
  };
  for (int64_t kv_head = 0; kv_head < g.kv_heads; ++kv_head) {
    add(store.index(kv_head).Arrays(0, segment_places), false);
    add(store.index(kv_head).Arrays(mini_slot, mini_places), true);
  }
  for (int64_t head = 0; overlay != nullptr && head < g.heads; ++head) {
    add(overlay->nodes(head).Arrays(0, segment_places), false);
    add(overlay->nodes(head).Arrays(mini_slot, mini_places), true);
  }
  return arrays;
}

}  // namespace hsa

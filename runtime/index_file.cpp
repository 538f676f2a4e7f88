// A splat index in a file: a fixed header, the non-finite keys of each kv_head, then the leaves as they lie in memory.
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/index_store.h"
#include "runtime/write_file.h"

namespace hsa {

namespace {

constexpr char kMagic[8] = {'H', 'S', 'A', 'I', 'D', 'X', '2', '\n'};

struct FileHeader {
  char magic[8];
  uint64_t checksum;  // XXH3-64 of everything behind this field
  uint64_t graph;     // XXH3-64 of what the arrays depend on
  uint64_t keys;      // XXH3-64 of the keys and values of the whole segments
  int64_t segments, mini_segment, minis, key_tokens, dtype, bad_keys, index_bytes;
};

uint64_t GraphHash(const Job& job) {
  const Geometry& g = job.geometry;
  const int64_t parts[] = {g.kv_heads, g.heads,   g.head_dim, g.value_dim, g.near_sinks, g.leaf,
                           g.mini,     g.segment, g.bands,    g.order,     g.causal};
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, parts, sizeof parts);
  const double scale = job.plan.graph().scale();
  XXH3_64bits_update(state, &scale, sizeof scale);
  const uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hash;
}

// Whoever can write a file can write its checksum.
bool IsPlausible(const FileHeader& header, const Geometry& g) {
  return header.segments >= 0 && header.minis >= 0 && header.minis <= g.minis_per_segment() && header.key_tokens >= 0;
}

// Of the keys [0, tokens) of all kv_heads and their values.
uint64_t KeyHash(const Job& job, int64_t tokens) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  for (const TensorView* tensor : {&job.inputs.key, &job.inputs.value})
    for (int64_t head = 0; head < tensor->heads(); ++head)
      for (int64_t token = 0; token < tokens; ++token)
        XXH3_64bits_update(state, tensor->Row(head, token), tensor->dim() * DTypeBytes(tensor->dtype));
  const uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hash;
}

}  // namespace

absl::Status IndexStore::Save(const std::string& path) const {
  FileHeader header{};
  std::copy(std::begin(kMagic), std::end(kMagic), header.magic);
  header.graph = GraphHash(job_);
  header.segments = std::min(built_, segments_);
  const Minis& minis = minis_[newest_];
  header.mini_segment = minis.segment;
  header.minis = minis.count;
  header.key_tokens = header.segments * job_.geometry.segment;
  if (minis.segment == header.segments) header.key_tokens += minis.count * job_.geometry.mini;
  header.keys = KeyHash(job_, header.key_tokens);
  header.dtype = static_cast<int64_t>(job_.inputs.key.dtype);
  std::string body;
  for (const auto& keys : bad_keys_) {
    const auto count = static_cast<int64_t>(keys.size());
    header.bad_keys += count;
    body.append(reinterpret_cast<const char*>(&count), sizeof count);
    body.append(reinterpret_cast<const char*>(keys.data()), count * sizeof(int32_t));
  }
  // One slot behind the segments, whatever room this run had.
  header.index_bytes = SplatIndex::Bytes(job_.geometry, job_.inputs.key.dtype, header.segments + 1);
  std::vector<std::byte> bytes(header.index_bytes);
  for (const auto& index : indexes_) {
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    SplatIndex stored(job_.geometry, job_.inputs.key.dtype, header.segments + 1, bytes.data());
    for (int64_t slot = 0; slot < header.segments; ++slot) stored.CopySlot(*index, slot, slot);
    if (minis.segment == header.segments) stored.CopySlot(*index, mini_slot(minis.segment), header.segments);
    body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string file(reinterpret_cast<const char*>(&header), sizeof header);
  file += body;
  constexpr size_t kChecked = offsetof(FileHeader, graph);
  const uint64_t checksum = XXH3_64bits(file.data() + kChecked, file.size() - kChecked);
  std::memcpy(file.data() + offsetof(FileHeader, checksum), &checksum, sizeof checksum);
  return WriteFile(path, file);
}

absl::Status IndexStore::Load(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat(path, ": no such index; write one with --save-index"));
  const std::string file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const auto damaged = [&](std::string_view what) {
    return absl::DataLossError(absl::StrCat(path, ": ", std::string(what), "; write it again with --save-index"));
  };
  FileHeader header{};
  if (file.size() < sizeof header) return damaged(absl::StrCat("is ", file.size(), " bytes, an index has at least ", sizeof header));
  std::memcpy(&header, file.data(), sizeof header);
  if (!std::equal(std::begin(kMagic), std::end(kMagic), header.magic)) return damaged("is no splat index of this version");
  constexpr size_t kChecked = offsetof(FileHeader, graph);
  if (XXH3_64bits(file.data() + kChecked, file.size() - kChecked) != header.checksum)
    return damaged("checksum does not fit its bytes: truncated or damaged");
  if (header.graph != GraphHash(job_) || header.dtype != static_cast<int64_t>(job_.inputs.key.dtype))
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": belongs to another graph or element type; build the index again without --index"));
  if (!IsPlausible(header, job_.geometry)) return damaged("numbers of its header are out of range");
  if (header.key_tokens > job_.geometry.keys || header.segments > segments_)
    return absl::FailedPreconditionError(absl::StrCat(path, ": covers ", header.key_tokens, " keys, the input has ", job_.geometry.keys,
                                                      "; build the index again without --index"));
  if (header.keys != KeyHash(job_, header.key_tokens))
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": was built from other keys than the input's; build the index again without --index"));
  const int64_t kv_heads = job_.geometry.kv_heads, file_slots = header.segments + 1;
  const char* at = file.data() + sizeof header;
  // The next `count` elements of the file; false when it has no more of them.
  const auto take = [&]<typename T>(std::vector<T>& out, int64_t count) {
    const int64_t left = file.data() + file.size() - at;
    if (count < 0 || count > left / static_cast<int64_t>(sizeof(T))) return false;
    out.resize(count);
    std::copy_n(at, count * sizeof(T), reinterpret_cast<char*>(out.data()));
    at += count * sizeof(T);
    return true;
  };
  for (auto& keys : bad_keys_) {
    std::vector<int64_t> count;
    if (!take(count, 1) || !take(keys, count[0])) return damaged("ends inside its non-finite keys");
    if (std::any_of(keys.begin(), keys.end(), [&](int32_t key) { return key < 0 || key >= header.key_tokens; }))
      return damaged("has a non-finite key that it does not cover");
  }
  // The file has fewer slots than this run: leaves are copied slot by slot.
  const int64_t wanted = SplatIndex::Bytes(job_.geometry, job_.inputs.key.dtype, file_slots);
  if (wanted != header.index_bytes || at + wanted * kv_heads != file.data() + file.size())
    return damaged("arrays have another size than its header says");
  for (int64_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
    std::vector<std::byte> copy(wanted);
    std::memcpy(copy.data(), at + kv_head * wanted, wanted);
    const SplatIndex stored(job_.geometry, job_.inputs.key.dtype, file_slots, copy.data());
    for (int64_t slot = 0; slot < header.segments; ++slot) indexes_[kv_head]->CopySlot(stored, slot, slot);
    if (header.mini_segment == segments_) indexes_[kv_head]->CopySlot(stored, file_slots - 1, segments_);
  }
  built_ = header.segments;
  if (header.mini_segment == segments_) minis_[0] = {header.mini_segment, header.minis};
  return absl::OkStatus();
}

}  // namespace hsa

// What an index file depends on, and where its arrays stand: shared by those who write it and those who read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/index_file.h"

namespace hsa {

inline constexpr char kIndexMagic[8] = {'H', 'S', 'A', 'I', 'D', 'X', '3', '\n'};

// XXH3-64 of heads, dims, scale, sizes, order and causality.
uint64_t GraphHash(const Job& job);

// XXH3-64 of the keys [0, tokens) of all kv_heads and their values.
uint64_t KeyHash(const Job& job, int64_t tokens);
// The same of 64 of them, evenly spread, and of the last one.
uint64_t KeySampleHash(const Job& job, int64_t tokens);
int64_t KeySampleBytes(const Job& job);  // of those keys and values

int64_t KeyTokens(const Geometry& geometry, const IndexHeader& header);  // keys that the index covers

// A piece of memory that the file has, from the next multiple of MappedFile::kPage on.
struct IndexArray {
  std::span<std::byte> memory;
  bool of_minis;  // of the mini-segments, else of the whole segments
};

// The leaves of every kv_head, then the nodes of every query head unless `overlay` is null, in the order of the file.
std::vector<IndexArray> IndexArrays(const Job& job, const IndexStore& store, const Overlay* overlay, int64_t segments, int64_t minis);

inline int64_t ToPage(int64_t bytes) { return (bytes + MappedFile::kPage - 1) / MappedFile::kPage * MappedFile::kPage; }

}  // namespace hsa

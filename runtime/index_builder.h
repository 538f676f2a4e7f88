// Builds the units of a splat index: orders the keys of a segment or mini-segment and packs its leaves.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/huge_pages.h"
#include "runtime/key_order.h"
#include "runtime/query_grams.h"
#include "runtime/rows.h"
#include "runtime/splat_index.h"

namespace hsa {

// One thread's builder: its scratch is some 20 MB for a segment of 8,192 keys, d = 64.
class IndexBuilder {
 public:
  IndexBuilder(const Program& program, const Geometry& geometry, const TensorView& key, const TensorView& value);

  // Orders the keys of `unit` and stores them. Positions of non-finite keys are appended to `bad_keys`.
  void Build(Worker& worker, QueryGrams& grams, SplatIndex& index, const Unit& unit, std::vector<int32_t>& bad_keys);

 private:
  void ReadKeys(Worker& worker, const Unit& unit, std::vector<int32_t>& bad_keys);
  void OrderKeys(Worker& worker, QueryGrams& grams, const Unit& unit);
  void PackLeaves(Worker& worker, SplatIndex& index, const Unit& unit);

  Geometry geometry_;
  TensorView key_, value_;
  Program::Stage metric_rows_, pack_leaves_;
  RowReader key_reader_;
  const Program& program_;
  WideRows k_, v_;
  std::vector<int32_t> live_, slots_;
  std::vector<float, HugePages<float>> x_;
};

}  // namespace hsa

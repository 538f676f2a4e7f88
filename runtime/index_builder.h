// Builds the units of a splat index: orders the keys of a segment or mini-segment, packs its leaves, summarises its nodes, fits β and τ.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/key_order.h"
#include "runtime/query_grams.h"
#include "runtime/rows.h"
#include "runtime/splat_index.h"

namespace hsa {

// A unit of keys and where it goes in the index.
struct Unit {
  int64_t kv_head = 0;
  int64_t begin = 0, tokens = 0;  // keys [begin, begin + tokens)
  int64_t slot = 0;               // segment slot of the index
  int64_t mini = 0;               // which mini-segment of the slot, when tokens is a mini-segment's
};

// One thread's builder: its scratch is some 20 MB for a segment of 8,192 keys, d = 64.
class IndexBuilder {
 public:
  IndexBuilder(const Program& program, const Geometry& geometry, const TensorView& query, const TensorView& key, const TensorView& value);

  // Builds `unit` with U = `basis`. Positions of non-finite keys are appended to `bad_keys`.
  void Build(Worker& worker, QueryGrams& grams, SplatIndex& index, const Unit& unit, const float* basis, std::vector<int32_t>& bad_keys);

  // U of a segment that Build has just built, in panels: eigenvectors of its mean within-leaf covariance, by descending eigenvalue.
  std::vector<float> LearnBasis(Worker& worker, const SplatIndex& index, const Unit& unit);

  // Nodes of the unit again, under another U.
  void Summarise(Worker& worker, SplatIndex& index, const Unit& unit, const float* basis);

 private:
  void ReadKeys(Worker& worker, const Unit& unit, std::vector<int32_t>& bad_keys);
  void OrderKeys(Worker& worker, QueryGrams& grams, const Unit& unit);
  void PackLeaves(Worker& worker, SplatIndex& index, const Unit& unit);
  int64_t LoadSamples(Worker& worker, const Unit& unit, const float* basis);
  void FitLevel(Worker& worker, const std::vector<float>& mass, int64_t groups, float samples);
  void SummariseRoot(Worker& worker, SplatIndex& index, const Unit& unit, size_t level, std::vector<float>& mass, const float* basis, int64_t samples);

  struct Stages {
    Program::Stage metric_rows, pack_leaves, pack_panels, leaf_moments, leaf_gram, merge_moments, load_query, query_bands, leaf_mass, merge_mass, fit_gain;
  };

  Geometry geometry_;
  TensorView query_, key_, value_;
  Stages stages_;
  RowReader key_reader_, query_reader_;
  const Program& program_;
  WideRows k_, v_;
  std::vector<int32_t> live_, slots_;
  std::vector<float> x_, panel_k_, panel_v_;
};

}  // namespace hsa

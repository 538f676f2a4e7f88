// Which splats tokens keep: for each level and token a list of numbers of splats and their log2 a φ, greatest first (ELL, or CSR by its counts).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/format/plan.pb.h"
#include "runtime/huge_pages.h"
#include "runtime/level_tree.h"
#include "runtime/worker.h"

namespace hsa {

// The stages that a search calls.
struct SearchStages {
  explicit SearchStages(const Program& program)
      : center(program.Find("center_tokens")), nearest(program.Find("nearest_splats")), count(program.Find("count_near")) {}

  // The tokens of `rows` [64, depth], a tile, are what `nearest` looks at, relative to the center of `splats` where they are isotropic.
  void BindTokens(Worker& worker, const SplatPanels& splats, const float* rows, int64_t tokens) const;

  Program::Stage center, nearest, count;
};

// log2 of the share of the greatest of its list from which on a token keeps a splat, where so many tokens count: τ of docs/spec.md, "Sparse"; of everything
// without a threshold.
float LogThreshold(const format::Sparse& sparse, double tokens);

// What a search has found, as NearLists keeps it before it is counted.
struct FoundLists {
  std::vector<float> score;
  std::vector<int32_t> splat;
  int64_t bytes() const { return static_cast<int64_t>(score.size() * sizeof(float) + splat.size() * sizeof(int32_t)); }
};

class NearLists {
 public:
  NearLists(int64_t levels, int64_t top);

  // Finds the splats of each level that are nearest to each token. `rows` are the tokens [tokens + 64, depth], NaN where one is not finite, which then keeps none.
  // Returns how many splats and nodes were looked at, all tokens together.
  int64_t Search(Worker& worker, const SearchStages& stages, const std::vector<LevelTree>& levels, int64_t tokens, const float* rows);

  // What Search has found, and the same of as many other tokens.
  FoundLists Found() const { return {score_, splat_}; }
  void Reuse(const FoundLists& found, int64_t tokens);

  // How many of its list each token keeps: `least` [tokens] is log2 of the share of the greatest.
  void Count(Worker& worker, const SearchStages& stages, std::span<const float> least);
  // The token keeps none.
  void Drop(int64_t token);

  // near_score, near_splat and near_count, or those of queries.
  void BindKeys(Worker& worker) const;
  void BindQueries(Worker& worker) const;
  // Those of one level as those of keys, those of another as those of queries.
  void BindLevels(Worker& worker, int64_t as_keys, int64_t as_queries) const;

  int64_t kept() const;  // of all tokens and levels
  // What a token keeps of a level, greatest first.
  std::span<const int32_t> splats(int64_t level, int64_t token) const;
  std::span<const float> scores(int64_t level, int64_t token) const;

  static int64_t Bytes(int64_t levels, int64_t top, int64_t tokens);

 private:
  // Of `levels` levels from `level` on.
  void BindKeysOf(Worker& worker, int64_t level, int64_t levels) const;
  void BindQueriesOf(Worker& worker, int64_t level, int64_t levels) const;

  int64_t LookAtAll(Worker& worker, const SearchStages& stages, const LevelTree& tree, int64_t level, const float* rows);
  int64_t Descend(Worker& worker, const SearchStages& stages, const LevelTree& tree, int64_t level, const float* rows);
  void FindNodes(Worker& worker, const SearchStages& stages, const SplatPanels& nodes, const float* rows);
  void AskGraph(const LevelTree& tree, const float* rows);
  void SortByNode(int64_t nodes);
  void LookInto(Worker& worker, const SearchStages& stages, const LevelTree& tree, int64_t node, std::span<const int32_t> tokens,
                int64_t level, const float* rows);

  int64_t levels_, top_, slots_, tokens_ = 0;
  std::vector<float> score_;    // [levels · tokens + 64, slots]
  std::vector<int32_t> splat_;  // the same
  std::vector<int32_t> count_;  // [levels · tokens]

  // Of one level: for each 64 nodes those that each token looks into, then tokens of each node (CSC), then those of one node side by side.
  std::vector<float> node_score_;                       // [nodes / 64 · tokens + 64, slots]
  std::vector<int32_t> node_;                           // the same
  std::vector<int32_t> node_begin_, node_tokens_;       // [nodes + 1], [nodes / 64 · tokens · top] at most
  std::vector<float, HugePages<float>> gathered_rows_;  // [64, depth]
  std::vector<float> gathered_score_;                   // [64, slots]
  std::vector<int32_t> gathered_splat_;
};

}  // namespace hsa

// The links of one kv_head by the splat that they lead from: what a token that keeps few splats passes on along them.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/flow_tables.h"
#include "runtime/huge_pages.h"
#include "runtime/worker.h"

namespace hsa {

// log2 F in columns, F = 1 + links: of splat t the blocks begin[t] to begin[t + 1], each the entries F_st of the 64 splats s of a tile; kNoLink where F is 0.
// Tiles that t does not lead to have no block (compressed sparse columns of blocks of 64).
struct LinkColumns {
  std::vector<int32_t> begin, tile;            // [splats + 1], [blocks]
  std::vector<float, HugePages<float>> log_f;  // [blocks, 64]

  // Of the tiles of a graph with links; `splats` are padded.
  static LinkColumns Of(const FlowTables& tables, int64_t splats);
  void Bind(Worker& worker) const;
};

// What tokens send along links: of each the splats that get something of it, lowest first, and log2 ψ of each. Room for `splats`, padded, of each token.
struct SentLists {
  std::vector<float, HugePages<float>> score;
  std::vector<int32_t, HugePages<int32_t>> splat;
  std::vector<int32_t> count;  // [tokens]

  void Resize(int64_t tokens, int64_t splats);
  void Bind(Worker& worker) const;
  static int64_t Bytes(int64_t tokens, int64_t splats) { return tokens * splats * static_cast<int64_t>(sizeof(float) + sizeof(int32_t)); }
};

}  // namespace hsa

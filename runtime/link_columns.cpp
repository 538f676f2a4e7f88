#include "runtime/link_columns.h"

#include <numeric>

#include "kernels/affinity.h"

namespace hsa {
namespace {

// body(splat t, tile of the splats it leads to, the 64 entries of that tile's column) for every column with a link, tile after tile.
template <typename Body>
void ForEachColumn(const FlowTables& tables, const Body& body) {
  for (int64_t tile = 0; tile < tables.count(); ++tile)
    for (int64_t column = 0; column < kSplatTile; ++column) {
      const auto entry = [&](int64_t row) { return tables.tiles[(tile * kSplatTile + row) * kSplatTile + column]; };
      bool any = false;
      for (int64_t row = 0; row < kSplatTile; ++row) any |= entry(row) > static_cast<float>(kNotNear);
      if (any) body(int64_t{tables.index[2 * tile + 1]} * kSplatTile + column, tables.index[2 * tile], entry);
    }
}

}  // namespace

LinkColumns LinkColumns::Of(const FlowTables& tables, int64_t splats) {
  LinkColumns columns;
  columns.begin.resize(splats + 1);
  ForEachColumn(tables, [&](int64_t t, int32_t, const auto&) { ++columns.begin[t + 1]; });
  std::partial_sum(columns.begin.begin(), columns.begin.end(), columns.begin.begin());
  columns.tile.resize(columns.begin[splats]);
  columns.log_f.resize(columns.tile.size() * kSplatTile);
  std::vector<int32_t> next(columns.begin.begin(), columns.begin.end() - 1);
  ForEachColumn(tables, [&](int64_t t, int32_t to, const auto& entry) {
    const int32_t block = next[t]++;
    columns.tile[block] = to;
    for (int64_t row = 0; row < kSplatTile; ++row) columns.log_f[int64_t{block} * kSplatTile + row] = entry(row);
  });
  return columns;
}

void LinkColumns::Bind(Worker& worker) const {
  const auto blocks = static_cast<int64_t>(tile.size());
  worker.Bind("link_begin", begin.data(), {static_cast<int64_t>(begin.size())});
  worker.Bind("link_tile", tile.data(), {blocks});
  worker.Bind("link_log", log_f.data(), {blocks, kSplatTile});
}

void SentLists::Resize(int64_t tokens, int64_t splats) {
  count.resize(tokens);
  score.resize(tokens * splats);
  splat.resize(tokens * splats);
}

void SentLists::Bind(Worker& worker) const {
  const auto tokens = static_cast<int64_t>(count.size()), splats = tokens == 0 ? 0 : static_cast<int64_t>(score.size()) / tokens;
  worker.Bind("sent_score", score.data(), {tokens, splats});
  worker.Bind("sent_splat", splat.data(), {tokens, splats});
  worker.Bind("sent_count", count.data(), {tokens});
}

}  // namespace hsa

#include "runtime/audit.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "oneapi/tbb/parallel_for.h"
#include "runtime/coverage.h"
#include "runtime/exact.h"
#include "runtime/tile_state.h"

namespace hsa {

int64_t AuditSample(const Job& job) {
  if (job.options.mode == Mode::kTolerance) return std::max(kLeastAudits, LeastSample(job.options.tolerance.confidence));
  return job.options.mode == Mode::kBudget ? kLeastAudits : 0;
}

std::vector<int32_t> DrawQueries(const Geometry& g, uint64_t seed, int64_t head, const Block& block, int64_t count) {
  const std::array<int64_t, 2> key = {head, block.number};
  std::vector<int32_t> positions;
  for (int64_t query : SampleWithoutReplacement(block.end - block.begin, count, XXH3_64bits_withSeed(key.data(), sizeof key, seed)))
    positions.push_back(static_cast<int32_t>(block.begin + query));
  return positions;
}

namespace {

void LeaveOutNonFinite(Audit& audit, int64_t dv) {
  int64_t kept = 0;
  for (size_t i = 0; i < audit.positions.size(); ++i) {
    const auto row = audit.exact.begin() + static_cast<int64_t>(i) * dv;
    if (!std::all_of(row, row + dv, [](float x) { return std::isfinite(x); })) continue;
    audit.positions[kept] = audit.positions[i];
    std::copy_n(row, dv, audit.exact.begin() + kept * dv);
    ++kept;
  }
  audit.positions.resize(kept);
  audit.exact.resize(kept * dv);
}

struct Shard {
  Tile tile;
  float* exact;  // its rows
  int64_t part;
  TileState state;
};

}  // namespace

void AttendExactly(const Job& job, Workers& workers, const IndexStore& store, const TileIo& io, const Region& last,
                   std::span<Audit> audits) {
  const Geometry& g = job.geometry;
  std::vector<RegionKeys> keys(g.kv_heads);
  oneapi::tbb::parallel_for(int64_t{0}, g.kv_heads, [&](int64_t kv_head) {
    keys[kv_head] = PackRegion(KeysFor::kAudits, job, workers.local(), store, last, kv_head);
  });
  const int64_t dv = g.padded_value_dim;
  std::vector<Shard> shards;
  for (Audit& audit : audits) {
    audit.exact.resize(audit.positions.size() * dv);
    for (int64_t first = 0; first < static_cast<int64_t>(audit.positions.size()); first += g.tile) {
      const int64_t size = std::min(g.tile, static_cast<int64_t>(audit.positions.size()) - first);
      const Tile tile = Tile::Of(audit.head, std::span(audit.positions).subspan(first, size));
      for (int64_t part = 0; part < kAuditShards; ++part) shards.push_back({tile, audit.exact.data() + first * dv, part, {}});
    }
  }
  oneapi::tbb::parallel_for(size_t{0}, shards.size(), [&](size_t s) {
    const TraceScope scope(job.options.trace, "audit", "calibrate");
    Shard& shard = shards[s];
    Worker& worker = workers.local();
    io.Load(worker, shard.tile);
    TileOpener(job, store).AttendAll(worker, shard.tile, keys[shard.tile.head / g.group()], shard.part, kAuditShards);
    shard.state = TileState::Of(worker);
  });
  for (size_t s = 0; s < shards.size(); s += kAuditShards) {
    Worker& worker = workers.local();
    for (size_t part = 1; part < kAuditShards; ++part) MergePartials(shards[s].state.rows(), shards[s + part].state.rows());
    shards[s].state.Put(worker);
    worker.SetTileRows(shards[s].tile.rows());
    std::vector<float> rows, lse;
    io.Finish(worker, rows, lse);
    std::copy_n(rows.begin(), shards[s].tile.rows() * dv, shards[s].exact);
  }
  for (Audit& audit : audits) LeaveOutNonFinite(audit, dv);
}

double RowError(std::span<const float> o, std::span<const float> exact) {
  double difference = 0, norm = 0;
  for (size_t c = 0; c < exact.size(); ++c) {
    difference += (static_cast<double>(o[c]) - exact[c]) * (static_cast<double>(o[c]) - exact[c]);
    norm += static_cast<double>(exact[c]) * exact[c];
  }
  if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
  if (norm == 0) return difference == 0 ? 0 : std::numeric_limits<double>::infinity();
  return std::sqrt(difference / norm);
}

}  // namespace hsa

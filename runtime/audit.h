// Queries of one head and block whose exact output is computed beside the run, so that its error is known and not guessed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/open_tile.h"
#include "runtime/splat_run.h"

namespace hsa {

inline constexpr int64_t kLeastAudits = 64;  // calibration queries of a head and block, unless the confidence needs more

// Keys of an audited tile are read in so many parts, for threads to share: always, so that the number of threads changes no bit.
inline constexpr int64_t kAuditShards = 8;

// Queries that a run audits of each head and block: with a tolerance as many as certify its confidence, and none at a given θ.
int64_t AuditSample(const Job& job);

struct Audit {
  int64_t head = 0;
  std::vector<int32_t> positions;  // key positions, ascending
  std::vector<float> exact;        // [positions, padded value_dim]
  std::vector<float> doubt;        // [positions] of a calibrated run: TileOpener::doubt at the θ that was found; else empty
};

// `count` queries of a block at random, keyed by (seed, head, block number), or all of them. docs/spec.md, "Calibration".
std::vector<int32_t> DrawQueries(const Geometry& geometry, uint64_t seed, int64_t head, const Block& block, int64_t count);

// Fills `exact` of every audit by reading every visible key, then leaves out the queries whose exact output is not finite. `last` is the block's
// last region: the keys before it are in the index by now.
void AttendExactly(const Job& job, Workers& workers, const IndexStore& store, const TileIo& io, const Region& last,
                   std::span<Audit> audits);

// ‖o − exact‖ / ‖exact‖ of one row, infinite where o is not finite.
double RowError(std::span<const float> o, std::span<const float> exact);

}  // namespace hsa

// How the queries of a splat run are cut: windows into regions, regions into blocks.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/open_tile.h"

namespace hsa {

// The windows whose near fields start in one segment: they share its mini-segments.
struct Region {
  int64_t segment = 0;  // whole segments before it are in the index
  int64_t minis = 0;    // mini-segments of it that its last window sees
  int64_t first_window = 0, end_window = 0;
};

// Regions in a row that are attended together, and share a calibration when there is one.
struct Block {
  int64_t number = 0;
  std::vector<Region> regions;
  int64_t begin = 0, end = 0;  // key positions of its queries
};

std::vector<Region> RegionsOf(const Geometry& geometry);
std::vector<Block> BlocksOf(const Geometry& geometry);

// What the windows of a region read exactly of a kv_head; for their queries in the precision of the plan, for audits in f32.
enum class KeysFor { kQueries, kAudits };
RegionKeys PackRegion(KeysFor reader, const Job& job, Worker& worker, const IndexStore& store, const Region& region, int64_t kv_head);

}  // namespace hsa

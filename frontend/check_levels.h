// The constraints of graph.proto on the levels of scheme routed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// What a level is called: the name that it was given without the blanks around it, or that of its place.
std::string LevelName(const Routed& routed, int level);

// "level 0 'token'"
std::string LevelText(const Routed& routed, int level);

// graph_c25 and graph_c62; `splats` becomes those of all levels.
absl::Status CheckLevels(const Routed& routed, uint64_t& splats);

// Whether some level says how many dimensions of the values it keeps; and how many each does, of `value_dim`.
bool HasValueDims(const Routed& routed);
std::vector<int64_t> ValueDims(const Routed& routed, int64_t value_dim);
// graph_c63.
absl::Status CheckValueDims(const Routed& routed, int64_t value_dim);

}  // namespace hsa::frontend

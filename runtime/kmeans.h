// k-means++: rows in groups around means that are as near as a few rounds of Lloyd bring them. Our own sixty lines: OpenCV's, which hsa-bench measures with, would
// bring twenty shared libraries into hsa-run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hsa {

// The group of each of the rows [n, width], of which the first `dims` numbers count; n ≥ groups, no group is empty. Begins with rows drawn by their squared distance
// to those drawn before (Arthur and Vassilvitskii 2007), keyed by `seed`; ties go to the lower group. The same rows and seed give the same groups.
std::vector<int32_t> KmeansGroups(std::span<const float> rows, int64_t width, int64_t dims, int64_t groups, uint64_t seed);

}  // namespace hsa

// Splats for tokens that nobody has trained any for: groups of the keys (docs/routed.md, "Splats from data").
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "runtime/plan.h"
#include "runtime/tensor.h"

namespace hsa {

enum class SplatsBy {
  kBisection,  // as many groups of one size as a level has splats, at medians along principal axes
  kKmeans,     // the groups of k-means++, of any size, from 32 keys a splat at most
};

enum class LinksBy {
  kZeros,    // none: what a training starts from
  kOverlap,  // what splats of both levels share of 8,192 keys at most (runtime/links_from_keys.h); bottlenecks are zeros
};

// How splats are made.
struct SplatMaking {
  SplatsBy by = SplatsBy::kBisection;
  LinksBy links = LinksBy::kZeros;
  uint64_t seed = 0;  // of kKmeans
};

// Writes the tensors of the splats that `plan`, of scheme routed, names (center, variance, log-amplitudes of 0, gates of 0, links) to a safetensors file. On each level the keys
// of a kv_head, 65,536 of them at most and evenly spread, are cut into as many groups as it has splats; a splat is its group's mean, and its variances times D / 4: a token of the group is then at log φ ≈ -2, so that splats share their tokens.
// The same keys and seed give the same splats.
// INVALID_ARGUMENT  fewer finite keys than a level has splats: names both; a key of another shape than the plan wants
//                   links by overlap of a plan that reads no weight of a link
// FAILED_PRECONDITION  links by overlap of a plan that has not the stages
// or an error of TensorWriter
absl::Status WriteSplatsFromKeys(const Plan& plan, const TensorView& key, const std::string& path, const SplatMaking& making = {});

}  // namespace hsa

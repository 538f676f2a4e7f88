// Bounds and thresholds of adaptation (docs/spec.md, "Adaptation"): of a graph, a plan or a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hsa {

namespace format {
class Adapt;
class Graph;
}  // namespace format

enum class Adapt {
  kSplats,   // splats come, go and move
  kObserve,  // they stay as they are; residuals are measured
  kOff,      // nothing, whatever the plan says: of a run alone
};

struct AdaptLimits {
  Adapt what = Adapt::kSplats;
  int64_t segment_tokens = 4096;  // between two adaptations; a multiple of 256
  int64_t most_events = 8;        // of a level and kv_head in a segment
  int64_t least_splats = 1;       // that stay on a level
  int64_t history = 16;           // segments whose activations are remembered
  double memory = 0.9;            // share of its mass that a splat keeps from one segment to the next, in [0, 1)
  double cover = 8;               // a token is uncovered where −log φ is above this for every splat of the level
  double uncovered_share = 0.01;  // of a level's observed tokens, from which on a splat is born
  double idle = 0.02;             // a splat dies below this share of the mean activation
  double gain = 2;                // a split has to save this many times what the merge costs that makes room for it
  int64_t asleep = 0;             // coarsest levels that sleep when a stream begins
  int64_t level_tokens = 1024;    // of each splat of the finer levels, from which on a level wakes; 0: not for its length
  double level_residual = 0.5;    // a level wakes when the finer one leaves more than this share of the spread of its tokens
  double level_gain = 0;          // a level sleeps when its gain is below it for `history` segments in a row; 0: none does
  double weight_bound = 1;        // the greatest factor of a level's weight by what it explains, and 1 over the least; 1: weights stay
};

// "splats", "observe", "off"
const char* AdaptName(Adapt what);

AdaptLimits AdaptLimitsOf(const format::Adapt& adapt);

// The numbers of a message that has a field for each: of a plan or of a graph.
template <typename Message>
AdaptLimits AdaptNumbersOf(const Message& adapt) {
  return {.segment_tokens = static_cast<int64_t>(adapt.segment_tokens()),
          .most_events = adapt.most_events(),
          .least_splats = adapt.least_splats(),
          .history = adapt.history(),
          .memory = adapt.memory(),
          .cover = adapt.cover(),
          .uncovered_share = adapt.uncovered_share(),
          .idle = adapt.idle(),
          .gain = adapt.gain(),
          .asleep = adapt.asleep(),
          .level_tokens = static_cast<int64_t>(adapt.level_tokens()),
          .level_residual = adapt.level_residual(),
          .level_gain = adapt.level_gain(),
          .weight_bound = adapt.weight_bound()};
}

// What adapts: whether it is causal and its covariances are isotropic, bands or diagonal, and its levels as messages name them.
struct AdaptSubject {
  struct Level {
    std::string name;
    int64_t splats = 0;
  };
  bool causal = false, plain = false;
  std::vector<Level> levels = {};
};
AdaptSubject AdaptSubjectOf(const format::Graph& graph);

// Why splats cannot adapt within these limits: a limit out of range, or one that contradicts the graph, with what is and what was wanted; empty where they can.
std::string WhyNotAdapt(const AdaptLimits& limits, const AdaptSubject& subject);

}  // namespace hsa

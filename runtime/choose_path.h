// Which way a run goes, and why: every key exactly, by splats, a few queries from an index (docs/machine.md), or as a plan of scheme routed does.
#pragma once

#include <string>

#include "runtime/run_state.h"

namespace hsa {

enum class Path { kExact, kSplats, kDecode, kRouted };

struct Choice {
  Path path = Path::kExact;
  std::string because;        // a clause for people
  double visible_keys = 0;    // of the mean query
  double crossover_keys = 0;  // so many of them and more make a calibrated run go by splats; 0 where that does not decide
};

Choice ChoosePath(const Job& job);

// "exact", "splats", "decode", "routed": RunReport::choice.path.
std::string PathName(Path path);

// Whether it is up to RunOptions::crossover_keys which way a run goes: where not, there is nothing to measure.
bool TurnsOnCrossover(const Plan& plan, const Inputs& inputs, const RunOptions& options);

// The mode that the plan says, where the caller does not.
RunOptions WithDefaults(const Plan& plan, RunOptions options);

}  // namespace hsa

// The command line of hsa-run.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/machine_profile.h"
#include "runtime/run.h"
#include "runtime/splats_from_keys.h"

namespace hsa {

struct RunCommand {
  std::string help;                                    // not empty: print this and stop
  std::string plan;                                    // *.hsaplan
  std::string input;                                   // safetensors
  std::string make_splats;                             // make them from the keys and write them here; empty: do not
  SplatsBy splats_by = SplatsBy::kBisection;           // how make_splats makes them
  LinksBy links_by = LinksBy::kZeros;                  // and their links
  std::string splats;                                  // empty: input holds them, or the first of options.load_states
  std::string output;                                  // safetensors; empty: the result is thrown away after it was measured
  std::string report, trace;                           // files; empty: none
  std::string variant;                                 // empty: the best that this processor runs
  std::string machine_profile = DefaultProfilePath();  // file of what was measured of this machine; empty: nothing is measured
  DType out_dtype = DType::kF32;
  bool lse = false;                  // write the tensor `lse` as well
  bool error = false;                // write the tensor `error` as well
  int64_t verify = 0;                // query positions to compare with float64
  int64_t affinity_cache_bytes = 0;  // of what segments of tokens found, for those that come again; 0: none
  RunOptions options;
};

// INVALID_ARGUMENT  wrong usage: names the flag, what it was given and what it wants
absl::StatusOr<RunCommand> ParseRunOptions(int argc, const char* const* argv);

}  // namespace hsa

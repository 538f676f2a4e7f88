// What this machine can do and what was measured of it, in words and as JSON.
#pragma once

#include <cstdint>
#include <ostream>

#include "kernels/machine.h"
#include "kernels/peak.h"
#include "runtime/machine_profile.h"

namespace hsa {

inline constexpr int64_t kBandwidthBytes = int64_t{128} << 20;  // of memory that is read to measure its speed

struct MachineDescription {
  const Machine& machine;
  Peak peak, tile_peak, dot_peak;  // of one core: f32, bf16 on AMX tiles, bf16 by vdpbf16ps
  double read_gbytes_per_s = 0;    // of one core, over kBandwidthBytes
  MachineProfile profile;          // of plans, as runs left it
};

// Measures the three rates: a fifth of a second.
MachineDescription MeasureMachine();

void PrintMachine(std::ostream& out, const MachineDescription& description);

// One object; docs/machine.md lists its names.
void PrintMachineJson(std::ostream& out, const MachineDescription& description);

}  // namespace hsa

// What one core can do at best: multiply-adds whose operands never leave the registers. Speeds are told as a share of it.
#pragma once

#include <string_view>

namespace hsa {

struct Peak {
  std::string_view isa;  // of the loop that was measured, as in kIsas: the widest that this processor runs
  double gflops = 0;     // 10⁹ operations per second of this thread's CPU time; a multiply-add counts 2
};

// In f32: the best of `repetitions` loops of some 2 ms on the calling thread. CPU time leaves out what other threads do on the core, but not what
// they do to its clock: measure right before and after what is compared with it, and take the better one.
Peak MeasurePeak(int repetitions = 10);

// The same for products of bf16 summed in f32 in AMX tiles; isa "amx". Nothing where the processor has none or the system refuses them.
Peak MeasureTilePeak(int repetitions = 10);

// The same by vdpbf16ps on vectors of 16 sums; isa "avx512bf16". Nothing where the processor has none.
Peak MeasureDotPeak(int repetitions = 10);

}  // namespace hsa

// From a schedule to the numbers that specialise its kernels.
#pragma once

#include "dialect/hsa_ops.h"
#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

KernelParams kernelParams(ScheduleOp schedule);

// The one schedule of a module, or null with an error that says how many there are.
ScheduleOp findSchedule(mlir::ModuleOp module);

}  // namespace hsa::ir

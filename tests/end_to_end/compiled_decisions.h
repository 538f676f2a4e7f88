// What compiled code decides in a splat run, in the words of the float64 interpreter.
#pragma once

#include "dialect/reference/interpreter.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {

struct Decided {
  ir::reference::GivenIndex index;  // order of every unit that some window sees, the tiles of every window, and the nodes that each opened
  Attended attended;                // the run itself
};

// The parts of a splat run, called one after the other as hsa::Run does, on one thread.
Decided DecideAndAttend(const Plan& plan, const oracle::Problem& problem, double theta, DType dtype);

}  // namespace hsa::end_to_end

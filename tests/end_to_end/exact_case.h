// What tests of exact attention in several precisions run on.
#pragma once

#include <ostream>
#include <string>

#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {

// Every key, on two threads.
inline RunOptions Exact(int64_t segment_tokens = 0) { return {.mode = Mode::kExact, .segment_tokens = segment_tokens, .threads = 2}; }

// A named problem of a test with parameters.
struct ExactCase {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  Storage storage = {};
};
inline std::ostream& operator<<(std::ostream& out, const ExactCase& c) { return out << c.name; }

}  // namespace hsa::end_to_end

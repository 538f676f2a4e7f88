// Problems that differ in some of their tokens.
#pragma once

#include <cstdint>

#include "tests/end_to_end/run_problem.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa::end_to_end {

// Row of a query, key or value, by head and key position.
float* QueryAt(oracle::Problem& problem, int64_t head, int64_t position);
float* KeyAt(oracle::Problem& problem, int64_t kv_head, int64_t position);
float* ValueAt(oracle::Problem& problem, int64_t kv_head, int64_t position);

// Queries, keys and values of the positions [begin, end) become others, of all heads.
void ChangeTokens(oracle::Problem& problem, int64_t begin, int64_t end);

// The first `keys` tokens of `problem`, and the queries among them.
oracle::Problem Prefix(const oracle::Problem& problem, int64_t keys);

// The last `queries` queries of `problem`, and all its keys.
oracle::Problem LastQueries(const oracle::Problem& problem, int64_t queries);

// Are the rows of the queries at positions [begin, end) the same to the bit, o and lse of all heads? `a` and `b` may have other lengths than
// each other, with their query 0 at the same position.
bool SameRows(const oracle::Problem& a_problem, const Attended& a, const oracle::Problem& b_problem, const Attended& b, int64_t begin,
              int64_t end);

}  // namespace hsa::end_to_end

// The oracle, made fast enough for tens of thousands of keys: the same loops, each weight computed once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tests/oracle/attention_oracle.h"

namespace hsa::end_to_end {

// As oracle::Attend, for the queries `rows` only: o [H, rows, Dv], lse [H, rows].
oracle::Result Attend64(const oracle::Problem& problem, std::span<const int64_t> rows);

// All queries.
oracle::Result Attend64(const oracle::Problem& problem);

// About `count` queries in even steps, the first and the last among them.
std::vector<int64_t> EvenRows(int64_t queries, int64_t count);

}  // namespace hsa::end_to_end

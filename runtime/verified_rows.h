// Rows of an output beside the same rows in float64: which are looked at, how far apart they are, and what is told of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/tensor.h"

namespace hsa {

struct VerifiedRow {
  int64_t head = 0;
  int64_t query = 0;
  double rel_l2 = 0;     // ‖o − exact‖ / ‖exact‖
  double lse_error = 0;  // |lse − exact|; 0 when no lse was given
};

// Quantiles are nearest-rank, over all rows.
struct VerifyStats {
  int64_t n = 0;  // rows: query positions × query heads
  double median = 0, p90 = 0, p95 = 0, max = 0;
  double lse_max = 0;
  std::vector<VerifiedRow> rows;  // by query, then head
};

struct VerifyOptions {
  int64_t queries = 0;  // positions to draw; all of them when there are fewer
  uint64_t seed = 0;
  std::vector<int64_t> exclude = {};               // query numbers that are not drawn, ascending: those that a calibration has seen
  std::function<bool(double done)> progress = {};  // from any thread, one at a time; false cancels. May be empty.
};

// `count` different integers of [0, population), ascending: Floyd's sampling, position j taking mt19937_64(seed)() mod (j + 1). The same on
// every machine. All of them when count ≥ population.
std::vector<int64_t> SampleWithoutReplacement(int64_t population, int64_t count, uint64_t seed);

// Of the queries that are not excluded, ascending.
std::vector<int64_t> DrawVerified(int64_t queries, const VerifyOptions& options);

// out[i] = element i of the row; true when all of them are finite.
bool LoadRow(const TensorView& tensor, int64_t head, int64_t token, std::span<double> out);

// ‖o − exact‖ / ‖exact‖. Where `exact` is not finite, `o` must have an element that is not finite either: 0 then, else infinite. Where `exact` is 0, any
// other row is infinitely wrong.
double RelL2OfRow(std::span<const double> exact, std::span<const double> o);

// Quantiles, and the greatest error of an lse, of the rows that are there.
void SetQuantiles(VerifyStats& stats);

}  // namespace hsa

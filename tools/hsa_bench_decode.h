// The decode view of hsa-bench quality: single late queries, near = 4 sinks and the last 64 keys, and what different summaries of the far
// keys make of a budget of key-equivalents. Plain loops in float64 over the orders and the metric of the runtime.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/plan.h"
#include "runtime/run.h"
#include "tools/hsa_bench_quantiles.h"

namespace hsa::bench {

inline constexpr int64_t kDecodeSinks = 4, kDecodeLast = 64;  // keys that are always exact
inline constexpr int64_t kDecodeLeaf = 16;                    // keys of a leaf, of a block, and of a centroid in the mean
inline constexpr double kAnatomyBudget = 0.036;               // share of the visible keys at which the full method is dissected

// What is compared, in the order of every table.
enum DecodeMethod { kOracle, kBlocks, kKmeans, kBisection0, kBisection2, kFull };
struct DecodeName {
  std::string_view name;   // in the JSON
  std::string_view brief;  // head of a column
  std::string_view words;  // for people
};
inline constexpr std::array<DecodeName, 6> kDecodeMethods = {{
    {"oracle", "oracle", "oracle: the true top keys, the rest dropped"},
    {"blocks", "blocks", "blocks of consecutive keys, order 0"},
    {"kmeans", "k-means", "k-means centroids, order 0"},
    {"bisection_order0", "bisection 0", "bisection, order 0"},
    {"bisection_order2", "bisection 2", "bisection, order 2"},
    {"full", "full", "full: order 2 about a reference query, metric of the queries, tilt"},
}};

// Relative L2 of the rows of one query head, or of all.
struct DecodeHead {
  int64_t head = kPooled;
  int64_t rows = 0;  // queries whose exact output is finite and not 0
  // [budget][method]; NaN where the budget of a row is less than its near keys and the coarsest nodes.
  std::vector<std::array<Quantiles, kDecodeMethods.size()>> error;
};

// What the closed nodes of one level do to the output, everything else taken as it truly is. Errors are root mean squares of the relative
// L2 over the rows; masses are shares of the true softmax.
struct AnatomyLevel {
  int64_t tokens = 0;                          // slots of a node; 0: all levels at once
  double scored = 0, opened = 0;               // nodes, of a row in the mean
  double mass = 0;                             // share of the true mass that lies in closed nodes, in the mean
  double value_error = 0, mass_error = 0;      // true masses with estimated values; estimated masses with true values
  double error = 0;                            // both estimated
  double log_mass_mean = 0, log_mass_rms = 0;  // of log(estimated / true mass), nodes weighted by their true share
};

// Of the full method at kAnatomyBudget.
struct AnatomyHead {
  int64_t head = kPooled;
  int64_t rows = 0;                  // 0: the budget is less than near keys and roots; everything below is empty then
  std::vector<AnatomyLevel> levels;  // finest first
  AnatomyLevel all;
  double worst_tenth = 0;          // share of the rows' total squared error that the worst tenth of them has
  std::array<double, 3> thirds{};  // the same of the rows whose positions are in the first, middle, last third of the sample
};

struct DecodeView {
  std::vector<int64_t> group_keys;  // of each budget: keys of a block, and of a centroid in the mean
  DecodeHead pooled;
  std::vector<DecodeHead> heads;
  AnatomyHead anatomy;
  std::vector<AnatomyHead> anatomy_heads;
};

struct DecodeOptions {
  std::vector<int64_t> queries;  // query numbers, ascending
  std::vector<double> budgets;   // shares of the visible keys
  uint64_t seed = 0;             // of k-means
  std::function<bool()> cancelled;
};

// `plan` is that of the full method: its sizes of leaves, levels and units, its scale and its ordering of keys serve.
// CANCELLED  options.cancelled returned true
absl::StatusOr<DecodeView> MeasureDecode(const Plan& plan, const Inputs& inputs, const DecodeOptions& options);

}  // namespace hsa::bench

// hsa-bench quality: what runs read for the error that they are held to, on captured Q, K, V, beside a plainer method and the true top
// keys; and what single late queries lose for a budget (hsa_bench_decode.h).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/report.h"
#include "runtime/tensor.h"
#include "tools/hsa_bench_decode.h"
#include "tools/hsa_bench_quantiles.h"

namespace hsa::bench {

inline constexpr double kConfidence = 0.95;  // 1 − δ of every run and of the oracle

struct QualityCommand {
  std::vector<std::string> files;                                                   // safetensors with q [H,N,D], k [Hkv,M,D], v [Hkv,M,Dv]
  std::vector<double> errors = {0.2, 0.1, 0.05, 0.02, 0.01};                        // ε
  std::vector<double> budgets = {0.018, 0.036, 0.073, 0.15, 0.3};                   // shares of the visible keys
  std::vector<double> decode_budgets = {0.0045, 0.009, 0.018, 0.036, 0.073, 0.15};  // of the decode view, shares of the visible keys
  int64_t last = 0;             // queries of each file that are used, its last ones; 0: all
  int64_t verify = 256;         // query positions beside float64, of every run
  int64_t oracle_queries = 64;  // query positions of the oracle and of the decode view, among the last quarter of the keys
  uint64_t seed = 0;
  int threads = 0;         // 0: all that the machine has
  std::string json, html;  // not written when empty
  std::string line;        // the command as it was typed
  std::string help;        // print this and do nothing else
};

// Ways to attend by splats that are compared; a plan each.
struct Method {
  std::string_view name;   // in the JSON
  std::string_view words;  // for people
};
inline constexpr std::array<Method, 2> kMethods = {
    {{"full", "full: order 2, tiles by content"}, {"order0_position", "order 0, tiles by position"}}};

// One query head of a run, or all of them.
struct HeadQuality {
  int64_t head = kPooled;
  ReadFractions read;
  int64_t dense_blocks = 0;
  int64_t rows = 0;                                            // verified, without the positions that calibrated the run
  Quantiles error;                                             // relative L2 of these rows
  double coverage = std::numeric_limits<double>::quiet_NaN();  // share of these rows within ε; of runs that are held to one
};

struct MethodQuality {
  std::string refused;  // why there is no run: the budget is below what it reads when nothing is opened. Everything below is empty then
  std::string mode, variant;
  double seconds = 0;  // of the run, without verification
  HeadQuality pooled;
  std::vector<HeadQuality> heads;
};

// Attention over the true top keys of each query, the same number of them for every query; the others dropped. Nothing is estimated.
struct OracleHead {
  int64_t head = kPooled;
  int64_t rows = 0;              // queries whose exact output is finite and not 0
  std::vector<int64_t> keys;     // of each ε: the fewest with which a share kConfidence of the rows is within ε
  std::vector<double> shares;    // the same over the visible keys of a sampled query, in the mean
  std::vector<Quantiles> error;  // of each budget, with that share of the visible keys
};

struct Oracle {
  OracleHead pooled;  // one number of keys for the queries of all heads
  std::vector<OracleHead> heads;
  std::vector<double> shares_by_head;  // of each ε: the mean of the heads' own shares, as runs choose for each head
};

struct FileQuality {
  std::string path;
  TensorView query, key, value;                                                 // shapes and types; their data is gone with the file
  std::vector<std::array<MethodQuality, kMethods.size()>> by_error, by_budget;  // in the order of the command
  Oracle oracle;
  DecodeView decode;

  // What method `m` reads for the e-th error over what the oracle reads, both the mean of the heads: what better estimates could save.
  double RatioToOracle(size_t e, size_t m) const { return by_error[e][m].pooled.read.total / oracle.shares_by_head[e]; }
};

struct QualityReport {
  std::string cpu, date;  // UTC, ISO 8601
  std::vector<FileQuality> files;
};

// A usage error as INVALID_ARGUMENT, one line.
absl::StatusOr<QualityCommand> ParseQualityOptions(int argc, const char* const* argv);

// Opens, checks and compiles for every file before the first run; calls `done` after each file.
// NOT_FOUND, INVALID_ARGUMENT, …  the file and what is wrong with it
// CANCELLED                       `cancelled` returned true
absl::StatusOr<QualityReport> MeasureQuality(const QualityCommand& command, const std::function<bool()>& cancelled,
                                             const std::function<void(const FileQuality&)>& done);

// Numbers of `count` queries whose positions are among the last quarter of the keys, drawn at random, ascending; all of them when there are
// fewer.
std::vector<int64_t> LateQueries(const TensorView& query, const TensorView& key, int64_t count, uint64_t seed);

struct OracleOptions {
  double scale = 1;                     // σ
  std::vector<int64_t> queries;         // query numbers
  std::vector<double> errors, budgets;  // of OracleHead
  std::function<bool()> cancelled;
};

// Causal attention in float64.
// CANCELLED  options.cancelled returned true
absl::StatusOr<Oracle> MeasureOracle(const TensorView& query, const TensorView& key, const TensorView& value, const OracleOptions& options);

std::string QualityText(const QualityCommand& command, const FileQuality& file);  // 120 columns
std::string QualityJson(const QualityCommand& command, const QualityReport& report);
std::string QualityHtml(const QualityCommand& command, const QualityReport& report);  // one page that needs nothing else

// The command line without the program's name: "quality FILE…". Returns the exit status.
int QualityMain(int argc, const char* const* argv);

}  // namespace hsa::bench

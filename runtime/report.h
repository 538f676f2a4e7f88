// The numbers of a run, as `hsa-run --report` writes them. Field names are a contract (docs/report.md).
#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <vector>

#include "runtime/format/adapt_limits.h"

namespace hsa {

// Key-equivalents over visible keys. A key that is read exactly counts 1, a splat that is scored counts 1.
struct ReadFractions {
  double near = 0, nodes = 0, leaves = 0, total = 0;
};

// Nodes of a level, over all heads and queries: the share of those that were scored and then opened, and what scoring cost.
struct LevelReport {
  int64_t tokens = 0;  // slots of a node
  double scored = 0;   // nodes scored / visible keys
  double opened = 0;   // nodes opened / nodes scored
};

struct HeadReport {
  int64_t head = 0;
  double theta = 0;  // of its last block that was not dense
  int64_t dense_blocks = 0;
  ReadFractions read;
};

// A level of a kv_head whose splats adapt, over the segments of the run.
struct AdaptReport {
  int64_t kv_head = 0, level = 0;
  std::string name = {};  // of the level
  int64_t live = 0;       // splats at the end; 0 of a level that sleeps
  int64_t born = 0, split = 0, merged = 0, died = 0, woke = 0, slept = 0;
  double residual = 0,
         spread = 0;           // mean squared distance of tokens to the nearest center, and to their segment's mean, while it was awake
  double least_residual = 0;   // to the nearest center of any level, over all segments
  double awake = 0, gain = 0;  // share of the segments in which it was; what it then saved (adapt_log.h)
  double weight_factor = 1;    // at the end
};

// Of a run whose queries receive from coarse levels first.
struct RefineReport {
  double asked = 0;                                    // --refine; 0 without it
  double error = 0;                                    // relative L2 of the audited tiles to what all levels give
  int64_t audited = 0;                                 // tiles
  std::vector<std::pair<std::string, double>> levels;  // coarsest first: its name, and the share of the queries that looked at it
};

struct RunReport {
  int schema = 1;
  std::string variant;             // "avx2 (native)"
  std::string scheme = "softmax";  // or "routed"
  std::string mode;                // "exact", "theta 0.01, order 2", "budget 0.1, order 2"
  struct {
    std::string path;                             // "exact", "splats" or "decode"
    std::string because;                          // for people
    double visible_keys = 0, crossover_keys = 0;  // of the mean query; from so many on by splats, 0 where that does not decide
  } choice;
  struct {
    double index = 0, calibrate = 0, near = 0, score = 0, leaves = 0, write = 0,
           total = 0;  // near, score, leaves: summed over threads / threads
  } seconds;
  double tokens_per_s = 0;
  double flop = 0;
  int64_t bytes_read = 0;
  int64_t peak_anon_bytes = 0;  // highest RssAnon that was seen
  int64_t mapped_bytes = 0;     // highest RssFile that was seen
  ReadFractions read;
  struct {
    double asked = 0, confidence = 0;
    int64_t audited = 0;
    double median = 0, p95 = 0, max = 0;
    bool carried = false;
  } tolerance;  // asked and confidence: 0 unless the run is calibrated; errors of the audited queries, relative L2; carried: θ is that of a prompt
  std::vector<int64_t> audited_positions;  // key positions, ascending, of any head; not in the JSON
  struct {
    int64_t n = 0;
    double median = 0, p90 = 0, p95 = 0, max = 0, coverage = 0;
    double error_rank = std::numeric_limits<double>::quiet_NaN();  // Spearman's ρ of the output `error` and these errors; NaN without it
  } verified;                                                      // --verify: relative L2 against float64
  struct {
    std::vector<std::string> levels;   // how tokens looked for the splats of each, as --search has it
    std::vector<std::string> names;    // what each is called
    double recall = 0, mass = 0;       // share of the nearest splats that they found, and of their affinities, of some keys
    int64_t segments = 0, reused = 0;  // that looked for splats, of keys and of queries, and how many of them had been seen before
  } search;                            // of a sparse run of scheme routed
  RefineReport refined;
  int64_t dense_blocks = 0;
  std::vector<LevelReport> levels;  // coarsest first; none in exact mode
  std::vector<HeadReport> heads;
  std::vector<AdaptReport> adapted;           // none unless splats adapt
  double adapt_seconds = 0;                   // summed over threads
  AdaptLimits adapt = {.what = Adapt::kOff};  // what ran
  bool adapt_asked = false;                   // by the run; what ran without it is the plan's
  std::vector<std::string> warnings;
};

// JSON with the names of design §6: {"schema":1,"variant":…,"seconds":{"index":…},…,"read":{"near_fraction":…},…}
std::string ToJson(const RunReport& report);

// One screen for people.
std::ostream& operator<<(std::ostream& out, const RunReport& report);

}  // namespace hsa

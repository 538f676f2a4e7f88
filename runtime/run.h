// Runs a plan over tensors in memory or mapped from a file.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/level_search.h"
#include "runtime/plan.h"
#include "runtime/report.h"
#include "runtime/tensor.h"

namespace hsa {

class AffinityCache;
class Trace;

enum class Mode {
  kExact,      // every visible key; what a plan of scheme routed always does, in its own sum
  kTheta,      // splats, opened where the residual exceeds RunOptions::theta (the plan's default when not set)
  kBudget,     // splats, theta chosen per query head so that key-equivalents come to RunOptions::budget, from a sample: within 10 % of it
  kTolerance,  // splats, theta calibrated per query head and block so that RunOptions::tolerance is met; dense where nothing cheaper meets it
};

// What a calibrated run promises: a query drawn at random from a block has ‖o − exact‖ ≤ error·‖exact‖ with at least this probability
// (docs/spec.md, "Calibration").
struct Tolerance {
  double error = 0.05;       // ε, in (0, 1)
  double confidence = 0.95;  // 1 − δ, in (0, 1)
};

// How the products of a plan compiled for bf16 or int8 are taken. Other plans have f32 alone.
enum class Products {
  kWhereFaster,  // in bf16 on AMX; on AVX512-BF16 where that was measured to be faster than f32; scores of 8 bits in exact mode where there is AVX512-VNNI
  kF32,
  kBf16,  // FAILED_PRECONDITION where this process cannot
  kInt8,  // the same, of a plan compiled for scores of 8 bits
};

struct RunOptions {
  std::optional<Mode> mode = {};     // what the plan says when not set
  std::optional<double> theta = {};  // of kTheta: > 0, or 0, which opens everything; the plan's when not set
  double budget = 0;                 // key-equivalents / visible keys, in (0, 1]; kBudget only
  Tolerance tolerance = {};          // kTolerance only
  // Visible keys of the mean query from which on a calibrated run goes by splats, as measured (docs/machine.md); when not set, 3,072, and 15,360 where
  // exact attention multiplies in bf16 on AMX.
  std::optional<double> crossover_keys = {};
  Products products = Products::kWhereFaster;
  uint64_t seed = 0;                // of every sample that the run draws
  int64_t segment_tokens = 0;       // keys streamed at a time in exact mode; 0: the plan's segment
  int threads = 0;                  // 0: all that the machine has
  int64_t memory_budget_bytes = 0;  // of anonymous memory; 0: none
  std::string scratch_dir = {};     // where the index goes when it does not fit; empty: the system's temporary directory
  std::string save_index = {};      // write the index here after the run
  std::string load_index = {};      // use this index instead of building one
  bool check_index = false;         // compare every byte of it and all keys, whatever the run will read
  // Scheme routed: begin with what the tokens of these state files sent (docs/state_format.md), which must be of the plan's graph and of one set of splats.
  std::vector<std::string> load_states = {};
  std::string save_state = {};  // of scheme routed: write the states at the end of the run here
  // Of a causal plan of scheme routed: splats come, go and move while the tokens stream by (docs/spec.md, "Adaptation"); what the plan says when not set.
  std::optional<AdaptLimits> adapt = {};
  // Of a causal plan of scheme routed: a query sees so many tokens before its pane, an eighth of them, and those of the pane up to its own (docs/spec.md,
  // "Windows"); 0: all before it; what the plan says when not set.
  std::optional<int64_t> window_tokens = {};
  // Scheme routed: tokens that are sent together may be sent as one or left out while that changes an output by at most this share of the largest ‖v‖
  // (docs/spec.md, "Relevance"); when not set, every token is sent.
  std::optional<double> token_error = {};
  // Dense plans of scheme routed: tiles of queries receive from the coarse levels first, and stop where the last one changed them by at most this relative L2,
  // in (0, 1) (docs/spec.md, "Refinement"); when not set, from all levels.
  std::optional<double> refine = {};
  // Of a sparse plan of scheme routed: how tokens look for their splats on every level; when not set, the fastest for its number of splats, as measured.
  std::optional<LevelSearch> search = {};
  // Of a sparse plan: segments of 1,024 tokens that were seen before, in this run or another one that had this cache, do not look for splats again.
  AffinityCache* affinity_cache = nullptr;
  std::function<bool(double done)> progress = {};  // called now and then with the share that is done; false cancels the run
  Trace* trace = nullptr;
};

// Parameters of a plan of scheme routed (runtime/format/plan.proto, Routed): center, variance and, when the plan names them, the others; f32.
struct SplatTensors {
  TensorView center = {}, variance = {}, amplitude = {};
  TensorView factor = {};  // the plan's factor, or its cholesky
  TensorView gate_weight = {}, gate_bias = {};
  std::vector<TensorView> links = {};  // of each link in order: weight, or expand and compress
};

struct Inputs {
  TensorView query, key, value;
  SplatTensors splats = {};  // of scheme routed; without data: those of RunOptions::load_states
  // Scheme routed calls it when it will not read rows [begin, end) of `head`, a view of one head of query, key or value, again; may be empty. Called from
  // several threads at once. What is given back then and read after all must still be right.
  std::function<void(const TensorView& head, int64_t begin, int64_t end)> rows_read = {};
};

// `o` is required ([query_heads, N, value_dim], f32 or bf16); `lse` is written when it has data ([1, query_heads, N], f32, natural log).
struct Outputs {
  MutableTensorView o;
  MutableTensorView lse = {};
  // When it has data, [1, query_heads, N], f32: the relative L2 error that each row is expected to have (docs/spec.md, "Expected error").
  MutableTensorView error = {};
  // Called when all heads of the queries [begin, end) are final; may be empty. Never called twice for a query, nor from two threads at once.
  std::function<absl::Status(int64_t begin, int64_t end)> rows_ready = {};
  // The same of one head in scheme routed, which finishes heads one by one: a hint, from several threads at once, before rows_ready. May be empty.
  std::function<void(int64_t head, int64_t begin, int64_t end)> rows_written = {};
};

// INVALID_ARGUMENT   shapes or types that disagree with the plan: names the tensor, what it is and what the plan wants; `error` of a run that audits
//                    nothing to scale it by (kTheta)
//                    of scheme routed: a parameter that is none: names the tensor, the splat and its level; a mode but kExact
//                    a state file that cannot be read, is damaged or belongs to something else: the errors of RoutedSnapshot
// RESOURCE_EXHAUSTED the memory budget is too small: names the least that works
// CANCELLED          progress() returned false
absl::StatusOr<RunReport> Run(const Plan& plan, const Inputs& inputs, const Outputs& outputs, const RunOptions& options);

}  // namespace hsa

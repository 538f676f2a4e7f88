#include "runtime/run.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "oneapi/tbb/global_control.h"
#include "oneapi/tbb/task_arena.h"
#include "runtime/bytes.h"
#include "runtime/check_adapt.h"
#include "runtime/check_window.h"
#include "runtime/choose_path.h"
#include "runtime/covariance.h"
#include "runtime/coverage.h"
#include "runtime/level_search.h"
#include "runtime/memory_usage.h"
#include "runtime/pairs.h"
#include "runtime/refinement.h"
#include "runtime/required_stages.h"
#include "runtime/run_state.h"
#include "runtime/splat_run.h"
#include "runtime/tile.h"
#include "runtime/token_relevance.h"

namespace hsa {

namespace {

std::string ShapeText(const std::array<int64_t, 3>& shape) { return absl::StrCat("[", shape[0], ", ", shape[1], ", ", shape[2], "]"); }

absl::Status CheckTensor(std::string_view name, const std::array<int64_t, 3>& shape, int64_t heads, int64_t tokens, int64_t dim) {
  if (shape[0] == heads && shape[1] == tokens && shape[2] == dim) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tensor '", std::string(name), "' is ", ShapeText(shape), ", the plan wants [", heads,
                                                 ", ", tokens, ", ", dim, "]; give a matching file or compile the graph again"));
}

// `wanted`: 0 for any length.
absl::Status CheckLength(std::string_view name, int64_t tokens, uint64_t wanted) {
  if (wanted == 0 || static_cast<uint64_t>(tokens) == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tensor '", std::string(name), "' has ", tokens, " tokens, the plan is for ", wanted,
                                                 "; give a file of that length, or compile the graph again without tokens for any length"));
}

absl::Status CheckTensors(const format::Graph& graph, const Inputs& inputs, const Outputs& outputs) {
  const int64_t n = inputs.query.tokens(), m = inputs.key.tokens();
  absl::Status status = CheckTensor(graph.query(), inputs.query.shape, graph.query_heads(), n, graph.head_dim());
  if (status.ok()) status = CheckTensor(graph.key(), inputs.key.shape, graph.kv_heads(), m, graph.head_dim());
  if (status.ok()) status = CheckTensor(graph.value(), inputs.value.shape, graph.kv_heads(), m, graph.value_dim());
  if (status.ok()) status = CheckTensor(graph.output(), outputs.o.shape, graph.query_heads(), n, graph.value_dim());
  if (!status.ok()) return status;
  status = CheckLength(graph.query(), n, graph.query_tokens());
  if (status.ok()) status = CheckLength(graph.key(), m, graph.key_tokens());
  if (!status.ok()) return status;
  if (n > m)
    return absl::InvalidArgumentError(absl::StrCat("tensor '", graph.query(), "' has ", n, " tokens, '", graph.key(), "' only ", m,
                                                   "; queries are the last positions of the keys, so give at least as many keys"));
  if (m > (int64_t{1} << 30))
    return absl::InvalidArgumentError(absl::StrCat("tensor '", graph.key(), "' has ", m, " tokens, at most 2^30 are possible; shard it"));
  if (inputs.key.dtype != inputs.value.dtype || inputs.key.dtype != inputs.query.dtype)
    return absl::InvalidArgumentError(absl::StrCat("tensors '", graph.query(), "', '", graph.key(), "' and '", graph.value(), "' are ",
                                                   std::string(DTypeName(inputs.query.dtype)), ", ",
                                                   std::string(DTypeName(inputs.key.dtype)), " and ",
                                                   std::string(DTypeName(inputs.value.dtype)), ", wanted one element type; convert them"));
  for (const auto& [name, tensor] : {std::pair{"lse", &outputs.lse}, {"error", &outputs.error}}) {
    if (tensor->data == nullptr) continue;
    status = CheckTensor(name, tensor->shape, 1, graph.query_heads(), n);
    if (!status.ok()) return status;
    if (tensor->dtype != DType::kF32)
      return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' is ", std::string(DTypeName(tensor->dtype)), ", wanted f32"));
  }
  if (outputs.o.dtype == DType::kF16)
    return absl::InvalidArgumentError(absl::StrCat("tensor '", graph.output(), "' is f16, wanted f32 or bf16"));
  return absl::OkStatus();
}

// ", adapts every 4096 tokens"
std::string AdaptText(const RunOptions& options) {
  if (!options.adapt) return "";
  return absl::StrCat(options.adapt->what == Adapt::kObserve ? ", observed every " : ", adapts every ", options.adapt->segment_tokens,
                      " tokens");
}

std::string ModeText(const Job& job) {
  const int64_t order = job.geometry.order;
  if (job.plan.graph().has_routed())
    return absl::StrCat(job.geometry.causal ? "causal, " : "", "splats ",
                        absl::StrJoin(job.plan.graph().routed().levels(), " + ",
                                      [](std::string* out, const format::SplatLevel& level) { absl::StrAppend(out, level.splats()); }),
                        job.plan.graph().routed().has_sparse() ? absl::StrCat(", top ", job.plan.graph().routed().sparse().top()) : "",
                        AdaptText(job.options));
  if (job.options.mode == Mode::kExact) return "exact";
  if (job.options.mode == Mode::kTolerance)
    return absl::StrCat("tolerance ", job.options.tolerance.error, " at ", job.options.tolerance.confidence, ", order ", order);
  if (job.options.mode == Mode::kBudget) return absl::StrCat("budget ", job.options.budget, ", order ", order);
  return absl::StrCat("theta ", job.options.theta.value_or(job.plan.graph().splats().theta()), ", order ", order);
}

// A plan of scheme routed has one way to run, and neither logarithms nor estimated errors to give.
absl::Status CheckRouted(const Plan& plan, const Outputs& outputs, const RunOptions& options) {
  if (options.mode != Mode::kExact || !options.save_index.empty() || !options.load_index.empty())
    return absl::InvalidArgumentError(
        "the plan is of scheme routed, whose splats are parameters: it has no index, tolerance, budget or theta; leave the mode out");
  if (options.adapt)
    if (absl::Status limits = CheckAdapt(*options.adapt, plan.graph()); !limits.ok()) return limits;
  if (options.window_tokens)
    if (absl::Status window = CheckWindow(options, plan.graph()); !window.ok()) return window;
  if (options.refine)
    if (absl::Status refines = CheckRefine(options, plan.header()); !refines.ok()) return refines;
  if (options.token_error)
    if (absl::Status relevance = CheckRelevance(*options.token_error, plan.header()); !relevance.ok()) return relevance;
  if (options.segment_tokens != 0)
    return absl::InvalidArgumentError("--segment: the plan is of scheme routed, which streams tokens in chunks of its own; leave it out");
  for (const auto& [name, tensor] : {std::pair{"lse", &outputs.lse}, {"error", &outputs.error}})
    if (tensor->data != nullptr)
      return absl::InvalidArgumentError(absl::StrCat("the plan is of scheme routed, which makes no '", name, "'; leave it out"));
  return absl::OkStatus();
}

// What the plan was compiled for and the run does without; empty where it does not.
std::string Foregone(const Job& job) {
  if (const std::string reason = WhyNoPairs(job); !reason.empty()) return absl::StrCat("the plan asks for bf16: ", reason);
  if (const std::string reason = WhyNoBytes(job); !reason.empty()) return absl::StrCat("the plan asks for int8: ", reason);
  return "";
}

// Products in another precision were asked for, and cannot be had.
absl::Status CheckProducts(const Job& job) {
  const Products products = job.options.products;
  if ((products != Products::kBf16 && products != Products::kInt8) || (products == Products::kBf16 ? ReadsPairs(job) : ReadsBytes(job)))
    return absl::OkStatus();
  const std::string name = products == Products::kBf16 ? "bf16" : "int8",
                    reason = products == Products::kBf16 ? WhyNoPairs(job) : WhyNoBytes(job);
  return absl::FailedPreconditionError(
      absl::StrCat("--precision ", name, ": ",
                   reason.empty() ? absl::StrCat("the plan was not compiled for it; compile the graph with --precision ", name) : reason));
}

// What keys are multiplied with beside f32: behind the variant in a report.
std::string UnitText(const Job& job) {
  if (ReadsPairs(job)) return absl::StrCat(" with ", std::string(PairUnitName(job)));
  return ReadsBytes(job) ? absl::StrCat(" with ", std::string(kByteFeatures)) : "";
}

absl::Status CheckSearch(const format::Graph& graph, const RunOptions& options) {
  if (options.search && *options.search != LevelSearch::kBrute && graph.routed().has_sparse() && StoredRows(graph) > 0)
    return absl::InvalidArgumentError(
        absl::StrCat("--search is '", std::string(LevelSearchName(*options.search)),
                     "', but covariances are of low rank or full, which have neither nodes nor a graph; wanted brute"));
  if ((!options.search && options.affinity_cache == nullptr) || graph.routed().has_sparse()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--search, --affinity-cache: the graph is not sparse, its tokens look for no splats; leave it out, or give the graph sparse { top: 8 "
      "} and compile it "
      "again");
}

absl::Status CheckSoftmax(const RunOptions& options) {
  if (options.refine)
    return absl::InvalidArgumentError("--refine: the plan is of scheme softmax, which opens its splats to a --tolerance; leave it out");
  if (options.window_tokens)
    return absl::InvalidArgumentError("--window: the plan is of scheme softmax, whose graph says sliding_window; leave it out");
  if (options.token_error)
    return absl::InvalidArgumentError("--token-error: the plan is of scheme softmax, which has --tolerance; leave it out");
  if (options.adapt)
    return absl::InvalidArgumentError("--adapt: the plan is of scheme softmax, whose splats are made anew in every run; leave it out");
  if (options.load_states.empty() && options.save_state.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--state, --state-out: the plan is of scheme softmax, which has no states; leave them out, or give --index and --save-index");
}

}  // namespace

absl::StatusOr<RunReport> Run(const Plan& plan, const Inputs& inputs, const Outputs& outputs, const RunOptions& asked) {
  const RunOptions options = WithDefaults(plan, asked);
  if (absl::Status checked = CheckRequiredStages(plan.header()); !checked.ok()) return checked;
  if (absl::Status checked = CheckTensors(plan.graph(), inputs, outputs); !checked.ok()) return checked;
  if (absl::Status checked = CheckSearch(plan.graph(), options); !checked.ok()) return checked;
  if (outputs.error.data != nullptr && options.mode == Mode::kTheta)
    return absl::InvalidArgumentError(
        "error: a run at a given theta audits no query to scale its estimates by; ask for a tolerance or a budget");
  const bool routed = plan.graph().has_routed();
  if (absl::Status checked = routed ? CheckRouted(plan, outputs, options) : CheckSoftmax(options); !checked.ok()) return checked;
  const auto start = std::chrono::steady_clock::now();
  const int threads = options.threads > 0 ? options.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
  Job job{plan, inputs, outputs, options, Geometry::Of(plan.graph(), inputs.query.tokens(), inputs.key.tokens()), Program(plan), threads};
  if (absl::Status checked = CheckProducts(job); !checked.ok()) return checked;
  const Geometry& g = job.geometry;
  const Choice choice = ChoosePath(job);
  const bool exact = choice.path == Path::kExact;
  job.geometry.lone_tiles = choice.path == Path::kDecode;
  RunReport report;
  report.choice = {PathName(choice.path), choice.because, choice.visible_keys, choice.crossover_keys};
  report.variant = absl::StrCat(plan.variant().isa(), " (", plan.variant().name(), ")", UnitText(job));
  if (const std::string reason = Foregone(job); !reason.empty()) report.warnings.push_back(absl::StrCat("attention runs in f32, ", reason));
  if (routed) report.scheme = "routed";
  report.mode = ModeText(job);
  report.adapt = options.adapt.value_or(AdaptLimits{.what = Adapt::kOff});
  report.adapt_asked = asked.adapt.has_value();
  if (exact) {
    if (outputs.error.data != nullptr)
      for (int64_t head = 0; head < g.heads; ++head)
        for (int64_t query = 0; query < g.queries; ++query) *ElementOf(outputs.error, head, query) = 0;
    report.flop = 2.0 * static_cast<double>(g.head_dim + g.value_dim) * g.AllVisibleKeys() * static_cast<double>(g.heads);
    report.read = {1, 0, 0, 1};
  }
  if (exact && options.mode == Mode::kTolerance) {
    report.mode += ": exact, too short to gain";
    report.tolerance.asked = options.tolerance.error, report.tolerance.confidence = options.tolerance.confidence;
    report.dense_blocks = g.heads * static_cast<int64_t>(BlocksOf(g).size());
  }
  if (g.queries > 0 || !options.save_state.empty()) {
    // An arena of its own: as many threads as asked for, whatever the caller's pool does.
    oneapi::tbb::task_arena arena(threads);
    const absl::Status done = arena.execute([&] {
      switch (choice.path) {
        case Path::kExact:
          return RunExact(job, report);
        case Path::kSplats:
          return RunSplats(job, report);
        case Path::kDecode:
          return RunDecode(job, report);
        case Path::kRouted:
          return plan.graph().routed().has_sparse() ? RunSparse(job, report) : RunRouted(job, report);
      }
    });
    if (!done.ok()) return done;
  }
  report.seconds.total = SecondsSince(start);
  if (report.seconds.total > 0) report.tokens_per_s = static_cast<double>(g.queries) / report.seconds.total;
  const MemoryUsage usage = CurrentMemoryUsage();
  report.peak_anon_bytes = usage.anon_bytes;
  report.mapped_bytes = usage.mapped_bytes;
  return report;
}

}  // namespace hsa

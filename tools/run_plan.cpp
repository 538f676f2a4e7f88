#include "tools/run_plan.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/global_control.h"
#include "runtime/affinity_cache.h"
#include "runtime/choose_path.h"
#include "runtime/covariance.h"
#include "runtime/coverage.h"
#include "runtime/exact.h"
#include "runtime/exact_routed.h"
#include "runtime/find_crossover.h"
#include "runtime/memory_usage.h"
#include "runtime/plan.h"
#include "runtime/progress.h"
#include "runtime/rank_correlation.h"
#include "runtime/run.h"
#include "runtime/splats_from_keys.h"
#include "runtime/tensor_source.h"
#include "runtime/tensor_writer.h"
#include "runtime/tile.h"
#include "runtime/trace.h"
#include "runtime/write_file.h"
#include "tools/cancel_on_signal.h"

namespace hsa {
namespace {

constexpr char kLse[] = "lse", kError[] = "error";

// A run of hours must not fail at its end because a folder is missing.
absl::Status CheckFolders(const RunCommand& command) {
  for (const std::string* path :
       {&command.report, &command.trace, &command.options.save_index, &command.options.save_state, &command.make_splats}) {
    if (path->empty()) continue;
    std::error_code error;
    if (std::filesystem::is_directory(*path, error))
      return absl::FailedPreconditionError(absl::StrCat(*path, ": is a folder, wanted the name of a file"));
    std::filesystem::path folder = std::filesystem::path(*path).parent_path();
    if (folder.empty()) folder = ".";
    if (!std::filesystem::is_directory(folder, error))
      return absl::FailedPreconditionError(absl::StrCat(*path, ": its folder ", folder.string(), " does not exist; make it first"));
    if (access(folder.c_str(), W_OK) != 0 && access(path->c_str(), W_OK) != 0)
      return absl::FailedPreconditionError(absl::StrCat(*path, ": cannot be written in the folder ", folder.string(), "; write elsewhere"));
  }
  std::error_code error;
  const std::string& scratch = command.options.scratch_dir;
  if (!scratch.empty() && !std::filesystem::is_directory(scratch, error))
    return absl::FailedPreconditionError(absl::StrCat("--scratch: ", scratch, " is no folder; make it first"));
  return absl::OkStatus();
}

absl::StatusOr<Plan> OpenPlan(const RunCommand& command) {
  absl::StatusOr<Plan> plan = Plan::Load(command.plan);
  if (!plan.ok() || command.variant.empty()) return plan;
  if (absl::Status selected = plan->SelectVariant(command.variant); !selected.ok()) return selected;
  return plan;
}

// Parameters of splats, of a plan of scheme routed.
absl::StatusOr<TensorView> GetSplatTensor(const TensorFile& file, const std::string& name) {
  absl::StatusOr<TensorView> found = file.Get(name);
  if (absl::IsNotFound(found.status()))
    return absl::NotFoundError(absl::StrCat(std::string(found.status().message()), ", the plan reads '", name,
                                            "' of its splats; give the file that holds it with --splats"));
  return found;
}

// Links and the gate, as far as the plan names them.
absl::StatusOr<SplatTensors> OpenFlow(const TensorFile& file, const format::Routed& routed, SplatTensors splats) {
  std::vector<std::pair<std::string, TensorView*>> tensors = {{routed.gate_weight(), &splats.gate_weight},
                                                              {routed.gate_bias(), &splats.gate_bias}};
  splats.links.resize(2 * static_cast<size_t>(routed.links_size()));  // as many as there can be, so that none moves
  size_t factors = 0;
  for (const format::Link& link : routed.links())
    for (const std::string& name : {link.weight(), link.expand(), link.compress()})
      if (!name.empty()) tensors.emplace_back(name, &splats.links[factors++]);
  splats.links.resize(factors);
  for (const auto& [name, tensor] : tensors)
    if (!name.empty()) {
      absl::StatusOr<TensorView> found = GetSplatTensor(file, name);
      if (!found.ok()) return found.status();
      *tensor = *found;
    }
  return splats;
}

absl::StatusOr<SplatTensors> OpenSplats(const TensorFile& file, const format::Routed& routed) {
  SplatTensors splats;
  for (const auto& [name, tensor] : {std::pair{routed.center(), &splats.center},
                                     {routed.variance(), &splats.variance},
                                     {FactorName(routed), &splats.factor},
                                     {routed.amplitude(), &splats.amplitude}}) {
    if (name.empty()) continue;
    absl::StatusOr<TensorView> found = GetSplatTensor(file, name);
    if (!found.ok()) return found.status();
    *tensor = *found;
  }
  return OpenFlow(file, routed, splats);
}

// Splats that are not given are those of a state that is.
bool SplatsOfState(const RunCommand& command) { return command.splats.empty() && !command.options.load_states.empty(); }

absl::StatusOr<Inputs> OpenInputs(const RunCommand& command, const TensorFile& file, const TensorFile& splats, const format::Graph& graph) {
  absl::StatusOr<TensorView> query = file.Get(graph.query()), key = file.Get(graph.key()), value = file.Get(graph.value());
  for (const absl::StatusOr<TensorView>* tensor : {&query, &key, &value}) {
    if (absl::IsNotFound(tensor->status()))
      return absl::NotFoundError(absl::StrCat(std::string(tensor->status().message()), ", the plan reads '", graph.query(), "', '",
                                              graph.key(), "', '", graph.value(),
                                              "'; rename in the file, or in the graph and compile it again"));
    if (!tensor->ok()) return tensor->status();
  }
  Inputs inputs{*query, *key, *value};
  if (!graph.has_routed()) return inputs;
  // A state holds neither links nor the gate.
  absl::StatusOr<SplatTensors> parameters =
      SplatsOfState(command) ? OpenFlow(splats, graph.routed(), SplatTensors()) : OpenSplats(splats, graph.routed());
  if (!parameters.ok()) return parameters.status();
  inputs.splats = *parameters;
  return inputs;
}

// What only attention of scheme softmax has, or only that of scheme routed.
absl::Status CheckScheme(const RunCommand& command, const Plan& plan) {
  const format::Graph& graph = plan.graph();
  if (graph.has_routed() && command.verify > 0)
    if (absl::Status verifies = CheckVerifiesRouted(WithDefaults(plan, command.options)); !verifies.ok()) return verifies;
  if (!graph.has_routed() && !(command.splats.empty() && command.make_splats.empty()))
    return absl::InvalidArgumentError(
        "--splats, --make-splats: the plan is of scheme softmax, which makes its splats itself; leave it out");
  return absl::OkStatus();
}

// The file that holds the splats; made here when that is asked for.
absl::StatusOr<std::string> SplatsPath(const RunCommand& command, const Plan& plan, const TensorFile& file) {
  if (command.make_splats.empty()) return command.splats.empty() ? command.input : command.splats;
  absl::StatusOr<TensorView> key = file.Get(plan.graph().key());
  if (!key.ok()) return key.status();
  if (absl::Status made = WriteSplatsFromKeys(plan, *key, command.make_splats, {command.splats_by, command.links_by, command.options.seed});
      !made.ok())
    return made;
  return command.make_splats;
}

// Without an output file the result goes to the scratch folder and is never committed.
std::string OutputPath(const RunCommand& command) {
  if (!command.output.empty()) return command.output;
  std::error_code error;
  std::filesystem::path folder = command.options.scratch_dir;
  if (folder.empty()) folder = std::filesystem::temp_directory_path(error);
  return (folder / "hsa-run.safetensors").string();
}

absl::StatusOr<TensorWriter> OpenOutput(const RunCommand& command, const format::Graph& graph, int64_t queries) {
  for (const auto& [asked, name] : {std::pair{command.lse, kLse}, {command.error, kError}})
    if (asked && graph.output() == name)
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": the output of the plan is named '", name, "' as well; rename it in the graph and compile again"));
  const int64_t heads = graph.query_heads();
  std::vector<TensorSpec> tensors = {{graph.output(), command.out_dtype, {heads, queries, static_cast<int64_t>(graph.value_dim())}}};
  if (command.lse) tensors.push_back({kLse, DType::kF32, {heads, queries}});
  if (command.error) tensors.push_back({kError, DType::kF32, {heads, queries}});
  return TensorWriter::Create(OutputPath(command), tensors);
}

TensorView AsInput(const MutableTensorView& tensor) { return {tensor.data, tensor.dtype, tensor.shape, tensor.strides}; }

AttentionSpec SpecOf(const format::Graph& graph) {
  return {.scale = graph.scale(),
          .causal = graph.mask().causal(),
          .sliding_window = static_cast<int64_t>(graph.mask().sliding_window()),
          .sink_tokens = static_cast<int64_t>(graph.mask().sink_tokens())};
}

// A sample that was not audited may miss the tolerance by chance; that it does so with a probability below 1 % is a failure.
absl::Status CheckCoverage(const RunReport& report) {
  if (report.tolerance.asked <= 0 || report.verified.n == 0) return absl::OkStatus();
  const int64_t n = report.verified.n, misses = n - std::llround(report.verified.coverage * static_cast<double>(n));
  if (!BinomialRejects(n, misses, 1 - report.tolerance.confidence, 0.01)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "verify: ", misses, " of ", n, " rows have an error above ", report.tolerance.asked, ", which a confidence of ",
      report.tolerance.confidence, " hardly allows; outputs are written; ask for a higher --confidence or a smaller --tolerance"));
}

// Spearman's ρ of the errors that a run expected and those that it had.
double ErrorRank(const MutableTensorView& expected, const VerifyStats& stats) {
  std::vector<double> is, was;
  for (const VerifiedRow& row : stats.rows) {
    is.push_back(row.rel_l2);
    was.push_back(*ElementOf(expected, row.head, row.query));
  }
  return RankCorrelation(was, is);
}

void SetVerified(RunReport& report, const VerifyStats& stats) {
  report.verified = {stats.n, stats.median, stats.p90, stats.p95, stats.max, std::numeric_limits<double>::quiet_NaN()};
  const auto within =
      std::count_if(stats.rows.begin(), stats.rows.end(), [&](const VerifiedRow& row) { return row.rel_l2 <= report.tolerance.asked; });
  if (report.tolerance.asked > 0 && stats.n > 0) report.verified.coverage = static_cast<double>(within) / static_cast<double>(stats.n);
  const auto infinite =
      std::count_if(stats.rows.begin(), stats.rows.end(), [](const VerifiedRow& row) { return !std::isfinite(row.rel_l2); });
  if (infinite > 0)
    report.warnings.push_back(
        absl::StrCat("verify: ", infinite, " of ", stats.n, " rows are not finite where the exact row is, or are where it is not"));
}

// Measures the plan at the first run whose way depends on it. Returns warnings of the profile.
std::vector<std::string> SetCrossover(const Plan& plan, const Inputs& inputs, RunCommand& command) {
  if (command.machine_profile.empty() || !TurnsOnCrossover(plan, inputs, command.options)) return {};
  ProgressBar bar("measuring this machine, once");
  FoundCrossover found = FindCrossover(plan, WithDefaults(plan, command.options), inputs.key.dtype, command.machine_profile,
                                       [&](double done) { bar.Update(done); });
  command.options.crossover_keys = found.keys;
  return std::move(found.warnings);
}

// One run, from opened files to its numbers.
class PlanRun {
 public:
  PlanRun(const RunCommand& command, const Plan& plan, const Inputs& inputs, TensorWriter& writer, Trace* trace,
          const CancelOnSignal& cancel)
      : command_(command), plan_(plan), inputs_(inputs), writer_(writer), trace_(trace), cancel_(cancel) {
    outputs_.o = writer.View(plan.graph().output());
    if (command.lse) outputs_.lse = writer.View(kLse);
    if (command.error) outputs_.error = writer.View(kError);
    outputs_.rows_ready = [this](int64_t begin, int64_t end) {
      writer_.RowsReady(plan_.graph().output(), begin, end);
      return absl::OkStatus();
    };
    outputs_.rows_written = [this](int64_t head, int64_t begin, int64_t end) {
      writer_.RowsReady(plan_.graph().output(), head, begin, end);
    };
  }

  absl::StatusOr<RunReport> Execute() {
    absl::StatusOr<RunReport> report = Compute();
    if (!report.ok()) return report;
    if (absl::Status verified = VerifyInto(*report); !verified.ok()) return verified;
    if (cancel_.requested()) return absl::CancelledError("cancelled, nothing was written");
    if (absl::Status committed = CommitInto(*report); !committed.ok()) return committed;
    return report;
  }

 private:
  std::function<bool(double)> Progress(ProgressBar& bar) const {
    return [this, &bar](double done) {
      bar.Update(done);
      return !cancel_.requested();
    };
  }

  absl::StatusOr<RunReport> Compute() const {
    MemorySampler memory;
    ProgressBar bar("attention");
    RunOptions options = command_.options;
    options.progress = Progress(bar);
    options.trace = trace_;
    absl::StatusOr<RunReport> report = Run(plan_, inputs_, outputs_, options);
    if (!report.ok()) return absl::IsCancelled(report.status()) ? absl::CancelledError("cancelled, nothing was written") : report.status();
    const MemoryUsage peak = memory.Peak();
    report->peak_anon_bytes = std::max(report->peak_anon_bytes, peak.anon_bytes);
    report->mapped_bytes = std::max(report->mapped_bytes, peak.mapped_bytes);
    return report;
  }

  absl::Status VerifyInto(RunReport& report) const {
    if (command_.verify == 0) return absl::OkStatus();
    const TraceScope scope(trace_, "verify");
    ProgressBar bar("verify");
    VerifyOptions options{command_.verify, command_.options.seed, {}, Progress(bar)};
    const int64_t first = inputs_.key.tokens() - inputs_.query.tokens();
    for (int64_t position : report.audited_positions) options.exclude.push_back(position - first);
    const TensorView o = AsInput(outputs_.o);
    absl::StatusOr<VerifyStats> stats =
        plan_.graph().has_routed()
            ? VerifyRouted(plan_.graph(), inputs_, WithDefaults(plan_, command_.options), o, options)
            : Verify(SpecOf(plan_.graph()), inputs_.query, inputs_.key, inputs_.value, o, AsInput(outputs_.lse), options);
    if (!stats.ok()) return absl::IsCancelled(stats.status()) ? absl::CancelledError("cancelled, nothing was written") : stats.status();
    SetVerified(report, *stats);
    if (command_.error) report.verified.error_rank = ErrorRank(outputs_.error, *stats);
    return absl::OkStatus();
  }

  absl::Status CommitInto(RunReport& report) const {
    if (command_.output.empty()) return absl::OkStatus();
    const TraceScope scope(trace_, "write");
    const auto begin = std::chrono::steady_clock::now();
    if (absl::Status committed = writer_.Commit(); !committed.ok()) return committed;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    report.seconds.write += seconds;
    report.seconds.total += seconds;
    if (report.seconds.total > 0) report.tokens_per_s = static_cast<double>(inputs_.query.tokens()) / report.seconds.total;
    return absl::OkStatus();
  }

  const RunCommand& command_;
  const Plan& plan_;
  const Inputs& inputs_;
  TensorWriter& writer_;
  Trace* trace_;
  const CancelOnSignal& cancel_;
  Outputs outputs_;
};

}  // namespace

absl::StatusOr<RunReport> RunPlan(RunCommand command) {
  if (absl::Status folders = CheckFolders(command); !folders.ok()) return folders;
  absl::StatusOr<Plan> plan = OpenPlan(command);
  if (!plan.ok()) return plan.status();
  if (absl::Status scheme = CheckScheme(command, *plan); !scheme.ok()) return scheme;
  absl::StatusOr<TensorFile> file = TensorFile::Open(command.input);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> splats_path = SplatsPath(command, *plan, *file);
  if (!splats_path.ok()) return splats_path.status();
  absl::StatusOr<TensorFile> splats = TensorFile::Open(*splats_path);
  if (!splats.ok()) return splats.status();
  absl::StatusOr<Inputs> inputs = OpenInputs(command, *file, *splats, plan->graph());
  if (!inputs.ok()) return inputs.status();
  inputs->rows_read = [&file](const TensorView& head, int64_t begin, int64_t end) { file->DontNeed(head, begin, end); };
  const CancelOnSignal cancel;  // before there is a temporary file to leave behind
  absl::StatusOr<TensorWriter> writer = OpenOutput(command, plan->graph(), inputs->query.tokens());
  if (!writer.ok()) return writer.status();

  std::optional<tbb::global_control> threads;
  if (command.options.threads > 0) threads.emplace(tbb::global_control::max_allowed_parallelism, command.options.threads);
  std::optional<Trace> trace;
  if (!command.trace.empty()) trace.emplace();
  std::optional<AffinityCache> affinity_cache;
  if (command.affinity_cache_bytes > 0) command.options.affinity_cache = &affinity_cache.emplace(command.affinity_cache_bytes);
  const std::vector<std::string> warnings = SetCrossover(*plan, *inputs, command);
  absl::StatusOr<RunReport> report = PlanRun(command, *plan, *inputs, *writer, trace ? &*trace : nullptr, cancel).Execute();
  if (!report.ok()) return report;
  report->warnings.insert(report->warnings.begin(), warnings.begin(), warnings.end());
  if (trace)
    if (absl::Status written = trace->Write(command.trace); !written.ok()) return written;
  if (!command.report.empty())
    if (absl::Status written = WriteFile(command.report, ToJson(*report)); !written.ok()) return written;
  if (absl::Status kept = CheckCoverage(*report); !kept.ok()) return kept;
  return report;
}

}  // namespace hsa

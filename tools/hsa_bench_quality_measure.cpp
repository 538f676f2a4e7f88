// Captures, the plans for their heads, runs of these and what float64 says of them.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/graph_builder.h"
#include "frontend/jit.h"
#include "kernels/machine.h"
#include "oneapi/tbb/global_control.h"
#include "runtime/exact.h"
#include "runtime/plan.h"
#include "runtime/progress.h"
#include "runtime/run.h"
#include "runtime/tensor_source.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {

namespace {

// A capture with the plans of the methods.
struct Subject {
  TensorFile file;
  Inputs inputs;
  std::vector<Plan> plans;  // as kMethods
};

std::string ShapeText(const TensorView& tensor) { return absl::StrCat("[", absl::StrJoin(tensor.shape, ","), "]"); }

absl::Status CheckShapes(const Inputs& inputs) {
  const TensorView &query = inputs.query, &key = inputs.key, &value = inputs.value;
  const auto refuse = [](const std::string& name, const TensorView& is, const std::string& wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", name, "' is ", ShapeText(is), ", wanted ", wanted, "; give a file of one attention"));
  };
  if (key.heads() < 1 || key.tokens() < 1) return refuse("k", key, "a head and a token at least");
  if (query.heads() < 1 || query.heads() % key.heads() != 0)
    return refuse("q", query, absl::StrCat("a multiple of the ", key.heads(), " heads of 'k'"));
  if (query.dim() != key.dim()) return refuse("q", query, absl::StrCat("the dim ", key.dim(), " of 'k'"));
  if (query.tokens() < 1 || query.tokens() > key.tokens())
    return refuse("q", query, absl::StrCat("1 to ", key.tokens(), " tokens, as 'k' has"));
  if (value.heads() != key.heads() || value.tokens() != key.tokens())
    return refuse("v", value, absl::StrCat("[", key.heads(), ",", key.tokens(), ",·] like 'k'"));
  if (query.dtype != key.dtype || key.dtype != value.dtype)
    return absl::InvalidArgumentError(absl::StrCat("tensors 'q', 'k' and 'v' are ", std::string(DTypeName(query.dtype)), ", ",
                                                   std::string(DTypeName(key.dtype)), " and ", std::string(DTypeName(value.dtype)),
                                                   ", wanted one element type; convert them"));
  return absl::OkStatus();
}

// What a method says of its splats.
frontend::Attention::Splats SplatsOf(const Method& method) {
  frontend::Attention::Splats splats;
  if (method.name == "order0_position") {
    splats.set_order(0);
    splats.set_query_order(frontend::Attention::POSITION);
  }
  return splats;
}

absl::StatusOr<Plan> Compile(const Inputs& inputs, const Method& method) {
  const auto shape = [](const TensorView& tensor) {
    return frontend::InputShape{.heads = static_cast<uint32_t>(tensor.heads()), .dim = static_cast<uint32_t>(tensor.dim())};
  };
  const absl::StatusOr<frontend::Graph> graph = frontend::GraphBuilder("capture")
                                                    .Input("q", shape(inputs.query))
                                                    .Input("k", shape(inputs.key))
                                                    .Input("v", shape(inputs.value))
                                                    .Attention({.query = "q", .key = "k", .value = "v", .output = "o"})
                                                    .Causal()
                                                    .Splats(SplatsOf(method))
                                                    .Build();
  if (!graph.ok()) return graph.status();
  return frontend::CompilePlan(*graph, {.precision = frontend::Precision::kF32, .cache_dir = {}});
}

absl::Status Located(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", std::string(status.message())));
}

// The last `count` queries; all of them for 0.
absl::StatusOr<TensorView> LastQueries(TensorView query, int64_t count) {
  if (count == 0) return query;
  if (count > query.tokens())
    return absl::InvalidArgumentError(
        absl::StrCat("--last is ", count, ", but tensor 'q' has ", query.tokens(), " tokens; give that many at most"));
  query.data = query.Row(0, query.tokens() - count);
  query.shape[1] = count;
  return query;
}

absl::StatusOr<std::unique_ptr<Subject>> Open(const std::string& path, int64_t last) {
  absl::StatusOr<TensorFile> file = TensorFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<TensorView> query = file->Get("q"), key = file->Get("k"), value = file->Get("v");
  for (const absl::StatusOr<TensorView>* tensor : {&query, &key, &value})
    if (!tensor->ok()) return tensor->status();
  Inputs inputs{*query, *key, *value};
  if (absl::Status checked = CheckShapes(inputs); !checked.ok()) return Located(path, checked);
  const absl::StatusOr<TensorView> queries = LastQueries(inputs.query, last);
  if (!queries.ok()) return Located(path, queries.status());
  inputs.query = *queries;
  auto subject = std::make_unique<Subject>(Subject{*std::move(file), inputs, {}});
  for (const Method& method : kMethods) {
    absl::StatusOr<Plan> plan = Compile(inputs, method);
    if (!plan.ok()) return Located(path, plan.status());
    subject->plans.push_back(*std::move(plan));
  }
  return subject;
}

// Of the verified rows that calibrated nothing, those of one head or of all.
HeadQuality Judge(int64_t head, const ReadFractions& read, int64_t dense_blocks, const VerifyStats& stats, const RunReport& report,
                  int64_t first_position) {
  std::vector<double> errors;
  for (const VerifiedRow& row : stats.rows) {
    const std::vector<int64_t>& audited = report.audited_positions;
    if ((head == kPooled || row.head == head) && !std::binary_search(audited.begin(), audited.end(), first_position + row.query))
      errors.push_back(row.rel_l2);
  }
  HeadQuality quality{.head = head,
                      .read = read,
                      .dense_blocks = dense_blocks,
                      .rows = static_cast<int64_t>(errors.size()),
                      .error = Quantiles::Of(errors)};
  if (report.tolerance.asked > 0 && !errors.empty()) {
    const auto within = std::count_if(errors.begin(), errors.end(), [&](double error) { return error <= report.tolerance.asked; });
    quality.coverage = static_cast<double>(within) / static_cast<double>(errors.size());
  }
  return quality;
}

// The runs over one file.
class FileRuns {
 public:
  FileRuns(const QualityCommand& command, const Subject& subject, const std::function<bool()>& cancelled)
      : command_(command),
        subject_(subject),
        inputs_(subject.inputs),
        cancelled_(cancelled),
        rows_(inputs_.query.heads() * inputs_.query.tokens() * inputs_.value.dim()) {
    const int64_t tokens = inputs_.query.tokens(), dim = inputs_.value.dim();
    outputs_.o = {reinterpret_cast<std::byte*>(rows_.data()), DType::kF32, {inputs_.query.heads(), tokens, dim}, {tokens * dim, dim, 1}};
  }

  absl::StatusOr<FileQuality> Measure(const std::string& path) {
    FileQuality file{.path = path,
                     .query = inputs_.query,
                     .key = inputs_.key,
                     .value = inputs_.value,
                     .by_error = {},
                     .by_budget = {},
                     .oracle = {},
                     .decode = {}};
    for (double error : command_.errors) {
      RunOptions options{.mode = Mode::kTolerance};
      options.tolerance = {error, kConfidence};
      if (absl::Status done = Attend(options, file.by_error.emplace_back()); !done.ok()) return done;
    }
    for (double budget : command_.budgets) {
      RunOptions options{.mode = Mode::kBudget, .budget = budget};
      if (absl::Status done = Attend(options, file.by_budget.emplace_back()); !done.ok()) return done;
    }
    const std::vector<int64_t> late = LateQueries(inputs_.query, inputs_.key, command_.oracle_queries, command_.seed);
    absl::StatusOr<Oracle> oracle = MeasureOracle(inputs_.query, inputs_.key, inputs_.value,
                                                  {.scale = subject_.plans[0].graph().scale(),
                                                   .queries = late,
                                                   .errors = command_.errors,
                                                   .budgets = command_.budgets,
                                                   .cancelled = cancelled_});
    if (!oracle.ok()) return oracle.status();
    file.oracle = *std::move(oracle);
    absl::StatusOr<DecodeView> decode = MeasureDecode(
        subject_.plans[0], inputs_, {.queries = late, .budgets = command_.decode_budgets, .seed = command_.seed, .cancelled = cancelled_});
    if (!decode.ok()) return decode.status();
    file.decode = *std::move(decode);
    return file;
  }

 private:
  // For the callback of a part: a run, its verification, or the oracle.
  std::function<bool(double)> NextPart() {
    const double begun = parts_++,
                 parts = static_cast<double>(2 * kMethods.size() * (command_.errors.size() + command_.budgets.size()) + 1);
    return [this, begun, parts](double done) {
      bar_.Update((begun + done) / parts);
      return !cancelled_();
    };
  }

  absl::Status Attend(RunOptions options, std::array<MethodQuality, kMethods.size()>& methods) {
    options.seed = command_.seed;
    options.threads = command_.threads;
    for (size_t m = 0; m < kMethods.size(); ++m) {
      options.progress = NextPart();
      const absl::StatusOr<RunReport> report = Run(subject_.plans[m], inputs_, outputs_, options);
      if (options.mode == Mode::kBudget && absl::IsFailedPrecondition(report.status())) {  // the least that works is in the message
        methods[m].refused = std::string(report.status().message());
        NextPart();  // nothing to verify
        continue;
      }
      if (absl::IsCancelled(report.status())) return absl::CancelledError("cancelled, nothing was written");
      if (!report.ok()) return report.status();
      if (absl::Status verified = VerifyInto(subject_.plans[m], *report, methods[m]); !verified.ok()) return verified;
    }
    return absl::OkStatus();
  }

  absl::Status VerifyInto(const Plan& plan, const RunReport& report, MethodQuality& quality) {
    const MutableTensorView& o = outputs_.o;
    const absl::StatusOr<VerifyStats> stats =
        Verify({.scale = plan.graph().scale(), .causal = true}, inputs_.query, inputs_.key, inputs_.value,
               {o.data, o.dtype, o.shape, o.strides}, {}, {.queries = command_.verify, .seed = command_.seed, .progress = NextPart()});
    if (absl::IsCancelled(stats.status())) return absl::CancelledError("cancelled, nothing was written");
    if (!stats.ok()) return stats.status();
    const int64_t first_position = inputs_.key.tokens() - inputs_.query.tokens();
    quality.mode = report.mode, quality.variant = report.variant, quality.seconds = report.seconds.total;
    quality.pooled = Judge(kPooled, report.read, report.dense_blocks, *stats, report, first_position);
    for (const HeadReport& head : report.heads)
      quality.heads.push_back(Judge(head.head, head.read, head.dense_blocks, *stats, report, first_position));
    return absl::OkStatus();
  }

  const QualityCommand& command_;
  const Subject& subject_;
  const Inputs& inputs_;
  const std::function<bool()>& cancelled_;
  std::vector<float> rows_;  // behind outputs_
  ProgressBar bar_{"quality"};
  int parts_ = 0;  // begun
  Outputs outputs_;
};

}  // namespace

absl::StatusOr<QualityReport> MeasureQuality(const QualityCommand& command, const std::function<bool()>& cancelled,
                                             const std::function<void(const FileQuality&)>& done) {
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const std::string& path : command.files) {
    absl::StatusOr<std::unique_ptr<Subject>> subject = Open(path, command.last);
    if (!subject.ok()) return subject.status();
    subjects.push_back(*std::move(subject));
  }
  std::optional<tbb::global_control> threads;  // of what is not a run, too
  if (command.threads > 0) threads.emplace(tbb::global_control::max_allowed_parallelism, command.threads);
  QualityReport report{.cpu = ThisMachine().model, .date = Now(), .files = {}};
  for (size_t f = 0; f < subjects.size(); ++f) {
    absl::StatusOr<FileQuality> file = FileRuns(command, *subjects[f], cancelled).Measure(command.files[f]);
    if (absl::IsCancelled(file.status())) return file.status();
    if (!file.ok()) return Located(command.files[f], file.status());
    done(*file);
    report.files.push_back(*std::move(file));
    for (TensorView* tensor : {&report.files.back().query, &report.files.back().key, &report.files.back().value}) tensor->data = nullptr;
  }
  return report;
}

}  // namespace hsa::bench

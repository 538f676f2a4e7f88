#include "tests/end_to_end/routed_stream.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>

#include "frontend/compile.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

OwnedTensor Owned(int64_t heads, int64_t tokens, int64_t dim, const std::vector<float>& values) {
  OwnedTensor tensor(heads, tokens, dim, DType::kF32, Layout::kHeadsFirst);
  tensor.Fill(values);
  return tensor;
}

}  // namespace

frontend::Graph StreamGraph(const oracle::RoutedSpec& spec) {
  frontend::Graph graph;
  graph.set_name("stream");
  const auto input = [&](const char* name, int64_t heads, int64_t dim) {
    frontend::Tensor& tensor = *graph.add_inputs();
    tensor.set_name(name), tensor.set_heads(static_cast<uint32_t>(heads)), tensor.set_dim(static_cast<uint32_t>(dim));
  };
  input("q", spec.H, spec.D), input("k", spec.Hkv, spec.D), input("v", spec.Hkv, spec.Dv);
  input("center", spec.Hkv, spec.D), input("variance", spec.Hkv, spec.isotropic ? 1 : spec.D);
  if (spec.amplitude) input("amplitude", spec.Hkv, 1);
  frontend::Routed& routed = *graph.add_nodes()->mutable_routed();
  routed.set_query("q"), routed.set_key("k"), routed.set_value("v"), routed.set_output("o");
  routed.set_center("center"), routed.set_variance("variance"), routed.set_causal(spec.causal);
  if (spec.amplitude) routed.set_amplitude("amplitude");
  for (size_t i = 0; i < spec.levels.size(); ++i) {
    frontend::Routed::Level& level = *routed.add_levels();
    level.set_splats(static_cast<uint32_t>(spec.levels[i]));
    if (!spec.weights.empty()) level.set_weight(spec.weights[i]);
  }
  return graph;
}

const Plan& StreamPlan(const oracle::RoutedSpec& spec) {
  static std::map<std::string, std::unique_ptr<Plan>> plans;
  const frontend::Graph graph = StreamGraph(spec);
  std::unique_ptr<Plan>& plan = plans[graph.SerializeAsString()];
  if (plan == nullptr) {
    absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(graph, {.cache_dir = HSA_PLAN_CACHE});
    if (!compiled.ok()) throw std::runtime_error(compiled.status().ToString());  // gtest fails the test with it
    absl::StatusOr<Plan> loaded = Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), "plan of a test");
    if (!loaded.ok()) throw std::runtime_error(loaded.status().ToString());
    plan = std::make_unique<Plan>(*std::move(loaded));
  }
  return *plan;
}

std::vector<float> RowsOf(const std::vector<float>& values, int64_t heads, int64_t dim, int64_t begin, int64_t end) {
  const int64_t tokens = static_cast<int64_t>(values.size()) / (heads * dim);
  std::vector<float> rows;
  for (int64_t h = 0; h < heads; ++h)
    rows.insert(rows.end(), values.begin() + (h * tokens + begin) * dim, values.begin() + (h * tokens + end) * dim);
  return rows;
}

oracle::RoutedProblem Piece(const oracle::RoutedProblem& problem, int64_t begin, int64_t end) {
  oracle::RoutedProblem piece = problem;
  const oracle::RoutedSpec& spec = problem.spec;
  piece.spec.N = piece.spec.M = end - begin;
  piece.q = RowsOf(problem.q, spec.H, spec.D, begin, end);
  piece.k = RowsOf(problem.k, spec.Hkv, spec.D, begin, end);
  piece.v = RowsOf(problem.v, spec.Hkv, spec.Dv, begin, end);
  return piece;
}

absl::StatusOr<StreamRun> TryStream(const oracle::RoutedProblem& p, const RunOptions& options, SplatsFrom splats) {
  const oracle::RoutedSpec& s = p.spec;
  const OwnedTensor q = Owned(s.H, s.N, s.D, p.q), k = Owned(s.Hkv, s.M, s.D, p.k), v = Owned(s.Hkv, s.M, s.Dv, p.v);
  const OwnedTensor center = Owned(s.Hkv, p.splats(), s.D, p.center), variance = Owned(s.Hkv, p.splats(), p.variance_dim(), p.variance);
  std::optional<OwnedTensor> amplitude;
  if (s.amplitude) amplitude = Owned(s.Hkv, p.splats(), 1, p.amplitude);
  Inputs inputs{q.view(), k.view(), v.view()};
  if (splats == SplatsFrom::kProblem) inputs.splats = {center.view(), variance.view(), amplitude ? amplitude->view() : TensorView{}};
  OwnedTensor o(s.H, s.N, s.Dv, DType::kF32, Layout::kHeadsFirst);
  absl::StatusOr<RunReport> report = Run(StreamPlan(s), inputs, {.o = o.mutable_view()}, options);
  if (!report.ok()) return report.status();
  return StreamRun{o.Values(), *report};
}

StreamRun MustStream(const oracle::RoutedProblem& problem, const RunOptions& options, SplatsFrom splats) {
  absl::StatusOr<StreamRun> run = TryStream(problem, options, splats);
  if (!run.ok()) throw std::runtime_error(run.status().ToString());  // gtest fails the test with it
  return *std::move(run);
}

}  // namespace hsa::end_to_end

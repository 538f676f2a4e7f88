#include "tests/end_to_end/routed_stream.h"

#include <numeric>
#include <optional>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/run_problem.h"

namespace hsa::end_to_end {
namespace {

OwnedTensor Owned(int64_t heads, int64_t tokens, int64_t dim, const std::vector<float>& values) {
  OwnedTensor tensor(heads, tokens, dim, DType::kF32, Layout::kHeadsFirst);
  tensor.Fill(values);
  return tensor;
}

// Levels that are linked, from and to: both ways between neighbours, as RandomRouted links them.
std::vector<std::pair<int64_t, int64_t>> LinksOf(const oracle::RoutedSpec& spec) {
  std::vector<std::pair<int64_t, int64_t>> links;
  for (int64_t level = 1; spec.link && level < static_cast<int64_t>(spec.levels.size()); ++level)
    links.emplace_back(level - 1, level), links.emplace_back(level, level - 1);
  return links;
}

int64_t FirstOf(const oracle::RoutedSpec& spec, int64_t level) {
  return std::accumulate(spec.levels.begin(), spec.levels.begin() + level, int64_t{0});
}

// The weights of the links of a problem, in their order.
std::vector<OwnedTensor> WeightsOf(const oracle::RoutedProblem& p) {
  std::vector<OwnedTensor> weights;
  const int64_t S = p.splats();
  for (const auto& [from, to] : LinksOf(p.spec)) {
    std::vector<float> values;
    for (int64_t g = 0; g < p.spec.Hkv; ++g)
      for (int64_t s = 0; s < p.spec.levels[to]; ++s) {
        const auto row = p.link.begin() + (g * S + FirstOf(p.spec, to) + s) * S + FirstOf(p.spec, from);
        values.insert(values.end(), row, row + p.spec.levels[from]);
      }
    weights.push_back(Owned(p.spec.Hkv, p.spec.levels[to], p.spec.levels[from], values));
  }
  return weights;
}

}  // namespace

frontend::Graph StreamGraph(const oracle::RoutedSpec& spec) {
  frontend::Graph graph = RoutedGraph("stream", spec);
  for (const auto& [from, to] : LinksOf(spec)) {
    frontend::Routed::Link& link = *graph.mutable_nodes(0)->mutable_routed()->add_links();
    link.set_from(static_cast<uint32_t>(from)), link.set_to(static_cast<uint32_t>(to));
    link.set_weight(absl::StrCat("link_", from, "_", to));
    AddInput(graph, link.weight(), spec.Hkv, spec.levels[from]);
  }
  return graph;
}

const Plan& StreamPlan(const oracle::RoutedSpec& spec) { return RoutedPlan(StreamGraph(spec)); }

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
  return TryStream(StreamPlan(p.spec), p, options, splats);
}

absl::StatusOr<StreamRun> TryStream(const Plan& plan, const oracle::RoutedProblem& p, const RunOptions& options, SplatsFrom splats) {
  const oracle::RoutedSpec& s = p.spec;
  const OwnedTensor q = Owned(s.H, s.N, s.D, p.q), k = Owned(s.Hkv, s.M, s.D, p.k), v = Owned(s.Hkv, s.M, s.Dv, p.v);
  const OwnedTensor center = Owned(s.Hkv, p.splats(), s.D, p.center), variance = Owned(s.Hkv, p.splats(), p.variance_dim(), p.variance);
  std::optional<OwnedTensor> amplitude;
  if (s.amplitude) amplitude = Owned(s.Hkv, p.splats(), 1, p.amplitude);
  Inputs inputs{q.view(), k.view(), v.view()};
  if (splats == SplatsFrom::kProblem) {
    inputs.splats.center = center.view(), inputs.splats.variance = variance.view();
    if (amplitude) inputs.splats.amplitude = amplitude->view();
  }
  const std::vector<OwnedTensor> links = WeightsOf(p);
  for (const OwnedTensor& weight : links) inputs.splats.links.push_back(weight.view());
  std::optional<OwnedTensor> gate_weight, gate_bias;
  const auto levels = static_cast<int64_t>(s.levels.size());
  if (s.gate) inputs.splats.gate_weight = gate_weight.emplace(Owned(s.Hkv, levels, s.D, p.gate_weight)).view();
  if (s.gate) inputs.splats.gate_bias = gate_bias.emplace(Owned(s.Hkv, levels, 1, p.gate_bias)).view();
  OwnedTensor o(s.H, s.N, s.Dv, DType::kF32, Layout::kHeadsFirst);
  absl::StatusOr<RunReport> report = Run(plan, inputs, {.o = o.mutable_view()}, options);
  if (!report.ok()) return report.status();
  return StreamRun{o.Values(), *report};
}

StreamRun MustStream(const oracle::RoutedProblem& problem, const RunOptions& options, SplatsFrom splats) {
  absl::StatusOr<StreamRun> run = TryStream(problem, options, splats);
  if (!run.ok()) throw std::runtime_error(run.status().ToString());  // gtest fails the test with it
  return *std::move(run);
}

}  // namespace hsa::end_to_end

#include "tests/end_to_end/routed_stream.h"

#include <numeric>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "tests/end_to_end/routed_graph.h"

namespace hsa::end_to_end {
namespace {

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

// The weights of a link of a problem, [Hkv, n_to, n_from].
std::vector<float> WeightOf(const oracle::RoutedProblem& p, int64_t from, int64_t to) {
  const int64_t S = p.splats();
  std::vector<float> values;
  for (int64_t g = 0; g < p.spec.Hkv; ++g)
    for (int64_t s = 0; s < p.spec.levels[to]; ++s) {
      const auto row = p.link.begin() + (g * S + FirstOf(p.spec, to) + s) * S + FirstOf(p.spec, from);
      values.insert(values.end(), row, row + p.spec.levels[from]);
    }
  return values;
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

StreamInputs::StreamInputs(const oracle::RoutedProblem& p, SplatsFrom from) {
  const oracle::RoutedSpec& s = p.spec;
  inputs_.query = Own(s.H, s.N, s.D, p.q), inputs_.key = Own(s.Hkv, s.M, s.D, p.k), inputs_.value = Own(s.Hkv, s.M, s.Dv, p.v);
  SplatTensors& splats = inputs_.splats;
  if (from == SplatsFrom::kProblem) {
    splats.center = Own(s.Hkv, p.splats(), s.D, p.center);
    if (!s.full) splats.variance = Own(s.Hkv, p.splats(), p.variance_dim(), p.variance);
    if (p.factor_rows() > 0) splats.factor = Own(s.Hkv, p.splats() * p.factor_rows(), s.D, p.factor);
    if (s.amplitude) splats.amplitude = Own(s.Hkv, p.splats(), 1, p.amplitude);
  }
  for (const auto& [link_from, link_to] : LinksOf(s))
    splats.links.push_back(Own(s.Hkv, s.levels[link_to], s.levels[link_from], WeightOf(p, link_from, link_to)));
  const auto levels = static_cast<int64_t>(s.levels.size());
  if (s.gate) splats.gate_weight = Own(s.Hkv, levels, s.D, p.gate_weight), splats.gate_bias = Own(s.Hkv, levels, 1, p.gate_bias);
}

TensorView StreamInputs::Own(int64_t heads, int64_t tokens, int64_t dim, const std::vector<float>& values) {
  OwnedTensor& tensor = tensors_.emplace_back(heads, tokens, dim, DType::kF32, Layout::kHeadsFirst);
  tensor.Fill(values);
  return tensor.view();
}

absl::StatusOr<StreamRun> TryStream(const oracle::RoutedProblem& p, const RunOptions& options, SplatsFrom splats) {
  return TryStream(StreamPlan(p.spec), p, options, splats);
}

absl::StatusOr<StreamRun> TryStream(const Plan& plan, const oracle::RoutedProblem& p, const RunOptions& options, SplatsFrom splats) {
  const StreamInputs tensors(p, splats);
  OwnedTensor o(p.spec.H, p.spec.N, p.spec.Dv, DType::kF32, Layout::kHeadsFirst);
  absl::StatusOr<RunReport> report = Run(plan, tensors.inputs(), {.o = o.mutable_view()}, options);
  if (!report.ok()) return report.status();
  return StreamRun{o.Values(), *report};
}

StreamRun MustStream(const oracle::RoutedProblem& problem, const RunOptions& options, SplatsFrom splats) {
  absl::StatusOr<StreamRun> run = TryStream(problem, options, splats);
  if (!run.ok()) throw std::runtime_error(run.status().ToString());  // gtest fails the test with it
  return *std::move(run);
}

}  // namespace hsa::end_to_end

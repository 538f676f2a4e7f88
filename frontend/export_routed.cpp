#include "frontend/export_routed.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "frontend/import_graph.h"
#include "frontend/module_tensors.h"

namespace hsa::frontend {
namespace {

using namespace mlir;

// What a link reads: a weight, or expand and compress.
void addLink(Routed& routed, ir::LinksOp links, size_t number, size_t& factor, std::vector<Role>& roles) {
  Routed::Link& link = *routed.add_links();
  link.set_from(static_cast<uint32_t>(links.getFrom()[number])), link.set_to(static_cast<uint32_t>(links.getTo()[number]));
  const auto add = [&](const char* field, std::string* reader) {
    const Value operand = links.getFactors()[factor++];
    roles.push_back({operand, absl::StrCat(field, " of link ", number), absl::StrCat("link_", number, "_", field), reader});
  };
  if (links.getRanks()[number] == 0) return add("weight", link.mutable_weight());
  add("expand", link.mutable_expand());
  add("compress", link.mutable_compress());
}

absl::Status addLinks(Routed& routed, ir::RoutedAttentionOp op, std::vector<Role>& roles) {
  if (!op.getLink()) return absl::OkStatus();
  auto links = op.getLink().getDefiningOp<ir::LinksOp>();
  if (!links)
    return refuseModule("module_c80: link of the attention is not made by hsa.links; a plan reads the links of its levels one by one");
  if (links.getLevels() != op.getLevels()) return refuseModule("module_c80: hsa.links has other levels than the attention that reads it");
  size_t factor = 0;
  for (size_t number = 0; number < links.getFrom().size(); ++number) addLink(routed, links, number, factor, roles);
  return absl::OkStatus();
}

std::vector<Role> rolesOf(Routed& routed, ir::RoutedAttentionOp op) {
  std::vector<Role> roles = {{op.getQuery(), "query", "q", routed.mutable_query()},
                             {op.getKey(), "key", "k", routed.mutable_key()},
                             {op.getValue(), "value", "v", routed.mutable_value()},
                             {op.getCenter(), "center", "center", routed.mutable_center()}};
  const auto add = [&](Value operand, const char* role, std::string* (Routed::*reader)()) {
    if (operand) roles.push_back({operand, role, role, (routed.*reader)()});
  };
  add(op.getVariance(), "variance", &Routed::mutable_variance);
  add(op.getFactor(), "factor", &Routed::mutable_factor);
  add(op.getCholesky(), "cholesky", &Routed::mutable_cholesky);
  add(op.getAmplitude(), "amplitude", &Routed::mutable_amplitude);
  add(op.getGateWeight(), "gate_weight", &Routed::mutable_gate_weight);
  add(op.getGateBias(), "gate_bias", &Routed::mutable_gate_bias);
  return roles;
}

// In the order of the arguments, which is that of the graph's inputs.
absl::Status addInputs(Graph& graph, func::FuncOp function, std::vector<Role> roles) {
  const auto number = [](const Role& role) {
    auto argument = dyn_cast<BlockArgument>(role.operand);
    return argument ? argument.getArgNumber() : 0;
  };
  std::sort(roles.begin(), roles.end(),
            [&](const Role& a, const Role& b) { return std::pair(number(a), a.role) < std::pair(number(b), b.role); });
  for (size_t i = 0; i < roles.size(); ++i) {
    if (i > 0 && roles[i].operand == roles[i - 1].operand)
      return refuseModule("module_c81: argument ", number(roles[i]), " is read as ", roles[i - 1].role, " and as ", roles[i].role,
                          "; wanted one argument for each");
    if (absl::Status added = addInput(graph, function, roles[i]); !added.ok()) return added;
  }
  if (function.getNumArguments() == roles.size()) return absl::OkStatus();
  return refuseModule("module_c3: function '", function.getName().str(), "' has ", function.getNumArguments(),
                      " arguments, its attention reads ", roles.size());
}

absl::Status addLevels(Routed& routed, ir::RoutedAttentionOp op) {
  for (auto [splats, weight] : llvm::zip_equal(op.getLevels(), op.getWeights())) {
    if (absl::Status fits = checkFits("levels", {splats}); !fits.ok()) return fits;
    Routed::Level& level = *routed.add_levels();
    level.set_splats(static_cast<uint32_t>(splats)), level.set_weight(weight);
  }
  if (op.getNames())
    for (auto [level, name] : llvm::zip_equal(*routed.mutable_levels(), op.getNames()->getAsValueRange<StringAttr>()))
      level.set_name(name.str());
  if (const std::optional<ArrayRef<int64_t>> dims = op.getValueDims())
    for (auto [level, dim] : llvm::zip_equal(*routed.mutable_levels(), *dims)) level.set_value_dim(static_cast<uint32_t>(dim));
  return absl::OkStatus();
}

void addAdapt(Routed& routed, ir::AdaptAttr adapt) {
  if (!adapt) return;
  Routed::Adapt& to = *routed.mutable_adapt();
  to.set_what(adapt.getWhat() == ir::AdaptKind::Observe ? Routed::Adapt::OBSERVE : Routed::Adapt::SPLATS);
  to.set_segment_tokens(static_cast<uint32_t>(adapt.getSegmentTokens()));
  to.set_most_events(static_cast<uint32_t>(adapt.getMostEvents()));
  to.set_least_splats(static_cast<uint32_t>(adapt.getLeastSplats()));
  to.set_history(static_cast<uint32_t>(adapt.getHistory()));
  const auto given = [&](FloatAttr number, void (Routed::Adapt::*set)(double)) {
    if (number) (to.*set)(number.getValueAsDouble());
  };
  given(adapt.getMemory(), &Routed::Adapt::set_memory);
  given(adapt.getCover(), &Routed::Adapt::set_cover);
  given(adapt.getUncoveredShare(), &Routed::Adapt::set_uncovered_share);
  given(adapt.getIdle(), &Routed::Adapt::set_idle);
  given(adapt.getGain(), &Routed::Adapt::set_gain);
  to.set_asleep(static_cast<uint32_t>(adapt.getAsleep()));
  to.set_level_tokens(static_cast<uint64_t>(adapt.getLevelTokens()));
  given(adapt.getLevelResidual(), &Routed::Adapt::set_level_residual);
  given(adapt.getLevelGain(), &Routed::Adapt::set_level_gain);
  given(adapt.getWeightBound(), &Routed::Adapt::set_weight_bound);
}

absl::Status addSparse(Routed& routed, ir::SparseAttr sparse) {
  if (!sparse) return absl::OkStatus();
  if (absl::Status fits = checkFits("sparse", {sparse.getTop()}); !fits.ok()) return fits;
  routed.mutable_sparse()->set_top(static_cast<uint32_t>(sparse.getTop()));
  if (sparse.getThreshold()) routed.mutable_sparse()->set_threshold(sparse.getThreshold().getValueAsDouble());
  return absl::OkStatus();
}

absl::Status addOutput(Graph& graph, Routed& routed, func::FuncOp function, ir::RoutedAttentionOp op, func::ReturnOp done) {
  if (done.getNumOperands() != 1 || done.getOperand(0) != op.getOutput())
    return refuseModule("module_c3: the function returns ", done.getNumOperands(), " values, wanted the output of its attention alone");
  const absl::StatusOr<std::string> name = nameOf(function.getResultAttr(0, kNameAttr), "o");
  if (!name.ok()) return name.status();
  routed.set_output(*name);
  graph.add_outputs(*name);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Graph> exportRouted(func::FuncOp function, ir::RoutedAttentionOp op, func::ReturnOp done) {
  Graph graph;
  graph.set_name(function.getName().str());
  Routed& routed = *graph.add_nodes()->mutable_routed();
  std::vector<Role> roles = rolesOf(routed, op);
  absl::Status status = addLinks(routed, op, roles);
  if (status.ok()) status = addInputs(graph, function, std::move(roles));
  if (status.ok()) status = addLevels(routed, op);
  if (status.ok()) status = addSparse(routed, op.getSparseAttr());
  if (status.ok()) status = addOutput(graph, routed, function, op, done);
  if (!status.ok()) return status;
  routed.set_causal(op.getCausal());
  addAdapt(routed, op.getAdaptAttr());
  if (op.getWindow()) routed.set_window(*op.getWindow());
  return graph;
}

}  // namespace hsa::frontend

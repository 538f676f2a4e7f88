#include "frontend/import_graph.h"

#include <map>
#include <numeric>
#include <string>

#include "dialect/hsa_ops.h"
#include "frontend/check_graph.h"
#include "frontend/check_levels.h"
#include "llvm/ADT/SmallVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace hsa::frontend {
namespace {

using namespace mlir;

// Of any length unless the graph tells it.
int64_t tokensOf(const Tensor& tensor) { return tensor.has_tokens() ? static_cast<int64_t>(tensor.tokens()) : ShapedType::kDynamic; }

ir::MaskAttr maskOf(Builder& b, const Attention::Mask& mask) {
  return ir::MaskAttr::get(b.getContext(), mask.causal(), mask.sliding_window(), mask.sink_tokens());
}

ir::ConfigAttr configOf(Builder& b, const Attention::Splats& splats) {
  const FloatAttr theta = splats.has_theta() ? b.getF64FloatAttr(splats.theta()) : FloatAttr();
  const FloatAttr tolerance = splats.has_tolerance() ? b.getF64FloatAttr(splats.tolerance()) : FloatAttr();
  const FloatAttr confidence = splats.has_confidence() ? b.getF64FloatAttr(splats.confidence()) : FloatAttr();
  const ir::QueryOrder order = splats.query_order() == Attention::POSITION ? ir::QueryOrder::Position : ir::QueryOrder::Content;
  return ir::ConfigAttr::get(b.getContext(), splats.order(), theta, splats.near_sink_tokens(), splats.window_tokens(),
                             splats.tile_queries(), kLeafTokens, splats.mini_segment_tokens(), splats.segment_tokens(), splats.bands(),
                             tolerance, confidence, order);
}

// The tensors of one attention of either scheme, and the types of what it makes.
struct Shapes {
  template <typename Node>
  Shapes(Builder& b, const Graph& graph, const Node& attention) {
    for (const Tensor& input : graph.inputs()) {
      if (input.name() == attention.query()) query = &input;
      if (input.name() == attention.value()) value = &input;
    }
    const int64_t heads = query->heads(), tokens = tokensOf(*query), valueDim = value->dim();
    output = RankedTensorType::get({heads, tokens, valueDim}, b.getF32Type());
    lse = RankedTensorType::get({heads, tokens}, b.getF32Type());
  }
  const Tensor* query = nullptr;
  const Tensor* value = nullptr;
  RankedTensorType output, lse;
};

// The function with its arguments and results named and its body empty.
func::FuncOp createFunction(ImplicitLocOpBuilder& b, const Graph& graph, ArrayRef<Type> results, ArrayRef<std::string> names) {
  SmallVector<Type> arguments;
  for (const Tensor& input : graph.inputs())
    arguments.push_back(RankedTensorType::get({input.heads(), tokensOf(input), input.dim()}, b.getF32Type()));
  auto function = func::FuncOp::create(b, graph.name(), b.getFunctionType(arguments, results));
  for (int i = 0; i < graph.inputs_size(); ++i) function.setArgAttr(i, kNameAttr, b.getStringAttr(graph.inputs(i).name()));
  for (auto [i, name] : llvm::enumerate(names)) function.setResultAttr(i, kNameAttr, b.getStringAttr(name));
  return function;
}

// The values of the function's arguments by the names of their tensors.
std::map<std::string, Value> argumentsOf(func::FuncOp function, const Graph& graph) {
  std::map<std::string, Value> values;
  for (int i = 0; i < graph.inputs_size(); ++i) values[graph.inputs(i).name()] = function.getArgument(i);
  return values;
}

void importAttention(ImplicitLocOpBuilder& b, const Graph& graph) {
  const Attention& attention = graph.nodes(0).attention();
  const Shapes shapes(b, graph, attention);
  SmallVector<Type> results = {shapes.output};
  SmallVector<std::string> names = {attention.output()};
  if (attention.has_lse()) results.push_back(shapes.lse), names.push_back(attention.lse());
  func::FuncOp function = createFunction(b, graph, results, names);
  b.setInsertionPointToEnd(function.addEntryBlock());
  std::map<std::string, Value> values = argumentsOf(function, graph);
  auto op = ir::AttentionOp::create(b, results, ValueRange{values[attention.query()], values[attention.key()], values[attention.value()]});
  op.setMaskAttr(maskOf(b, attention.mask()));
  op.setScaleAttr(b.getF64FloatAttr(attention.scale()));
  op.setConfigAttr(configOf(b, attention.splats()));
  func::ReturnOp::create(b, op->getResults());
}

// Rows of the tensors of links and gate, which the levels tell.
void setFlowTokens(Graph& graph, const Routed& routed) {
  std::map<std::string, uint64_t> rows;
  for (const Routed::Link& link : routed.links()) {
    const uint64_t to = routed.levels(static_cast<int>(link.to())).splats();
    rows[link.weight()] = rows[link.expand()] = to;
    for (const Tensor& input : graph.inputs())
      if (link.has_expand() && input.name() == link.expand()) rows[link.compress()] = input.dim();
  }
  rows[routed.gate_weight()] = rows[routed.gate_bias()] = static_cast<uint64_t>(routed.levels_size());
  for (Tensor& input : *graph.mutable_inputs())
    if (auto found = rows.find(input.name()); found != rows.end()) input.set_tokens(found->second);
}

Value importLinks(ImplicitLocOpBuilder& b, const Routed& routed, ArrayRef<int64_t> levels, std::map<std::string, Value>& values) {
  SmallVector<Value> factors;
  SmallVector<int64_t> from, to, ranks;
  for (const Routed::Link& link : routed.links()) {
    from.push_back(link.from()), to.push_back(link.to()), ranks.push_back(0);
    if (link.has_weight()) {
      factors.push_back(values[link.weight()]);
      continue;
    }
    factors.append({values[link.expand()], values[link.compress()]});
    ranks.back() = cast<RankedTensorType>(factors[factors.size() - 2].getType()).getDimSize(2);
  }
  const int64_t splats = std::accumulate(levels.begin(), levels.end(), int64_t{0});
  const int64_t heads = cast<RankedTensorType>(factors.front().getType()).getDimSize(0);
  return ir::LinksOp::create(b, RankedTensorType::get({heads, splats, splats}, b.getF32Type()), factors, b.getDenseI64ArrayAttr(levels),
                             b.getDenseI64ArrayAttr(from), b.getDenseI64ArrayAttr(to), b.getDenseI64ArrayAttr(ranks));
}

ir::SparseAttr sparseOf(Builder& b, const Routed::Sparse& sparse) {
  return ir::SparseAttr::get(b.getContext(), sparse.top(), sparse.has_threshold() ? b.getF64FloatAttr(sparse.threshold()) : FloatAttr());
}

ir::AdaptAttr adaptOf(Builder& b, const Routed::Adapt& adapt) {
  const auto number = [&](double x) { return b.getF64FloatAttr(x); };
  return ir::AdaptAttr::get(b.getContext(), adapt.what() == Routed::Adapt::OBSERVE ? ir::AdaptKind::Observe : ir::AdaptKind::Splats,
                            adapt.segment_tokens(), adapt.most_events(), adapt.least_splats(), adapt.history(), number(adapt.memory()),
                            number(adapt.cover()), number(adapt.uncovered_share()), number(adapt.idle()), number(adapt.gain()),
                            adapt.asleep(), static_cast<int64_t>(adapt.level_tokens()), number(adapt.level_residual()),
                            number(adapt.level_gain()), number(adapt.weight_bound()));
}

void importRouted(ImplicitLocOpBuilder& b, Graph graph) {
  const Routed& routed = graph.nodes(0).routed();
  SmallVector<int64_t> levels;
  SmallVector<double> weights;
  SmallVector<StringRef> names;
  int64_t splats = 0;
  for (const Routed::Level& level : routed.levels()) {
    levels.push_back(level.splats()), weights.push_back(level.weight());
    names.push_back(level.name());
    splats += level.splats();
  }
  for (Tensor& input : *graph.mutable_inputs())  // their tokens are splats, whose number is known
    if (input.name() == routed.center() || input.name() == routed.variance() || input.name() == routed.amplitude())
      input.set_tokens(splats);
  for (Tensor& input : *graph.mutable_inputs())
    if (input.name() == routed.cholesky()) input.set_tokens(splats * input.dim());
  setFlowTokens(graph, routed);
  const Shapes shapes(b, graph, routed);
  func::FuncOp function = createFunction(b, graph, {shapes.output}, {routed.output()});
  b.setInsertionPointToEnd(function.addEntryBlock());
  std::map<std::string, Value> values = argumentsOf(function, graph);
  const auto given = [&](const std::string& name) { return name.empty() ? Value() : values[name]; };
  const Value amplitude = given(routed.amplitude());
  const Value link = routed.links().empty() ? Value() : importLinks(b, routed, levels, values);
  const Value gateWeight = given(routed.gate_weight()), gateBias = given(routed.gate_bias());
  auto op = ir::RoutedAttentionOp::create(
      b, shapes.output, values[routed.query()], values[routed.key()], values[routed.value()], values[routed.center()],
      given(routed.variance()), given(routed.factor()), given(routed.cholesky()), amplitude, link, gateWeight, gateBias,
      b.getDenseI64ArrayAttr(levels), b.getDenseF64ArrayAttr(weights), routed.causal() ? b.getUnitAttr() : UnitAttr(),
      routed.has_sparse() ? sparseOf(b, routed.sparse()) : ir::SparseAttr(), b.getStrArrayAttr(names),
      HasValueDims(routed) ? b.getDenseI64ArrayAttr(ValueDims(routed, shapes.value->dim())) : DenseI64ArrayAttr(),
      routed.has_adapt() ? adaptOf(b, routed.adapt()) : ir::AdaptAttr(),
      routed.has_window() ? b.getI64IntegerAttr(static_cast<int64_t>(routed.window())) : IntegerAttr());
  func::ReturnOp::create(b, op->getResults());
}

}  // namespace

OwningOpRef<ModuleOp> importGraph(const Graph& sparse, MLIRContext& context) {
  const Graph graph = WithDefaults(sparse);
  ImplicitLocOpBuilder b(NameLoc::get(StringAttr::get(&context, graph.name())), &context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToEnd(module->getBody());
  graph.nodes(0).has_routed() ? importRouted(b, graph) : importAttention(b, graph);
  return module;
}

}  // namespace hsa::frontend

#include "passes/export/schedule.h"

#include "kernels/tile_shape.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/export/arena.h"
#include "runtime/format/adapt_limits.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

const llvm::StringMap<format::Space>& spaces() {
  static const llvm::StringMap<format::Space> names = {
      {"segment", format::SEGMENT}, {"level", format::LEVEL}, {"tile", format::TILE}, {"rows", format::ROWS}};
  return names;
}

// INPUT for what the entries of a stage read or write in the types of a user's tensor.
format::ElementType elementType(func::FuncOp entry, unsigned index) {
  if (entry.getArgAttr(index, "hsa.input")) return format::INPUT;
  const Type first = cast<MemRefType>(entry.getArgumentTypes()[index]).getElementType();
  return first.isInteger(32) ? format::I32 : first.isBF16() ? format::BF16 : first.isF16() ? format::F16 : format::F32;
}

// By its name: attend_leaf_pairs.bf16.
format::ElementType inputType(func::FuncOp entry) {
  return entry.getName().ends_with(".bf16") ? format::BF16 : entry.getName().ends_with(".f16") ? format::F16 : format::F32;
}

SmallVector<func::FuncOp> entriesOf(ScheduleOp schedule, PlanStageOp stage) {
  auto module = schedule->getParentOfType<ModuleOp>();
  SmallVector<func::FuncOp> entries;
  for (StringRef suffix : {"", ".f32", ".bf16", ".f16"})
    if (auto entry = module.lookupSymbol<func::FuncOp>((stage.getEntry() + suffix).str())) entries.push_back(entry);
  return entries;
}

// Links and the gate, as far as they are there.
void fillFlow(ScheduleOp schedule, format::Routed& routed) {
  auto name = [](ArrayAttr names, size_t i) { return cast<StringAttr>(names[i]).getValue().str(); };
  if (ArrayAttr gate = schedule.getGateNamesAttr()) routed.set_gate_weight(name(gate, 0)), routed.set_gate_bias(name(gate, 1));
  size_t factor = 0;
  for (auto [i, rank] : llvm::enumerate(schedule.getLinkRanks().value_or(ArrayRef<int64_t>()))) {
    format::Link& link = *routed.add_links();
    link.set_from(static_cast<uint32_t>((*schedule.getLinkFrom())[i]));
    link.set_to(static_cast<uint32_t>((*schedule.getLinkTo())[i]));
    link.set_rank(static_cast<uint32_t>(rank));
    if (rank == 0) {
      link.set_weight(name(schedule.getLinkNamesAttr(), factor++));
      continue;
    }
    link.set_expand(name(schedule.getLinkNamesAttr(), factor++));
    link.set_compress(name(schedule.getLinkNamesAttr(), factor++));
  }
}

// What is left out is as hsa::AdaptLimits has it.
void fillAdapt(AdaptAttr adapt, format::Adapt& out) {
  const AdaptLimits defaults;
  const auto number = [](FloatAttr given, double otherwise) { return given ? given.getValueAsDouble() : otherwise; };
  out.set_what(adapt.getWhat() == AdaptKind::Observe ? format::Adapt::OBSERVE : format::Adapt::SPLATS);
  out.set_segment_tokens(static_cast<uint64_t>(adapt.getSegmentTokens()));
  out.set_most_events(static_cast<uint32_t>(adapt.getMostEvents()));
  out.set_least_splats(static_cast<uint32_t>(adapt.getLeastSplats()));
  out.set_history(static_cast<uint32_t>(adapt.getHistory()));
  out.set_memory(number(adapt.getMemory(), defaults.memory));
  out.set_cover(number(adapt.getCover(), defaults.cover));
  out.set_uncovered_share(number(adapt.getUncoveredShare(), defaults.uncovered_share));
  out.set_idle(number(adapt.getIdle(), defaults.idle));
  out.set_gain(number(adapt.getGain(), defaults.gain));
  out.set_asleep(static_cast<uint32_t>(adapt.getAsleep()));
  out.set_level_tokens(static_cast<uint64_t>(adapt.getLevelTokens()));
  out.set_level_residual(number(adapt.getLevelResidual(), defaults.level_residual));
  out.set_level_gain(number(adapt.getLevelGain(), defaults.level_gain));
  out.set_weight_bound(number(adapt.getWeightBound(), defaults.weight_bound));
}

void fillRouted(ScheduleOp schedule, format::Routed& routed) {
  auto name = [&](unsigned i) { return cast<StringAttr>((*schedule.getSplatNames())[i]).getValue().str(); };
  routed.set_center(name(0));
  routed.set_variance(name(1));
  routed.set_amplitude(name(2));
  routed.set_isotropic(*schedule.getVarianceDim() == 1);
  const int64_t entries = *schedule.getVarianceDim();
  if (entries > 1 && entries < static_cast<int64_t>(schedule.getHeadDim())) routed.set_bands(static_cast<uint32_t>(entries));
  if (schedule.getFactorName() && entries == 0) routed.set_cholesky(schedule.getFactorName()->str());
  if (schedule.getFactorName() && entries > 0) {
    routed.set_factor(schedule.getFactorName()->str());
    routed.set_rank(static_cast<uint32_t>(*schedule.getFactorRows()));
  }
  for (auto [splats, weight] : llvm::zip_equal(*schedule.getSplatLevels(), *schedule.getLevelWeights())) {
    format::SplatLevel& level = *routed.add_levels();
    level.set_splats(static_cast<uint32_t>(splats));
    level.set_weight(weight);
  }
  if (ArrayAttr names = schedule.getLevelNamesAttr())
    for (auto [level, name] : llvm::enumerate(names.getAsRange<StringAttr>()))
      routed.mutable_levels(static_cast<int>(level))->set_name(name.getValue().str());
  for (auto [level, dims] : llvm::enumerate(schedule.getLevelValueDims().value_or(ArrayRef<int64_t>())))
    routed.mutable_levels(static_cast<int>(level))->set_value_dim(static_cast<uint32_t>(dims));
  if (AdaptAttr adapt = schedule.getAdaptAttr()) fillAdapt(adapt, *routed.mutable_adapt());
  routed.set_window(schedule.getWindow().value_or(0));
  fillFlow(schedule, routed);
  const std::optional<SparseAttr> keep = schedule.getSparse();
  if (!keep) return;
  routed.mutable_sparse()->set_top(static_cast<uint32_t>(keep->getTop()));
  if (keep->getThreshold()) routed.mutable_sparse()->set_threshold(keep->getThreshold().getValueAsDouble());
}

}  // namespace

void fillGraph(ScheduleOp schedule, format::Graph& graph) {
  graph.set_name(schedule.getSymName().str());
  graph.set_query(schedule.getQueryName().str());
  graph.set_key(schedule.getKeyName().str());
  graph.set_value(schedule.getValueName().str());
  graph.set_output(schedule.getOutputName().str());
  graph.set_query_heads(static_cast<uint32_t>(schedule.getQueryHeads()));
  graph.set_kv_heads(static_cast<uint32_t>(schedule.getKvHeads()));
  graph.set_head_dim(static_cast<uint32_t>(schedule.getHeadDim()));
  graph.set_value_dim(static_cast<uint32_t>(schedule.getValueDim()));
  graph.set_query_tokens(schedule.getQueryTokens().value_or(0));
  graph.set_key_tokens(schedule.getKeyTokens().value_or(0));
  graph.set_scale(schedule.getScale().convertToDouble());
  MaskAttr mask = schedule.getMask();
  graph.mutable_mask()->set_causal(mask.getCausal());
  graph.mutable_mask()->set_sliding_window(static_cast<uint64_t>(mask.getSlidingWindow()));
  graph.mutable_mask()->set_sink_tokens(static_cast<uint64_t>(mask.getSinkTokens()));
  if (schedule.getSplatLevels()) return fillRouted(schedule, *graph.mutable_routed());
  ConfigAttr config = schedule.getConfig();
  format::Splats& splats = *graph.mutable_splats();
  splats.set_order(static_cast<uint32_t>(config.getOrder()));
  splats.set_theta(config.getTheta().getValueAsDouble());
  splats.set_near_sink_tokens(static_cast<uint32_t>(config.getNearSinkTokens()));
  splats.set_window_tokens(static_cast<uint32_t>(config.getWindowTokens()));
  splats.set_tile_queries(static_cast<uint32_t>(config.getTileQueries()));
  splats.set_leaf_tokens(static_cast<uint32_t>(config.getLeafTokens()));
  splats.set_mini_segment_tokens(static_cast<uint32_t>(config.getMiniSegmentTokens()));
  splats.set_segment_tokens(static_cast<uint32_t>(config.getSegmentTokens()));
  // Four times as many tokens on each level up to a mini-segment, then a whole segment: the levels of docs/spec.md.
  for (int64_t tokens = config.getLeafTokens(); tokens < config.getMiniSegmentTokens(); tokens *= kGroupNodes)
    splats.add_level_tokens(static_cast<uint32_t>(tokens));
  splats.add_level_tokens(static_cast<uint32_t>(config.getMiniSegmentTokens()));
  splats.add_level_tokens(static_cast<uint32_t>(config.getSegmentTokens()));
  splats.set_bands(static_cast<uint32_t>(config.getBands()));
  splats.set_query_order(config.getQueryOrder() == QueryOrder::Position ? format::POSITION : format::CONTENT);
  if (config.getTolerance()) splats.set_tolerance(config.getTolerance().getValueAsDouble());
  if (config.getConfidence()) splats.set_confidence(config.getConfidence().getValueAsDouble());
}

llvm::Error fillStages(ScheduleOp schedule, format::PlanHeader& header) {
  std::vector<ArenaBuffer> buffers;
  llvm::StringMap<uint32_t> bufferIndex;
  uint32_t stageIndex = 0;
  for (auto stage : schedule.getBody().front().getOps<PlanStageOp>()) {
    format::Stage& out = *header.add_stages();
    out.set_name(stage.getEntry().str());
    out.set_space(spaces().lookup(stage.getSpace()));
    out.set_entry(stage.getEntry().str());
    out.set_typed(stage.getTyped());
    SmallVector<func::FuncOp> entries = entriesOf(schedule, stage);
    if (!entries.empty())
      if (auto features = entries[0]->getAttrOfType<StringAttr>("hsa.features")) {
        llvm::SmallVector<llvm::StringRef> names;
        features.getValue().split(names, ',');
        for (llvm::StringRef name : names) out.add_features(name.str());
      }
    // A stage of some inputs alone; store_rows has no entry for f16, and needs none (runtime/format/check_code.cpp).
    if (stage.getTyped() && out.features_size() > 0 && entries.size() < 3)
      for (func::FuncOp entry : entries) out.add_inputs(inputType(entry));
    if (entries.empty()) return llvm::createStringError("stage '" + stage.getEntry().str() + "' has no entry in the module");
    for (auto [index, attribute] : llvm::enumerate(stage.getArguments())) {
      auto type = dyn_cast<MemRefType>(entries[0].getArgumentTypes()[index]);
      if (!type)
        return llvm::createStringError("entry of stage '" + stage.getEntry().str() + "' is not bufferized; run hsa-bufferize first");
      format::Argument& argument = *out.add_arguments();
      argument.set_type(elementType(entries[0], index));
      for (int64_t size : type.getShape()) argument.add_shape(ShapedType::isDynamic(size) ? -1 : size);
      StringRef name = cast<StringAttr>(attribute).getValue();
      if (name.consume_front("@")) {
        argument.set_port(name.str());
        continue;
      }
      auto [found, added] = bufferIndex.try_emplace(name, buffers.size());
      if (added)
        buffers.push_back(
            {name.str(), static_cast<uint64_t>(type.getNumElements()) * type.getElementTypeBitWidth() / 8, stageIndex, stageIndex});
      buffers[found->second].last = stageIndex;
      argument.set_buffer(found->second);
    }
    ++stageIndex;
  }
  header.set_arena_bytes(placeBuffers(buffers));
  for (const ArenaBuffer& buffer : buffers) {
    format::Buffer& out = *header.add_buffers();
    out.set_name(buffer.name);
    out.set_offset(buffer.offset);
    out.set_bytes(buffer.bytes);
    out.set_first(buffer.first);
    out.set_last(buffer.last);
  }
  return llvm::Error::success();
}

}  // namespace hsa::ir

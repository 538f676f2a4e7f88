#include "passes/build_schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/schedule_params.h"
#include "passes/stage_table.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

struct Types {
  MLIRContext* context;
  Type input;  // null for a stage that is not typed

  Type tensor(const Term& term) const {
    Type element = term.element == Element::kF32    ? Type(Float32Type::get(context))
                   : term.element == Element::kBF16 ? Type(BFloat16Type::get(context))
                   : term.element == Element::kI32  ? Type(IntegerType::get(context, 32))
                                                    : input;
    SmallVector<int64_t> shape;
    for (int64_t size : term.shape) shape.push_back(size < 0 ? ShapedType::kDynamic : size);
    return RankedTensorType::get(shape, element);
  }
};

// func @entry(ins…, outs…) -> outs… { hsa.tile_entry; return }
void buildEntry(OpBuilder& b, Location loc, const StageSpec& stage, StringRef name, ArrayRef<const Term*> ins, ArrayRef<const Term*> outs,
                const Types& types) {
  SmallVector<Type> arguments, results;
  for (const Term* term : ins) arguments.push_back(types.tensor(*term));
  for (const Term* term : outs) results.push_back(types.tensor(*term));
  llvm::append_range(arguments, results);
  auto function = func::FuncOp::create(b, loc, name, b.getFunctionType(arguments, results));
  if (!stage.features.empty()) function->setAttr("hsa.features", b.getStringAttr(stage.features));
  unsigned index = 0;
  for (const Term* term : llvm::concat<const Term* const>(ins, outs)) {
    if (term->element == Element::kInput) function.setArgAttr(index, "hsa.input", b.getUnitAttr());
    if (term->home == Home::kStridedPort) function.setArgAttr(index, "hsa.strided", b.getUnitAttr());
    if (term->name == "tile_rows") function.setArgAttr(index, "hsa.tile_rows", b.getUnitAttr());
    ++index;
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(function.addEntryBlock());
  OperationState state(loc, "hsa.tile_" + std::string(stage.entry));
  state.addOperands(function.getArguments());
  state.addTypes(results);
  state.addAttribute("operandSegmentSizes", b.getDenseI32ArrayAttr({static_cast<int32_t>(ins.size()), static_cast<int32_t>(outs.size())}));
  Operation* op = b.create(state);
  func::ReturnOp::create(b, loc, op->getResults());
}

// Of the stages beside those in f32: what the schedule's precision wants of a processor.
StringRef featuresOf(ScheduleOp schedule) {
  if (!schedule.getPrecision()) return "";
  return schedule.getPrecision()->isInteger(8) ? kByteFeatures : kTileFeatures;
}

std::vector<StageSpec> stagesOf(ScheduleOp schedule) {
  if (!schedule.getSplatLevels()) return softmaxStages().vec();
  const RoutedKind kind{.causal = schedule.getMask().getCausal(),
                        .isotropic = schedule.getVarianceDim() == 1 && !schedule.getFactorRows(),
                        .factor = schedule.getFactorRows().has_value(),
                        .flow = schedule.getLinkRanks().has_value(),
                        .gate = bool(schedule.getGateNames())};
  return schedule.getSparse() ? sparseStages(kind) : routedStages(kind);
}

}  // namespace

void buildStages(ScheduleOp schedule, Narrowed narrowed) {
  MLIRContext* context = schedule.getContext();
  Location loc = schedule.getLoc();
  const std::vector<Term> terms = vocabulary(kernelParams(schedule));
  auto termOf = [&](std::string_view name) { return &*llvm::find_if(terms, [&](const Term& t) { return t.name == name; }); };

  OpBuilder functions(schedule), stages(context);
  functions.setInsertionPointAfter(schedule);
  stages.setInsertionPointToStart(&schedule.getBody().emplaceBlock());
  for (const StageSpec& stage : stagesOf(schedule)) {
    if (!stage.features.empty() && StringRef(stage.features) != featuresOf(schedule)) continue;
    SmallVector<const Term*> ins, outs;
    for (std::string_view name : stage.ins) ins.push_back(termOf(name));
    for (std::string_view name : stage.outs) outs.push_back(termOf(name));
    SmallVector<std::string> names;
    for (const Term* term : llvm::concat<const Term* const>(ins, outs))
      names.push_back((term->home == Home::kBuffer ? "" : "@") + std::string(term->name));
    SmallVector<StringRef> views(names.begin(), names.end());
    PlanStageOp::create(stages, loc, stages.getStringAttr(stage.entry), stages.getStringAttr(stage.space), stages.getStrArrayAttr(views),
                        stage.typed ? stages.getUnitAttr() : UnitAttr());
    if (!stage.typed) {
      buildEntry(functions, loc, stage, stage.entry, ins, outs, {context, {}});
      continue;
    }
    const std::pair<StringRef, Type> inputs[] = {
        {".f32", Float32Type::get(context)}, {".bf16", BFloat16Type::get(context)}, {".f16", Float16Type::get(context)}};
    for (auto [suffix, type] : inputs) {
      if (stage.entry == "store_rows" && type.isF16()) continue;  // outputs are f32 or bf16
      if (!stage.features.empty() && narrowed == Narrowed::kStored && type != schedule.getPrecision()) continue;
      buildEntry(functions, loc, stage, std::string(stage.entry) + suffix.str(), ins, outs, {context, type});
    }
  }
}

}  // namespace hsa::ir

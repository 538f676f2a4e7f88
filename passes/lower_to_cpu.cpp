// Layer 2 → vector code: for each processor a module of its own beside the schedule, with every entry written for its register tile.
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/emitters.h"
#include "passes/export/target.h"
#include "passes/passes.h"
#include "passes/schedule_params.h"

namespace hsa::ir {

#define GEN_PASS_DEF_LOWERTOCPUPASS
#include "passes/passes.h.inc"

using namespace mlir;  // NOLINT

namespace {

using Emitter = void (*)(KernelEmitter&, ValueRange);

Emitter emitterOf(Operation& op) {
  static const llvm::StringMap<Emitter> emitters = {
      {"hsa.tile_load_query", emitLoadQuery},
      {"hsa.tile_query_bands", emitQueryBands},
      {"hsa.tile_pair_query", emitPairQuery},
      {"hsa.tile_finish", emitFinish},
      {"hsa.tile_attend_panels", emitAttendPanels},
      {"hsa.tile_attend_leaves", emitAttendLeaves},
      {"hsa.tile_attend_pairs", emitAttendPairs},
      {"hsa.tile_attend_leaf_pairs", emitAttendLeafPairs},
      {"hsa.tile_byte_query", emitByteQuery},
      {"hsa.tile_pack_bytes", emitPackBytes},
      {"hsa.tile_attend_bytes", emitAttendBytes},
      {"hsa.tile_start_mass", emitStartMass},
      {"hsa.tile_root_mass", emitRootMass},
      {"hsa.tile_log_mass", emitLogMass},
      {"hsa.tile_score_level", emitScoreLevel},
      {"hsa.tile_root_mass_pairs", emitRootMassPairs},
      {"hsa.tile_score_level_pairs", emitScoreLevelPairs},
      {"hsa.tile_widen_rows", emitWidenRows},
      {"hsa.tile_store_rows", emitStoreRows},
      {"hsa.tile_pack_panels", emitPackPanels},
      {"hsa.tile_pack_leaves", emitPackLeaves},
      {"hsa.tile_pack_pairs", emitPackPairs},
      {"hsa.tile_gram", emitGram},
      {"hsa.tile_metric_rows", emitMetricRows},
      {"hsa.tile_principal_axis", emitPrincipalAxis},
      {"hsa.tile_add_rows", emitAddRows},
      {"hsa.tile_leaf_moments", emitLeafMoments},
      {"hsa.tile_merge_moments", emitMergeMoments},
      {"hsa.tile_send", emitSend},
      {"hsa.tile_sketch_tokens", emitSketchTokens},
      {"hsa.tile_token_distances", emitTokenDistances},
      {"hsa.tile_mean_values", emitMeanValues},
      {"hsa.tile_token_shares", emitTokenShares},
      {"hsa.tile_settle_state", emitSettleState},
      {"hsa.tile_receive", emitReceive},
      {"hsa.tile_begin_chunk", emitBeginChunk},
      {"hsa.tile_receive_chunk", emitReceiveChunk},
      {"hsa.tile_extend_state", emitExtendState},
      {"hsa.tile_flow_state", emitFlowState},
      {"hsa.tile_begin_flow_chunk", emitBeginFlowChunk},
      {"hsa.tile_flow_chunk", emitFlowChunk},
      {"hsa.tile_gate", emitGate},
      {"hsa.tile_nearest_splats", emitNearestSplats},
      {"hsa.tile_count_near", emitCountNear},
      {"hsa.tile_pass_on", emitPassOn},
      {"hsa.tile_kept_shares", emitKeptShares},
      {"hsa.tile_overlap", emitOverlap},
      {"hsa.tile_threshold_rows", emitThresholdRows},
      {"hsa.tile_send_sparse", emitSendSparse},
      {"hsa.tile_receive_sparse", emitReceiveSparse},
      {"hsa.tile_receive_prefix", emitReceivePrefix},
      {"hsa.tile_center_panels", emitCenterPanels},
      {"hsa.tile_center_query", emitCenterQuery},
      {"hsa.tile_center_tokens", emitCenterTokens},
  };
  return emitters.lookup(op.getName().getStringRef());
}

// The entry again, in the variant's module, with code in place of its tile op.
LogicalResult lowerEntry(func::FuncOp entry, ModuleOp variant, const TileShape& tile, const KernelParams& params) {
  ImplicitLocOpBuilder b(entry.getLoc(), entry.getContext());
  b.setInsertionPointToEnd(variant.getBody());
  auto lowered = func::FuncOp::create(b, entry.getName(), entry.getFunctionType());
  b.setInsertionPointToStart(lowered.addEntryBlock());
  for (Operation& op : entry.getBody().front().without_terminator()) {
    Emitter emit = emitterOf(op);
    if (!emit) return op.emitOpError("has no CPU emitter");
    KernelEmitter emitter(b, variant, tile, params);
    SmallVector<Value> arguments;
    for (Value operand : op.getOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand);
      if (!argument || !isa<MemRefType>(operand.getType())) return op.emitOpError("is not bufferized; run hsa-bufferize first");
      Value given = lowered.getArgument(argument.getArgNumber());
      if (entry.getArgAttr(argument.getArgNumber(), "hsa.tile_rows"))
        emitter.tileRows = given;
      else
        arguments.push_back(given);
    }
    emit(emitter, arguments);
  }
  func::ReturnOp::create(b);
  return success();
}

struct LowerToCpuPass : impl::LowerToCpuPassBase<LowerToCpuPass> {
  using LowerToCpuPassBase::LowerToCpuPassBase;

  void getDependentDialects(DialectRegistry& registry) const override {
    registry.insert<amx::AMXDialect, arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                    scf::SCFDialect, vector::VectorDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    ScheduleOp schedule = findSchedule(module);
    if (!schedule) return signalPassFailure();
    const KernelParams params = kernelParams(schedule);
    SmallVector<func::FuncOp> entries = llvm::to_vector(module.getOps<func::FuncOp>());
    SmallVector<std::string> cpus(mcpu.begin(), mcpu.end());
    if (cpus.empty()) cpus.push_back("native");
    for (const std::string& cpu : cpus) {
      llvm::Expected<Target> target = resolveTarget(cpu);
      if (!target) {
        module.emitError(llvm::toString(target.takeError()));
        return signalPassFailure();
      }
      OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
      auto variant = ModuleOp::create(b, module.getLoc(), cpu);
      variant->setAttr("hsa.cpu", b.getStringAttr(cpu));
      for (func::FuncOp entry : entries) {
        auto features = entry->getAttrOfType<StringAttr>("hsa.features");
        if (features && !target->runs(features.getValue())) continue;
        if (failed(lowerEntry(entry, variant, target->tile, params))) return signalPassFailure();
      }
    }
  }
};

}  // namespace
}  // namespace hsa::ir

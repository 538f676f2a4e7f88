// One emitter per tile op (dialect/tile_ops.td says what each computes). Arguments are the op's inputs, then its outputs.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// A tile of queries: emit_query.cpp
void emitLoadQuery(KernelEmitter& e, ValueRange arguments);
void emitQueryBands(KernelEmitter& e, ValueRange arguments);
void emitFinish(KernelEmitter& e, ValueRange arguments);

// Keys: emit_attend.cpp
void emitAttendPanels(KernelEmitter& e, ValueRange arguments);
void emitAttendLeaves(KernelEmitter& e, ValueRange arguments);

// Keys and values in pairs of bf16: emit_pairs.cpp, emit_attend_pairs.cpp, emit_leaf_pairs.cpp
void emitPackPairs(KernelEmitter& e, ValueRange arguments);
void emitPairQuery(KernelEmitter& e, ValueRange arguments);
void emitByteQuery(KernelEmitter& e, ValueRange arguments);
void emitPackBytes(KernelEmitter& e, ValueRange arguments);
void emitAttendBytes(KernelEmitter& e, ValueRange arguments);
void emitAttendPairs(KernelEmitter& e, ValueRange arguments);
void emitAttendLeafPairs(KernelEmitter& e, ValueRange arguments);

// Nodes: emit_mass.cpp, emit_score_level.cpp
void emitStartMass(KernelEmitter& e, ValueRange arguments);
void emitRootMass(KernelEmitter& e, ValueRange arguments);
void emitLogMass(KernelEmitter& e, ValueRange arguments);
void emitScoreLevel(KernelEmitter& e, ValueRange arguments);
// The same with their products on AMX tiles.
void emitRootMassPairs(KernelEmitter& e, ValueRange arguments);
void emitScoreLevelPairs(KernelEmitter& e, ValueRange arguments);

// Rows that enter and leave: emit_rows.cpp
void emitWidenRows(KernelEmitter& e, ValueRange arguments);
void emitStoreRows(KernelEmitter& e, ValueRange arguments);
void emitPackPanels(KernelEmitter& e, ValueRange arguments);
void emitPackLeaves(KernelEmitter& e, ValueRange arguments);

// The index: emit_gram.cpp and emit_order.cpp (what the ordering of keys needs), emit_moments.cpp
void emitGram(KernelEmitter& e, ValueRange arguments);
void emitAddRows(KernelEmitter& e, ValueRange arguments);
void emitMetricRows(KernelEmitter& e, ValueRange arguments);
void emitPrincipalAxis(KernelEmitter& e, ValueRange arguments);
void emitLeafMoments(KernelEmitter& e, ValueRange arguments);
void emitMergeMoments(KernelEmitter& e, ValueRange arguments);

// Scheme routed: emit_state.cpp, and causal chunks in emit_chunk.cpp
void emitSend(KernelEmitter& e, ValueRange arguments);
void emitSettleState(KernelEmitter& e, ValueRange arguments);
void emitReceive(KernelEmitter& e, ValueRange arguments);
void emitBeginChunk(KernelEmitter& e, ValueRange arguments);
void emitReceiveChunk(KernelEmitter& e, ValueRange arguments);
void emitExtendState(KernelEmitter& e, ValueRange arguments);

// Tokens relative to what isotropic splats are relative to: emit_center.cpp
void emitCenterPanels(KernelEmitter& e, ValueRange arguments);
void emitCenterQuery(KernelEmitter& e, ValueRange arguments);
void emitCenterTokens(KernelEmitter& e, ValueRange arguments);

// Flow and gates: emit_flow.cpp, emit_gate.cpp, begin_flow_chunk in emit_chunk.cpp.
void emitFlowState(KernelEmitter& e, ValueRange arguments);
void emitBeginFlowChunk(KernelEmitter& e, ValueRange arguments);
void emitFlowChunk(KernelEmitter& e, ValueRange arguments);
void emitGate(KernelEmitter& e, ValueRange arguments);

// Sending fewer tokens: emit_relevance.cpp
void emitSketchTokens(KernelEmitter& e, ValueRange arguments);
void emitTokenDistances(KernelEmitter& e, ValueRange arguments);
void emitMeanValues(KernelEmitter& e, ValueRange arguments);
void emitTokenShares(KernelEmitter& e, ValueRange arguments);

// Scheme routed, sparse: emit_near.cpp (which splats a token keeps), emit_sparse.cpp (what it sends to them and receives)
void emitNearestSplats(KernelEmitter& e, ValueRange arguments);
void emitCountNear(KernelEmitter& e, ValueRange arguments);
void emitPassOn(KernelEmitter& e, ValueRange arguments);  // emit_pass_on.cpp
// Algebra of what is kept: emit_kept.cpp
void emitKeptShares(KernelEmitter& e, ValueRange arguments);
void emitOverlap(KernelEmitter& e, ValueRange arguments);
void emitThresholdRows(KernelEmitter& e, ValueRange arguments);
void emitSendSparse(KernelEmitter& e, ValueRange arguments);
void emitReceiveSparse(KernelEmitter& e, ValueRange arguments);
void emitReceivePrefix(KernelEmitter& e, ValueRange arguments);

}  // namespace hsa::ir

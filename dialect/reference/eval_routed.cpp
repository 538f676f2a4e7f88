// What the ops of scheme routed compute.
#include "dialect/hsa_ops.h"
#include "dialect/reference/frame.h"
#include "dialect/reference/routed.h"
#include "dialect/reference/sparse.h"

namespace hsa::ir {

using reference::Frame;
using reference::Partial;
using reference::Tensor;

llvm::Error AffinityOp::evaluate(Frame& frame) {
  frame.set(getResult(),
            reference::affinity(frame.tensor(getTokens()), frame.tensor(getCenter()),
                                {frame.tensorIfAny(getVariance()), frame.tensorIfAny(getFactor()), frame.tensorIfAny(getCholesky())}));
  return llvm::Error::success();
}

llvm::Error LinksOp::evaluate(Frame& frame) {
  std::vector<const Tensor*> factors;
  for (mlir::Value factor : getFactors()) factors.push_back(&frame.tensor(factor));
  frame.set(getResult(), reference::links(factors, getLevels(), {getFrom(), getTo(), getRanks()}));
  return llvm::Error::success();
}

llvm::Error SparsifyOp::evaluate(Frame& frame) {
  const reference::Keep keep(getKeep(), getLevels(), frame.tensorIfAny(getAmplitude()), frame.tensor(getKey()).shape[1], getCausal());
  frame.set(getKept(), reference::sparsify(frame.tensor(getAffinity()), keep));
  return llvm::Error::success();
}

llvm::Error FlowOp::evaluate(Frame& frame) {
  frame.set(getSent(), reference::flow(frame.tensor(getAffinity()), frame.tensor(getLink())));
  return llvm::Error::success();
}

llvm::Error SendOp::evaluate(Frame& frame) {
  const Tensor &sent = frame.tensor(getSent()), &value = frame.tensor(getValue());
  Partial state = Partial::empty(sent.shape[0], sent.shape[2], value.shape[2]);
  for (int64_t g = 0; g < sent.shape[0]; ++g)
    for (int64_t j = 0; j < sent.shape[1]; ++j) reference::sendToken(sent, value, g, j, state);
  frame.set(getState(), std::move(state));
  return llvm::Error::success();
}

llvm::Error GateOp::evaluate(Frame& frame) {
  frame.set(getResult(), reference::gate(frame.tensor(getQuery()), frame.tensor(getWeight()), frame.tensor(getBias())));
  return llvm::Error::success();
}

template <typename Op>
static reference::Weights weightsOf(Op op, Frame& frame) {
  reference::Weights weights{op.getLevels(), op.getWeights()};
  if (op.getAmplitude()) weights.amplitude = &frame.tensor(op.getAmplitude());
  if (op.getGate()) weights.gate = &frame.tensor(op.getGate());
  if (op.getValueDims()) weights.valueDims = *op.getValueDims();
  return weights;
}

llvm::Error ReceiveOp::evaluate(Frame& frame) {
  const Tensor& affinity = frame.tensor(getAffinity());
  const Partial& state = frame.partial(getState());
  Partial rows = Partial::empty(affinity.shape[0], affinity.shape[1], state.acc.shape[2]);
  for (int64_t h = 0; h < affinity.shape[0]; ++h)
    for (int64_t i = 0; i < affinity.shape[1]; ++i) receiveRow(affinity, state, weightsOf(*this, frame), h, i, rows);
  frame.set(getOutput(), normalize(rows).first);
  return llvm::Error::success();
}

// The state grows token by token; every query receives behind the token at its position.
llvm::Error ReceiveCausalOp::evaluate(Frame& frame) {
  if (llvm::Error adapts = reference::refuseAdapting(getAdapt())) return adapts;
  const Tensor &affinity = frame.tensor(getAffinity()), &sent = frame.tensor(getSent()), &value = frame.tensor(getValue());
  const int64_t heads = affinity.shape[0], queries = affinity.shape[1], kvHeads = sent.shape[0], tokens = sent.shape[1];
  Partial state = Partial::empty(kvHeads, sent.shape[2], value.shape[2]), rows = Partial::empty(heads, queries, value.shape[2]);
  for (int64_t j = 0; j < tokens; ++j) {
    reference::sendPrefix(sent, value, getWindow(), j, state);
    if (const int64_t i = j - (tokens - queries); i >= 0)
      for (int64_t h = 0; h < heads; ++h) receiveRow(affinity, state, weightsOf(*this, frame), h, i, rows);
  }
  frame.set(getOutput(), normalize(rows).first);
  return llvm::Error::success();
}

}  // namespace hsa::ir

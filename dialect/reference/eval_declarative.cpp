// What layer 0 computes: the meaning, exact, whatever its config says about splats.
#include "dialect/hsa_ops.h"
#include "dialect/reference/exact.h"
#include "dialect/reference/frame.h"
#include "dialect/reference/routed.h"
#include "dialect/reference/sparse.h"

#include <cmath>

namespace hsa::ir {

llvm::Error AttentionOp::evaluate(reference::Frame& frame) {
  const reference::Tensor& query = frame.tensor(getQuery());
  const reference::Tensor& key = frame.tensor(getKey());
  const MaskAttr mask = getMask().value_or(MaskAttr::get(getContext(), /*causal=*/false, /*slidingWindow=*/0, /*sinkTokens=*/0));
  const double scale = getScale() ? getScale()->convertToDouble() : 1 / std::sqrt(double(query.shape[2]));
  const reference::Layout layout(query.shape[1], key.shape[1], mask, ConfigAttr());
  auto [output, lse] = normalize(attendExact(query, key, frame.tensor(getValue()), layout, Field::All, scale));
  frame.set(getOutput(), std::move(output));
  if (getLse()) frame.set(getLse(), std::move(lse));
  return llvm::Error::success();
}

// κ is summed as a state: of all keys, or of those up to the query's position.
llvm::Error RoutedAttentionOp::evaluate(reference::Frame& frame) {
  if (llvm::Error adapts = reference::refuseAdapting(getAdapt())) return adapts;
  using reference::Tensor;
  const Tensor &query = frame.tensor(getQuery()), &key = frame.tensor(getKey()), &value = frame.tensor(getValue());
  const Tensor& center = frame.tensor(getCenter());
  const reference::Covariances covariances{frame.tensorIfAny(getVariance()), frame.tensorIfAny(getFactor()),
                                           frame.tensorIfAny(getCholesky())};
  Tensor received = reference::affinity(query, center, covariances), sent = reference::affinity(key, center, covariances), gate;
  if (getSparse()) {
    const reference::Keep keep(*getSparse(), getLevels(), frame.tensorIfAny(getAmplitude()), key.shape[1], getCausal());
    received = reference::sparsify(received, keep), sent = reference::sparsify(sent, keep);
  }
  if (getLink()) sent = reference::flow(sent, frame.tensor(getLink()));
  if (getGateWeight()) gate = reference::gate(query, frame.tensor(getGateWeight()), frame.tensor(getGateBias()));
  const reference::Weights weights{getLevels(), getWeights(), frame.tensorIfAny(getAmplitude()), getGateWeight() ? &gate : nullptr,
                                   getValueDims().value_or(llvm::ArrayRef<int64_t>())};
  const int64_t heads = query.shape[0], queries = query.shape[1], tokens = key.shape[1];
  auto state = reference::Partial::empty(key.shape[0], center.shape[1], value.shape[2]);
  auto rows = reference::Partial::empty(heads, queries, value.shape[2]);
  const auto receive = [&](int64_t i) {
    for (int64_t h = 0; h < heads; ++h) receiveRow(received, state, weights, h, i, rows);
  };
  for (int64_t j = 0; j < tokens; ++j) {
    reference::sendPrefix(sent, value, getWindow(), j, state);
    if (getCausal() && j >= tokens - queries) receive(j - (tokens - queries));
  }
  if (!getCausal())
    for (int64_t i = 0; i < queries; ++i) receive(i);
  frame.set(getOutput(), normalize(rows).first);
  return llvm::Error::success();
}

}  // namespace hsa::ir

// What layer 0 computes: the meaning, exact, whatever its config says about splats.
#include "dialect/hsa_ops.h"
#include "dialect/reference/exact.h"
#include "dialect/reference/frame.h"

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

}  // namespace hsa::ir

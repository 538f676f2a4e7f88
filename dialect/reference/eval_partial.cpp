// What the ops on partial results compute.
#include "dialect/hsa_ops.h"
#include "dialect/reference/frame.h"

namespace hsa::ir {

llvm::Error EmptyPartialOp::evaluate(reference::Frame& frame) {
  const reference::Tensor& query = frame.tensor(getQuery());
  frame.set(getPartial(), reference::Partial::empty(query.shape[0], query.shape[1], frame.tensor(getValue()).shape[2]));
  return llvm::Error::success();
}

llvm::Error MergeOp::evaluate(reference::Frame& frame) {
  frame.set(getMerged(), merge(frame.partial(getLhs()), frame.partial(getRhs())));
  return llvm::Error::success();
}

llvm::Error NormalizeOp::evaluate(reference::Frame& frame) {
  auto [output, lse] = normalize(frame.partial(getPartial()));
  frame.set(getOutput(), std::move(output));
  if (getLse()) frame.set(getLse(), std::move(lse));
  return llvm::Error::success();
}

}  // namespace hsa::ir

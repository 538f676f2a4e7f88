// What hsa.stream computes: its body once per segment, in order.
#include "dialect/hsa_ops.h"
#include "dialect/reference/frame.h"

#include <algorithm>

namespace hsa::ir {

// Rows [begin, end) of every kv_head.
static reference::Tensor segmentOf(const reference::Tensor& whole, int64_t begin, int64_t end) {
  reference::Tensor segment{{whole.shape[0], end - begin, whole.shape[2]}, {}};
  for (int64_t h = 0; h < whole.shape[0]; ++h) {
    const double* rows = whole.values.data() + h * whole.shape[1] * whole.shape[2];
    segment.values.insert(segment.values.end(), rows + begin * whole.shape[2], rows + end * whole.shape[2]);
  }
  return segment;
}

llvm::Error StreamOp::evaluate(reference::Frame& frame) {
  mlir::Block& body = getBody().front();
  const int64_t total = frame.tensor(getKey()).shape[1];
  frame.copy(getPartial(), getInit());
  for (int64_t first = 0; first < total; first += getSegment()) {
    const int64_t end = std::min<int64_t>(first + getSegment(), total);
    frame.set(body.getArgument(0), first);
    frame.set(body.getArgument(1), total);
    frame.set(body.getArgument(2), segmentOf(frame.tensor(getKey()), first, end));
    frame.set(body.getArgument(3), segmentOf(frame.tensor(getValue()), first, end));
    frame.copy(body.getArgument(4), getPartial());
    if (llvm::Error error = evaluateBlock(body, frame)) return error;
    frame.copy(getPartial(), body.getTerminator()->getOperand(0));
  }
  return llvm::Error::success();
}

}  // namespace hsa::ir

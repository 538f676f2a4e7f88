// What the ops on affinities that are kept compute.
#include "dialect/hsa_ops.h"
#include "dialect/reference/frame.h"
#include "dialect/reference/kept.h"

namespace hsa::ir {

using reference::Frame;

llvm::Error OverlapOp::evaluate(Frame& frame) {
  frame.set(getResult(), reference::overlap(frame.tensor(getLeft()), frame.tensor(getRight())));
  return llvm::Error::success();
}

llvm::Error UnionOp::evaluate(Frame& frame) {
  frame.set(getResult(), reference::unite(frame.tensor(getLeft()), frame.tensor(getRight())));
  return llvm::Error::success();
}

llvm::Error RescaleOp::evaluate(Frame& frame) {
  frame.set(getResult(), reference::rescale(frame.tensor(getAffinity()), frame.tensor(getLogScale())));
  return llvm::Error::success();
}

llvm::Error ThresholdOp::evaluate(Frame& frame) {
  frame.set(getResult(), reference::threshold(frame.tensor(getAffinity()), getShare().convertToDouble()));
  return llvm::Error::success();
}

}  // namespace hsa::ir

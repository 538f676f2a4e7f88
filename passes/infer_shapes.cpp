#include "passes/passes.h"

namespace hsa::ir {

#define GEN_PASS_DEF_INFERSHAPESPASS
#include "passes/passes.h.inc"

namespace {

struct InferShapesPass : impl::InferShapesPassBase<InferShapesPass> {
  using InferShapesPassBase::InferShapesPassBase;
  void runOnOperation() override {}
};

}  // namespace

}  // namespace hsa::ir

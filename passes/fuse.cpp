#include "passes/passes.h"

namespace hsa::ir {

#define GEN_PASS_DEF_FUSEPASS
#include "passes/passes.h.inc"

namespace {

struct FusePass : impl::FusePassBase<FusePass> {
  using FusePassBase::FusePassBase;
  void runOnOperation() override {}
};

}  // namespace

}  // namespace hsa::ir

#include "passes/passes.h"

namespace hsa::ir {

#define GEN_PASS_DEF_DECOMPOSEPASS
#include "passes/passes.h.inc"

namespace {

struct DecomposePass : impl::DecomposePassBase<DecomposePass> {
  using DecomposePassBase::DecomposePassBase;
  void runOnOperation() override {}
};

}  // namespace

}  // namespace hsa::ir

#include "passes/passes.h"

namespace hsa::ir {

#define GEN_PASS_DEF_VERIFYLAYERPASS
#include "passes/passes.h.inc"

namespace {

struct VerifyLayerPass : impl::VerifyLayerPassBase<VerifyLayerPass> {
  using VerifyLayerPassBase::VerifyLayerPassBase;
  void runOnOperation() override {}
};

}  // namespace

}  // namespace hsa::ir

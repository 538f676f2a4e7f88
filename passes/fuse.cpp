// hsa-fuse: score, select and attend_splats of one attention become one op.
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/patterns.h"

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_FUSEPASS
#include "passes/passes.h.inc"

namespace {

/// score + select + attend_splats → attend_fused: the [H,N,S] scores never reach memory.
struct FuseScoreSelectAttend : OpRewritePattern<AttendSplatsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttendSplatsOp attend, PatternRewriter& rewriter) const override {
    auto score = attend.getScore().getDefiningOp<ScoreOp>();
    if (!score) return rewriter.notifyMatchFailure(attend, "score comes from outside this function");
    auto select = attend.getOpen().getDefiningOp<SelectOp>();
    if (!select) return rewriter.notifyMatchFailure(attend, "open comes from outside this function");
    if (select.getScore() != attend.getScore()) return rewriter.notifyMatchFailure(attend, "select reads other scores");
    if (!select->hasOneUse()) return rewriter.notifyMatchFailure(attend, "open has another reader");
    if (llvm::any_of(score->getUsers(), [&](Operation* user) { return user != select && user != attend; }))
      return rewriter.notifyMatchFailure(attend, "score has another reader");
    if (!readTheSame(attend, score) || !readTheSame(attend, select))
      return rewriter.notifyMatchFailure(attend, "score, select and attend_splats differ in query, index, mask, scale or config");
    rewriter.replaceOpWithNewOp<AttendFusedOp>(attend, attend.getType(), attend.getQuery(), attend.getKey(), attend.getValue(),
                                               attend.getIndex(), select.getNear(), select.getThetaAttr(), attend.getMaskAttr(),
                                               attend.getScaleAttr(), attend.getConfigAttr());
    rewriter.eraseOp(select);
    rewriter.eraseOp(score);
    return success();
  }

  template <typename Stage>
  static bool readTheSame(AttendSplatsOp attend, Stage stage) {
    return stage.getQuery() == attend.getQuery() && stage.getIndex() == attend.getIndex() && stage.getMaskAttr() == attend.getMaskAttr() &&
           stage.getScaleAttr() == attend.getScaleAttr() && stage.getConfigAttr() == attend.getConfigAttr();
  }
};

struct FusePass : impl::FusePassBase<FusePass> {
  using FusePassBase::FusePassBase;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateFusePatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) signalPassFailure();
  }
};

}  // namespace

void populateFusePatterns(RewritePatternSet& patterns) { patterns.add<FuseScoreSelectAttend>(patterns.getContext()); }

}  // namespace hsa::ir

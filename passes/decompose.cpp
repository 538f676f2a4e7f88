// hsa-decompose: what is wanted becomes the stages that compute it, once by splats and once exactly.
#include "dialect/shape_check.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/patterns.h"
#include "passes/sparsify.h"

#include <cmath>

using namespace mlir;

namespace hsa::ir {

#define GEN_PASS_DEF_DECOMPOSEPASS
#include "passes/passes.h.inc"

namespace {

// The attributes of an attention, its defaults filled in.
struct Wanted {
  MaskAttr mask;
  FloatAttr scale;
  ConfigAttr config;
};

}  // namespace

// Opening threshold, and tolerance of a run, of a function whose config gives neither.
static constexpr double kTheta = 0.003, kTolerance = 0.05, kConfidence = 0.95;

static ConfigAttr withTolerance(ConfigAttr config) {
  if (config.getTheta() || config.getTolerance()) return config;
  Builder b(config.getContext());
  return ConfigAttr::get(b.getContext(), config.getOrder(), config.getTheta(), config.getNearSinkTokens(), config.getWindowTokens(),
                         config.getTileQueries(), config.getLeafTokens(), config.getMiniSegmentTokens(), config.getSegmentTokens(),
                         config.getBands(), b.getF64FloatAttr(kTolerance), b.getF64FloatAttr(kConfidence), config.getQueryOrder());
}

static FailureOr<Wanted> wantedOf(AttentionOp attention, PatternRewriter& rewriter) {
  MLIRContext* context = attention.getContext();
  Wanted wanted{attention.getMaskAttr(), attention.getScaleAttr(), attention.getConfigAttr()};
  if (!wanted.mask) wanted.mask = MaskAttr::get(context, /*causal=*/false, /*slidingWindow=*/0, /*sinkTokens=*/0);
  wanted.config = withTolerance(wanted.config ? wanted.config : ConfigAttr::getDefault(context));
  const int64_t headDim = known(attention.getQuery().getType().getDimSize(2), attention.getKey().getType().getDimSize(2));
  if (!wanted.scale && ShapedType::isDynamic(headDim))
    return rewriter.notifyMatchFailure(attention, "head_dim is not known, so the default scale 1/√D is not either; give a scale");
  if (!wanted.scale) wanted.scale = rewriter.getF64FloatAttr(1 / std::sqrt(double(headDim)));
  return wanted;
}

static void replaceByNormalized(AttentionOp attention, Value partial, PatternRewriter& rewriter) {
  rewriter.replaceOpWithNewOp<NormalizeOp>(attention, attention->getResultTypes(), partial);
}

namespace {

/// attention → summarize, attend_exact near, score, select, attend_splats, merge, normalize.
struct DecomposeIntoSplats : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp attention, PatternRewriter& rewriter) const override {
    const FailureOr<Wanted> wanted = wantedOf(attention, rewriter);
    if (failed(wanted)) return failure();
    const auto [mask, scale, config] = *wanted;
    const FloatAttr theta = config.getTheta() ? config.getTheta() : rewriter.getF64FloatAttr(kTheta);
    const Value query = attention.getQuery(), key = attention.getKey(), value = attention.getValue();
    const RankedTensorType queryType = attention.getQuery().getType();
    const Type indexType = indexOf(attention.getKey().getType(), attention.getValue().getType());
    const Type partialType = partialOf(queryType, attention.getValue().getType());
    const int64_t keys = cast<SplatIndexType>(indexType).getKeys();

    ImplicitLocOpBuilder b(attention.getLoc(), rewriter);
    Value index = SummarizeOp::create(b, indexType, query, key, value, mask, scale, config);
    Value near = AttendExactOp::create(b, partialType, query, key, value, /*first=*/Value(), /*total=*/Value(),
                                       FieldAttr::get(b.getContext(), Field::Near), mask, scale, config);
    Value score = ScoreOp::create(b, scoreOf(queryType, keys, config), query, index, mask, scale, config);
    Value open = SelectOp::create(b, openOf(queryType, keys, config), query, index, score, near, theta, mask, scale, config);
    Value far = AttendSplatsOp::create(b, partialType, query, key, value, index, score, open, mask, scale, config);
    replaceByNormalized(attention, MergeOp::create(b, partialType, near, far), rewriter);
    return success();
  }
};

/// attention → stream of attend_exact all over the segments, normalize.
struct DecomposeIntoStream : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp attention, PatternRewriter& rewriter) const override {
    const FailureOr<Wanted> wanted = wantedOf(attention, rewriter);
    if (failed(wanted)) return failure();
    const auto [mask, scale, config] = *wanted;
    const Value query = attention.getQuery(), value = attention.getValue();
    const Type partialType = partialOf(attention.getQuery().getType(), attention.getValue().getType());

    ImplicitLocOpBuilder b(attention.getLoc(), rewriter);
    Value init = EmptyPartialOp::create(b, partialType, query, value);
    auto stream = StreamOp::create(b, partialType, attention.getKey(), value, init, config.getSegmentTokens());
    const SmallVector<Type> types = stream.getBodyTypes();
    Block* body = b.createBlock(&stream.getBody(), {}, types, SmallVector<Location>(types.size(), attention.getLoc()));
    Value segment = AttendExactOp::create(b, partialType, query, body->getArgument(2), body->getArgument(3), body->getArgument(0),
                                          body->getArgument(1), FieldAttr::get(b.getContext(), Field::All), mask, scale, ConfigAttr());
    YieldOp::create(b, MergeOp::create(b, partialType, body->getArgument(4), segment));
    rewriter.setInsertionPointAfter(stream);
    replaceByNormalized(attention, stream, rewriter);
    return success();
  }
};

/// routed_attention → affinity of queries and keys, flow, gate, then send and receive, or receive_causal.
struct DecomposeRouted : OpRewritePattern<RoutedAttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RoutedAttentionOp routed, PatternRewriter& rewriter) const override {
    ImplicitLocOpBuilder b(routed.getLoc(), rewriter);
    const Type f32 = b.getF32Type();
    const RankedTensorType query = routed.getQuery().getType(), key = routed.getKey().getType(), value = routed.getValue().getType();
    const int64_t splats = routed.getCenter().getType().getDimSize(1);
    const auto affinities = [&](RankedTensorType tokens) -> Type {
      return RankedTensorType::get({tokens.getDimSize(0), tokens.getDimSize(1), splats}, f32);
    };
    Value received = AffinityOp::create(b, affinities(query), routed.getQuery(), routed.getCenter(), routed.getVariance(),
                                        routed.getFactor(), routed.getCholesky());
    Value sent = AffinityOp::create(b, affinities(key), routed.getKey(), routed.getCenter(), routed.getVariance(), routed.getFactor(),
                                    routed.getCholesky());
    if (routed.getSparse()) {
      const Sparsity sparsity{routed.getSparseAttr(), routed.getLevelsAttr(), routed.getKey(), routed.getAmplitude(), routed.getCausal()};
      received = sparsify(b, received, sparsity), sent = sparsify(b, sent, sparsity);
    }
    if (routed.getLink()) sent = FlowOp::create(b, affinities(key), sent, routed.getLink());
    Value gate;
    if (routed.getGateWeight()) {
      const int64_t levels = static_cast<int64_t>(routed.getLevels().size());
      gate = GateOp::create(b, RankedTensorType::get({query.getDimSize(0), query.getDimSize(1), levels}, f32), routed.getQuery(),
                            routed.getGateWeight(), routed.getGateBias());
    }
    if (routed.getCausal()) {
      rewriter.replaceOpWithNewOp<ReceiveCausalOp>(
          routed, routed.getOutput().getType(), received, sent, routed.getValue(), routed.getAmplitude(), gate, routed.getLevelsAttr(),
          routed.getWeightsAttr(), routed.getNamesAttr(), routed.getValueDimsAttr(), routed.getAdaptAttr(), routed.getWindowAttr());
      return success();
    }
    Value state =
        SendOp::create(b, PartialType::get(b.getContext(), key.getDimSize(0), splats, value.getDimSize(2)), sent, routed.getValue());
    rewriter.replaceOpWithNewOp<ReceiveOp>(routed, routed.getOutput().getType(), received, state, routed.getAmplitude(), gate,
                                           routed.getLevelsAttr(), routed.getWeightsAttr(), routed.getNamesAttr(),
                                           routed.getValueDimsAttr());
    return success();
  }
};

struct DecomposePass : impl::DecomposePassBase<DecomposePass> {
  using DecomposePassBase::DecomposePassBase;

  // Every function with a softmax attention gets an exact twin, so that a plan can always fall back to it.
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (func::FuncOp function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (function.isExternal()) continue;
      if (failed(rewrite(function, populateRoutedPatterns))) return signalPassFailure();
      if (!function.walk([](AttentionOp) { return WalkResult::interrupt(); }).wasInterrupted()) continue;
      const std::string exactName = (function.getName() + "_exact").str();
      if (symbols.lookup(exactName)) {
        function.emitError("hsa-decompose: @") << exactName << " exists already, and the exact path of @" << function.getName()
                                               << " wants that name; rename one of them";
        return signalPassFailure();
      }
      func::FuncOp exact = function.clone();
      exact.setName(exactName);
      symbols.insert(exact, std::next(function->getIterator()));
      if (failed(decompose(function, populateSplatPatterns)) || failed(decompose(exact, populateExactPatterns))) return signalPassFailure();
    }
  }

  LogicalResult rewrite(func::FuncOp function, void (*populate)(RewritePatternSet&)) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    return applyPatternsGreedily(function, std::move(patterns));
  }

  LogicalResult decompose(func::FuncOp function, void (*populate)(RewritePatternSet&)) {
    if (failed(rewrite(function, populate))) return failure();
    const WalkResult left = function.walk([](AttentionOp attention) {
      attention.emitOpError("is left by hsa-decompose: head_dim is not known and there is no scale; make head_dim static or give a scale");
      return WalkResult::interrupt();
    });
    return failure(left.wasInterrupted());
  }
};

}  // namespace

void populateSplatPatterns(RewritePatternSet& patterns) { patterns.add<DecomposeIntoSplats>(patterns.getContext()); }
void populateRoutedPatterns(RewritePatternSet& patterns) { patterns.add<DecomposeRouted>(patterns.getContext()); }
void populateExactPatterns(RewritePatternSet& patterns) { patterns.add<DecomposeIntoStream>(patterns.getContext()); }

}  // namespace hsa::ir

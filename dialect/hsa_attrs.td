#ifndef HSA_ATTRS_TD
#define HSA_ATTRS_TD

include "dialect/hsa_dialect.td"

def Hsa_MaskAttr : Hsa_Attr<"Mask", "mask"> {
  let summary = "which keys a query sees";
  let description = [{
    A query at key position p sees key j when (not causal or j ≤ p) and (slidingWindow = 0 or j > p − slidingWindow or j < sinkTokens).
    Query i of N stands at p = M − N + i (lower-right). A sliding window needs causal.
  }];
  let parameters = (ins DefaultValuedParameter<"bool", "false">:$causal,
                        DefaultValuedParameter<"int64_t", "0">:$slidingWindow,
                        DefaultValuedParameter<"int64_t", "0">:$sinkTokens);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Hsa_ConfigAttr : Hsa_Attr<"Config", "config"> {
  let summary = "how an attention is computed by splats";
  let description = [{
    order   terms of a node's log-mass: 0 (mean only) or 2 (with band variances, β, τ)
    theta   default opening threshold (root-mean-square residual of a tile)
    nearSinkTokens, windowTokens, tileQueries, leafTokens, miniSegmentTokens, segmentTokens, levelTokens, bands: docs/spec.md
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "2">:$order,
                        OptionalParameter<"::mlir::FloatAttr">:$theta,
                        DefaultValuedParameter<"int64_t", "4">:$nearSinkTokens,
                        DefaultValuedParameter<"int64_t", "1024">:$windowTokens,
                        DefaultValuedParameter<"int64_t", "64">:$tileQueries,
                        DefaultValuedParameter<"int64_t", "16">:$leafTokens,
                        DefaultValuedParameter<"int64_t", "1024">:$miniSegmentTokens,
                        DefaultValuedParameter<"int64_t", "8192">:$segmentTokens,
                        DefaultValuedParameter<"int64_t", "8">:$bands);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif

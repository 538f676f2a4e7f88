// The patterns of the passes from layer to layer, for a pipeline of one's own.
#pragma once

#include "passes/passes.h"

namespace hsa::ir {

// hsa.attention → its stages by splats.
void populateSplatPatterns(mlir::RewritePatternSet& patterns);
// hsa.attention → a stream over all keys.
void populateExactPatterns(mlir::RewritePatternSet& patterns);
// hsa.routed_attention → its stages.
void populateRoutedPatterns(mlir::RewritePatternSet& patterns);
// score + select + attend_splats → attend_fused.
void populateFusePatterns(mlir::RewritePatternSet& patterns);

}  // namespace hsa::ir

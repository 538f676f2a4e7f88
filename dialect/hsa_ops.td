// Every op of the dialect, layer by layer.
#ifndef HSA_OPS_TD
#define HSA_OPS_TD

include "dialect/declarative_ops.td"  // layer 0
include "dialect/softmax_ops.td"      // layer 1, scheme softmax
include "dialect/routed_ops.td"       // layer 1, scheme routed
include "dialect/kept_ops.td"         // layer 1, affinities that are kept
include "dialect/partial_ops.td"      // layer 1, partial results
include "dialect/stream_ops.td"       // layer 1, segments of keys
include "dialect/precision_ops.td"    // layer 1, element types
include "dialect/tile_ops.td"         // layer 2

#endif

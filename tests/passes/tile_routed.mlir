// RUN: hsa-opt %s --split-input-file --verify-diagnostics --hsa-decompose --hsa-tile | FileCheck %s
!q = tensor<4x?x8xf32>
!k = tensor<2x?x8xf32>
!v = tensor<2x?x6xf32>
!o = tensor<4x?x6xf32>
!c = tensor<2x5x8xf32>
!s = tensor<2x5x1xf32>

// Links and a gate leave their names in the schedule, and stages of their own; a causal chunk begins before flow.
// CHECK-LABEL: hsa.schedule @causal
// CHECK-SAME:    gate_names = ["w", "b"]
// CHECK-SAME:    link_from = array<i64: 0, 1>, link_names = ["up", "e", "c"], link_ranks = array<i64: 0, 2>, link_to = array<i64: 1, 0>
// CHECK:         hsa.stage "segment" "flow_state"
// CHECK-NOT:     "begin_chunk"
// CHECK:         hsa.stage "segment" "begin_flow_chunk"
// CHECK:         hsa.stage "segment" "flow_chunk"
// CHECK:         hsa.stage "tile" "gate"
// CHECK:         hsa.stage "tile" "center_query"
// CHECK:         hsa.stage "tile" "receive_chunk"
func.func @causal(%q: !q {hsa.name = "q"}, %k: !k {hsa.name = "k"}, %v: !v {hsa.name = "v"}, %c: !c {hsa.name = "center"}, %s: !s {hsa.name = "variance"},
                  %up: tensor<2x1x4xf32> {hsa.name = "up"}, %e: tensor<2x4x2xf32> {hsa.name = "e"}, %d: tensor<2x2x1xf32> {hsa.name = "c"},
                  %w: tensor<2x2x8xf32> {hsa.name = "w"}, %b: tensor<2x2x1xf32> {hsa.name = "b"}) -> !o {
  %l = hsa.links %up, %e, %d {levels = array<i64: 4, 1>, from = array<i64: 0, 1>, to = array<i64: 1, 0>, ranks = array<i64: 0, 2>}
      : (tensor<2x1x4xf32>, tensor<2x4x2xf32>, tensor<2x2x1xf32>) -> tensor<2x5x5xf32>
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %l gate %w, %b {causal, levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (!q, !k, !v, !c, !s, tensor<2x5x5xf32>, tensor<2x2x8xf32>, tensor<2x2x1xf32>) -> !o
  return %o : !o
}

// -----

// A plan reads the weights of links one by one.
func.func @whole(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %l: tensor<2x5x5xf32>)
    -> tensor<4x?x6xf32> {
  // expected-error @below {{has an hsa.flow whose link is not made by hsa.links; a plan reads the weight of each link}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %l {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x5x5xf32>) -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

// -----

// Tokens are looked at between being read and being packed: their projections and squared distance from the mean center (5 numbers), how far each is from the
// token that it may join, the mean values of those that joined, and the share that each has of what some splat was sent. Of any number of tokens, a tensor of
// tokens times splats nowhere but in 64 × 64 of scratch.
// CHECK-LABEL: hsa.schedule @relevance
// CHECK:         hsa.stage "segment" "send"
// CHECK-NEXT:    hsa.stage "segment" "sketch_tokens" ["@k_rows", "@sketch_axes", "@token_sketch"]
// CHECK-NEXT:    hsa.stage "segment" "token_distances" ["@k_rows", "@token_other", "@token_apart"]
// CHECK-NEXT:    hsa.stage "segment" "mean_values" ["@cluster_begin", "@cluster_tokens", "@v_rows"]
// CHECK-NEXT:    hsa.stage "segment" "token_shares" ["@panel_k", "@token_bias", "@splat_scale", "@splat_shift", "@splat_sent", "@share_limit", "@token_share", "scores"]
// CHECK:       func.func @sketch_tokens({{.*}}tensor<?x16xf32>, %{{.*}}: tensor<5x16xf32>, %{{.*}}: tensor<?x5xf32>)
// CHECK-NEXT:    hsa.tile_sketch_tokens
// CHECK:       func.func @token_distances
// CHECK-NEXT:    hsa.tile_token_distances ins({{.*}}tensor<?x16xf32>, tensor<?xi32>) outs({{.*}}tensor<?xf32>)
// CHECK:       func.func @mean_values
// CHECK-NEXT:    hsa.tile_mean_values ins({{.*}}tensor<?xi32>, tensor<?xi32>) outs({{.*}}tensor<?x16xf32>)
// CHECK:       func.func @token_shares({{.*}}tensor<64x64xf32>)
// CHECK-NEXT:    hsa.tile_token_shares
func.func @relevance(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>) -> tensor<4x?x6xf32> {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

// -----

// A window goes on to the schedule.
// CHECK-LABEL: hsa.schedule @window
// CHECK-SAME:    window = 1024
func.func @window(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) -> tensor<4x?x6xf32> {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {causal, levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, window = 1024 : i64}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

// -----

// What levels are called and how splats adapt goes on to the schedule.
// CHECK-LABEL: hsa.schedule @adapts
// CHECK-SAME:    adapt = #hsa.adapt<segmentTokens = 1024>
// CHECK-SAME:    level_names = ["word", "page"]
func.func @adapts(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) -> tensor<4x?x6xf32> {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {causal, levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, names = ["word", "page"], adapt = #hsa.adapt<segmentTokens = 1024>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

// -----

// Kernels keep whole columns of whole tiles of splats.
func.func @few_splats(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x32xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) -> tensor<4x?x32xf32> {
  // expected-error @below {{keeps 16 value dims on level 1, which begins at splat 4; a plan wants multiples of 16 and of 64}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, value_dims = array<i64: 32, 16>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x32xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x32xf32>
  return %o : tensor<4x?x32xf32>
}

// -----

// Tokens that keep a few splats meet them one by one, wherever a level begins; columns are whole ones all the same.
func.func @sparse_values(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x32xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) -> tensor<4x?x32xf32> {
  // expected-error @below {{keeps 20 value dims on level 1, which begins at splat 4; a plan wants multiples of 16 and of 64}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, value_dims = array<i64: 32, 20>, sparse = #hsa.sparse<top = 2>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x32xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x32xf32>
  return %o : tensor<4x?x32xf32>
}

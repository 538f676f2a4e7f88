// RUN: hsa-opt %s -split-input-file --hsa-decompose --hsa-tile | FileCheck %s
// RUN: hsa-opt %s -split-input-file --hsa-cpu=mcpu=x86-64-v3 | FileCheck %s --check-prefix=CODE
!q = tensor<4x?x8xf32>
!k = tensor<2x?x8xf32>
!v = tensor<2x?x6xf32>
!o = tensor<4x?x6xf32>
!c = tensor<2x5x8xf32>
!s = tensor<2x5x1xf32>

// Lists of 16 slots for the 3 splats that are kept; no stage sees a tensor of tokens times splats. Splats are isotropic: tokens are taken relative to the level's
// center, and affinities are products.
// CHECK:       hsa.schedule @attention attributes {{.*}}sparse = #hsa.sparse<top = 3>
// CHECK:         hsa.stage "tile" "center_tokens" ["@q_rows", "@level_center", "@tile_rows", "query", "query_norm"]
// CHECK:         hsa.stage "tile" "nearest_splats" ["query", {{.*}}"query_norm", "@level_product", "@level_terms", "@level_limit"
// CHECK:         hsa.stage "segment" "send_sparse"
// CHECK-NOT:     "sketch_tokens"
// CHECK:         hsa.stage "tile" "receive_sparse"
// CHECK:       func.func @nearest_splats({{.*}}tensor<?x16xf32>, %{{.*}}: tensor<?x16xi32>
// CODE-DAG:    func.func private @join_nearest
// CODE-DAG:    func.func private @affinity_of_queries_to_isotropic
func.func @attention(%q: !q, %k: !k, %v: !v, %c: !c, %s: !s) -> !o {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, sparse = #hsa.sparse<top = 3>, weights = array<f64: 1.0, 0.5>}
      : (!q, !k, !v, !c, !s) -> !o
  return %o : !o
}

// -----

// Links and a gate. Not causal, splats pass on what they were sent, once; the gate of each query goes beside its lists.
// CHECK:       hsa.schedule @linked
// CHECK:         hsa.stage "tile" "gate" ["@q_rows", "@gate_weight", "@gate_bias", "@query_gate"]
// CHECK-NEXT:    hsa.stage "segment" "flow_state"
// CHECK-NEXT:    hsa.stage "segment" "send_sparse" ["@near_score"
// CHECK-NEXT:    hsa.stage "tile" "receive_sparse" [{{.*}}"@state_acc", "@query_gate", "@sparse_rows"
// CODE-DAG:    func.func @gate
func.func @linked(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %up: tensor<2x1x4xf32>,
                  %w: tensor<2x2x8xf32>, %b: tensor<2x2x1xf32>) -> tensor<4x?x6xf32> {
  %l = hsa.links %up {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>}
      : (tensor<2x1x4xf32>) -> tensor<2x5x5xf32>
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %l gate %w, %b {levels = array<i64: 4, 1>, sparse = #hsa.sparse<top = 3>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x5x5xf32>, tensor<2x2x8xf32>, tensor<2x2x1xf32>)
      -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

// -----

// Causal, links act on what each token sends: its list times their columns is a longer list, of every splat that gets something, which then is sent.
// CHECK:       hsa.schedule @linked_causal
// CHECK:         hsa.stage "segment" "pass_on" ["@near_score", "@near_splat", "@near_count", "@splat_amplitude", "@link_begin", "@link_tile", "@link_log", "@sent_score", "@sent_splat", "@sent_count", "pass_max", "pass_sum"]
// CHECK-NEXT:    hsa.stage "segment" "send_sparse" ["@sent_score", "@sent_splat", "@sent_count"
// CHECK-NEXT:    hsa.stage "segment" "receive_prefix" ["@sent_score", "@sent_splat", "@sent_count"
// CHECK-NOT:     "flow_state"
// CHECK:       func.func @pass_on({{.*}}tensor<65xi32>, %{{.*}}: tensor<?xi32>, %{{.*}}: tensor<?x64xf32>
func.func @linked_causal(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %up: tensor<2x1x4xf32>)
    -> tensor<4x?x6xf32> {
  %l = hsa.links %up {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>}
      : (tensor<2x1x4xf32>) -> tensor<2x5x5xf32>
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %l {levels = array<i64: 4, 1>, causal, sparse = #hsa.sparse<top = 3>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x5x5xf32>) -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

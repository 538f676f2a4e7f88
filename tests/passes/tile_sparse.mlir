// RUN: hsa-opt %s --hsa-decompose --hsa-tile | FileCheck %s
// RUN: hsa-opt %s --hsa-cpu=mcpu=x86-64-v3 | FileCheck %s --check-prefix=CODE
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

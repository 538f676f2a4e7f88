// RUN: hsa-opt %s --hsa-decompose --hsa-sparsify=top=3 | FileCheck %s
// RUN: hsa-opt %s --hsa-decompose --hsa-sparsify="top=3 threshold=0.01" | FileCheck %s --check-prefix=CSR
// RUN: not hsa-opt %s --hsa-decompose --hsa-sparsify=top=0 2>&1 | FileCheck %s --check-prefix=TOP
// RUN: not hsa-opt %s --hsa-decompose --hsa-sparsify --hsa-sparsify 2>&1 | FileCheck %s --check-prefix=TWICE
!q = tensor<4x?x8xf32>
!k = tensor<2x?x8xf32>
!v = tensor<2x?x6xf32>
!o = tensor<4x?x6xf32>
!c = tensor<2x5x8xf32>
!s = tensor<2x5x1xf32>

// TOP: sparse_c1: top is 0, wanted 1 to 64
// TWICE: hsa-sparsify: wants an hsa.affinity of its queries and one of its keys that are still dense

// CHECK-LABEL: func @plain
// CHECK-SAME:    (%{{.*}}, %[[KEY:[a-z0-9]*]]: tensor<2x?x8xf32>, %{{.*}}, %{{.*}}, %{{.*}}, %[[A:[a-z0-9]*]]: tensor<2x5x1xf32>)
// CHECK:         %[[Q:.*]] = hsa.affinity
// CHECK:         %[[QS:.*]] = hsa.sparsify %[[Q]] of %[[KEY]] amplitude %[[A]] {keep = #hsa.sparse<top = 3>, levels = array<i64: 4, 1>}
// CHECK:         %[[K:.*]] = hsa.affinity
// CHECK:         %[[KS:.*]] = hsa.sparsify %[[K]] of %[[KEY]] amplitude %[[A]]
// CHECK:         %[[S:.*]] = hsa.send %[[KS]]
// CHECK:         hsa.receive %[[QS]], %[[S]]
// CSR-LABEL:   func @plain
// CSR:           hsa.send %{{.*}} : (tensor<2x?x5xf32, #hsa.affinity<csr>>
func.func @plain(%q: !q, %k: !k, %v: !v, %c: !c, %s: !s, %a: !s) -> !o {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s amplitude %a {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (!q, !k, !v, !c, !s, !s) -> !o
  return %o : !o
}

// Links act on what is kept; a causal token keeps by its own position.
// CHECK-LABEL: func @causal
// CHECK:         hsa.sparsify
// CHECK:         %[[K:.*]] = hsa.sparsify %{{.*}} {causal, keep
// CHECK:         %[[F:.*]] = hsa.flow %[[K]]
// CHECK:         hsa.receive_causal %{{.*}}, %[[F]]
func.func @causal(%q: !q, %k: !k, %v: !v, %c: !c, %s: !s, %f: tensor<2x5x5xf32>) -> !o {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %f {causal, levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (!q, !k, !v, !c, !s, tensor<2x5x5xf32>) -> !o
  return %o : !o
}

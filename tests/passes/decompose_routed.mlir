// RUN: hsa-opt %s --hsa-decompose | FileCheck %s
!q = tensor<4x?x8xf32>
!k = tensor<2x?x8xf32>
!v = tensor<2x?x6xf32>
!o = tensor<4x?x6xf32>
!c = tensor<2x5x8xf32>
!s = tensor<2x5x1xf32>

// All keys: one state, and no exact twin, for this is exact.
// CHECK-LABEL: func @plain
// CHECK-NOT:     hsa.routed_attention
// CHECK:         %[[Q:.*]] = hsa.affinity
// CHECK:         %[[K:.*]] = hsa.affinity
// CHECK:         %[[S:.*]] = hsa.send %[[K]]
// CHECK:         hsa.receive %[[Q]], %[[S]] {levels = array<i64: 4, 1>
// CHECK-NOT:   _exact
func.func @plain(%q: !q, %k: !k, %v: !v, %c: !c, %s: !s) -> !o {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>} : (!q, !k, !v, !c, !s) -> !o
  return %o : !o
}

// Prefixes: every query has a state of its own. Links act on what tokens send, the gate on what queries receive.
// CHECK-LABEL: func @causal
// CHECK:         %[[Q:.*]] = hsa.affinity
// CHECK:         %[[K:.*]] = hsa.affinity
// CHECK:         %[[F:.*]] = hsa.flow %[[K]]
// CHECK:         %[[G:.*]] = hsa.gate
// CHECK:         hsa.receive_causal %[[Q]], %[[F]], %{{.*}} gate %[[G]]
// CHECK-NOT:     hsa.send
func.func @causal(%q: !q, %k: !k, %v: !v, %c: !c, %s: !s, %f: tensor<2x5x5xf32>, %w: tensor<2x2x8xf32>, %b: tensor<2x2x1xf32>) -> !o {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %f gate %w, %b {causal, levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (!q, !k, !v, !c, !s, tensor<2x5x5xf32>, tensor<2x2x8xf32>, tensor<2x2x1xf32>) -> !o
  return %o : !o
}

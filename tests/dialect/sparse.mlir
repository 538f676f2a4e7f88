// RUN: hsa-opt %s | hsa-opt | FileCheck %s
!q = tensor<4x?x8xf32>
!k = tensor<2x?x8xf32>

// CHECK-LABEL: func @stages
// CHECK:         hsa.sparsify %{{.*}} of %{{.*}} {keep = #hsa.sparse<top = 3>, levels = array<i64: 4, 1>} {{.*}} -> tensor<4x?x5xf32, #hsa.affinity<ell>>
// CHECK:         hsa.sparsify %{{.*}} of %{{.*}} amplitude %{{.*}} {causal, keep = #hsa.sparse<top = 3, threshold = 1.000000e-02 : f64>
// CHECK-SAME:      tensor<2x?x5xf32, #hsa.affinity<csr>>
// CHECK:         hsa.send %{{.*}} : (tensor<2x?x5xf32, #hsa.affinity<csr>>, tensor<2x?x6xf32>)
func.func @stages(%k: !k, %v: tensor<2x?x6xf32>, %aq: tensor<4x?x5xf32>, %ak: tensor<2x?x5xf32>, %a: tensor<2x5x1xf32>) -> tensor<4x?x6xf32> {
  %q = hsa.sparsify %aq of %k {keep = #hsa.sparse<top = 3>, levels = array<i64: 4, 1>}
      : (tensor<4x?x5xf32>, !k) -> tensor<4x?x5xf32, #hsa.affinity<ell>>
  %sent = hsa.sparsify %ak of %k amplitude %a {causal, keep = #hsa.sparse<top = 3, threshold = 0.01 : f64>, levels = array<i64: 4, 1>}
      : (tensor<2x?x5xf32>, !k, tensor<2x5x1xf32>) -> tensor<2x?x5xf32, #hsa.affinity<csr>>
  %state = hsa.send %sent, %v : (tensor<2x?x5xf32, #hsa.affinity<csr>>, tensor<2x?x6xf32>) -> !hsa.partial<2x5x6>
  %o = hsa.receive %q, %state {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x5xf32, #hsa.affinity<ell>>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return %o : tensor<4x?x6xf32>
}

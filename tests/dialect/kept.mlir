// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// RUN: hsa-opt %s --hsa-infer-shapes | FileCheck %s --check-prefix=SHAPES
!a = tensor<2x?x5xf32, #hsa.affinity<ell>>
!b = tensor<2x30x3xf32, #hsa.affinity<csr>>

// Which links two levels want: what they share of their tokens, each row to the sum that the caller asks for, without what is small.
// CHECK-LABEL: func @links
// CHECK:         hsa.overlap %{{.*}}, %{{.*}} : (tensor<2x?x5xf32, #hsa.affinity<ell>>, tensor<2x30x3xf32, #hsa.affinity<csr>>) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
// CHECK:         hsa.union
// CHECK:         hsa.rescale %{{.*}}, %{{.*}} : (tensor<2x5x3xf32, #hsa.affinity<csr>>, tensor<2x5x1xf32>)
// CHECK:         hsa.threshold %{{.*}} {share = 1.562500e-02 : f64}
func.func @links(%a: !a, %b: !b, %before: tensor<2x5x3xf32, #hsa.affinity<csr>>, %scale: tensor<2x5x1xf32>) -> tensor<2x5x3xf32, #hsa.affinity<csr>> {
  %shared = hsa.overlap %a, %b : (!a, !b) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
  %all = hsa.union %before, %shared
      : (tensor<2x5x3xf32, #hsa.affinity<csr>>, tensor<2x5x3xf32, #hsa.affinity<csr>>) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
  %scaled = hsa.rescale %all, %scale : (tensor<2x5x3xf32, #hsa.affinity<csr>>, tensor<2x5x1xf32>) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
  %kept = hsa.threshold %scaled {share = 0.015625 : f64} : (tensor<2x5x3xf32, #hsa.affinity<csr>>) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
  return %kept : tensor<2x5x3xf32, #hsa.affinity<csr>>
}

// A union knows every extent that one of its operands knows.
// SHAPES-LABEL: func @shapes
// SHAPES:         hsa.union {{.*}} -> tensor<2x30x5xf32, #hsa.affinity<csr>>
func.func @shapes(%a: !a, %c: tensor<?x30x?xf32, #hsa.affinity<csr>>) -> tensor<?x?x?xf32, #hsa.affinity<csr>> {
  %all = hsa.union %a, %c : (!a, tensor<?x30x?xf32, #hsa.affinity<csr>>) -> tensor<?x?x?xf32, #hsa.affinity<csr>>
  return %all : tensor<?x?x?xf32, #hsa.affinity<csr>>
}

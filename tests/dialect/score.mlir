// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// The number of nodes follows from the number of keys.
// CHECK-LABEL: func @score
// CHECK: -> tensor<4x?x1361xf32>
func.func @score(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x9000x8x6>) {
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x9000x8x6>) -> tensor<4x?x1361xf32>
  return
}

// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// One flag per head, tile and node.
// CHECK-LABEL: func @select
// CHECK: -> tensor<4x?x?xi1>
func.func @select(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x?x?xi1>
  return
}

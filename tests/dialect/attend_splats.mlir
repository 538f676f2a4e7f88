// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// The cut that the flags make.
// CHECK-LABEL: func @attend_splats
// CHECK: hsa.attend_splats
func.func @attend_splats(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

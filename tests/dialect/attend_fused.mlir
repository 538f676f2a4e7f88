// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// Neither scores nor flags are values.
// CHECK-LABEL: func @attend_fused
// CHECK: hsa.attend_fused %{{.*}} {config = #hsa.config<>
func.func @attend_fused(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %n: !hsa.partial<4x?x6>) {
  %p = hsa.attend_fused %q, %k, %v, %i, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

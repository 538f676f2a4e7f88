// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// The whole sequence, its near field, a segment of it.
// CHECK-LABEL: func @fields
// CHECK: hsa.attend_exact all
// CHECK: hsa.attend_exact near
// CHECK: hsa.attend_exact all %{{.*}} at %{{.*}} of %{{.*}} {
func.func @fields(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %f: index, %t: index) {
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  %n = hsa.attend_exact near %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  %s = hsa.attend_exact all %q, %k, %v at %f of %t {mask = #hsa.mask<causal = true>, scale = 0.25 : f64} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

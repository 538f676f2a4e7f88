// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// Queries of the group give the metric.
// CHECK-LABEL: func @summarize
// CHECK: hsa.summarize %{{.*}} -> !hsa.index<2x?x8x6>
func.func @summarize(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

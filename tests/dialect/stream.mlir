// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// Segments of a known sequence have a length that is not known: the last one is short.
// CHECK-LABEL: func @stream
// CHECK: hsa.stream %{{.*}} segment 8192 {
// CHECK: hsa.yield
func.func @stream(%k: tensor<2x100x8xf32>, %v: tensor<2x100x6xf32>, %n: !hsa.partial<4x?x6>) {
  %p = hsa.stream %k, %v, %n segment 8192 {
  ^bb0(%f: index, %t: index, %ks: tensor<2x?x8xf32>, %vs: tensor<2x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %c : !hsa.partial<4x?x6>
  } : (tensor<2x100x8xf32>, tensor<2x100x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

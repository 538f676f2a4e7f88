// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// Mask, scale and config may be left out.
// CHECK-LABEL: func @defaults
// CHECK: hsa.attention %{{.*}}, %{{.*}}, %{{.*}} : (tensor<4x?x8xf32>
func.func @defaults(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// Everything given, lse wanted.
// CHECK-LABEL: func @all
// CHECK: {config = #hsa.config<order = 0>, mask = #hsa.mask<causal = true>, scale = 5.000000e-01 : f64}
// CHECK: -> (tensor<4x?x6xf32>, tensor<4x?xf32>)
func.func @all(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  %o, %l = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.5 : f64, config = #hsa.config<order = 0>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> (tensor<4x?x6xf32>, tensor<4x?xf32>)
  return
}

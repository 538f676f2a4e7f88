// RUN: hsa-opt %s --hsa-infer-shapes | FileCheck %s
!q = tensor<4x64x16xf32>
!k = tensor<2x1030x16xf32>
!v = tensor<2x1030x8xf32>

// What was left out is written out, and the output learns its shape; the signature follows.
// CHECK-LABEL: func @defaults
// CHECK-SAME:    -> tensor<4x64x8xf32>
// CHECK:         hsa.attention {{.*}} {config = #hsa.config<>, mask = #hsa.mask<>, scale = 2.500000e-01 : f64}
// CHECK-SAME:    -> tensor<4x64x8xf32>
func.func @defaults(%q: !q, %k: !k, %v: !v) -> tensor<?x?x?xf32> {
  %o = hsa.attention %q, %k, %v : (!q, !k, !v) -> tensor<?x?x?xf32>
  return %o : tensor<?x?x?xf32>
}

// What was given stays.
// CHECK-LABEL: func @given
// CHECK:         {config = #hsa.config<order = 0>, mask = #hsa.mask<causal = true>, scale = 1.000000e+00 : f64}
func.func @given(%q: !q, %k: !k, %v: !v) -> tensor<4x64x8xf32> {
  %o = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 1.0 : f64, config = #hsa.config<order = 0>} : (!q, !k, !v) -> tensor<4x64x8xf32>
  return %o : tensor<4x64x8xf32>
}

// Without a head_dim there is no 1/√D.
// CHECK-LABEL: func @unknown_head_dim
// CHECK-NOT:     scale
func.func @unknown_head_dim(%q: tensor<4x64x?xf32>, %k: tensor<2x9x?xf32>, %v: tensor<2x9x8xf32>) -> tensor<?x?x?xf32> {
  %o = hsa.attention %q, %k, %v : (tensor<4x64x?xf32>, tensor<2x9x?xf32>, tensor<2x9x8xf32>) -> tensor<?x?x?xf32>
  return %o : tensor<?x?x?xf32>
}

// One length is enough for the stages after it: 1030 keys are one mini-segment of 85 nodes, 64 queries at their end lie in two tiles.
// CHECK-LABEL: func @stages
// CHECK:         hsa.summarize {{.*}} -> !hsa.index<2x1030x16x8>
// CHECK:         hsa.score {{.*}} -> tensor<4x64x85xf32>
// CHECK:         hsa.select {{.*}} -> tensor<4x2x85xi1>
func.func @stages(%q: !q, %k: !k, %v: !v, %near: !hsa.partial<?x?x?>) -> tensor<?x?x?xi1> {
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !k, !v) -> !hsa.index<?x?x?x?>
  %s = hsa.score %q, %i {mask = #hsa.mask<>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !hsa.index<?x?x?x?>) -> tensor<?x?x?xf32>
  %o = hsa.select %q, %i, %s, %near {theta = 0.1 : f64, mask = #hsa.mask<>, scale = 0.25 : f64, config = #hsa.config<>}
      : (!q, !hsa.index<?x?x?x?>, tensor<?x?x?xf32>, !hsa.partial<?x?x?>) -> tensor<?x?x?xi1>
  return %o : tensor<?x?x?xi1>
}

// A reader from outside the dialect keeps the type that it was written for.
// CHECK-LABEL: func @foreign_reader
// CHECK:         %[[O:.*]] = hsa.attention
// CHECK:         %[[CAST:.*]] = tensor.cast %[[O]] : tensor<4x64x8xf32> to tensor<4x?x8xf32>
// CHECK:         tensor.extract_slice %[[CAST]]
func.func @foreign_reader(%q: !q, %k: !k, %v: !v, %n: index) -> tensor<4x?x8xf32> {
  %o = hsa.attention %q, %k, %v : (!q, !k, !v) -> tensor<4x?x8xf32>
  %s = tensor.extract_slice %o[0, 0, 0] [4, %n, 8] [1, 1, 1] : tensor<4x?x8xf32> to tensor<4x?x8xf32>
  return %s : tensor<4x?x8xf32>
}

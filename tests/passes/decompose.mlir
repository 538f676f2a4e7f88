// RUN: hsa-opt %s --hsa-infer-shapes --hsa-decompose --split-input-file --verify-diagnostics | FileCheck %s
!q = tensor<4x?x16xf32>
!k = tensor<2x?x16xf32>
!v = tensor<2x?x8xf32>

// The splat path, stage by stage; theta comes from the config.
// CHECK-LABEL: func @splats
// CHECK-NOT:     hsa.attention
// CHECK:         %[[INDEX:.*]] = hsa.summarize %[[Q:.*]], %[[K:.*]], %[[V:[^ ]*]] {
// CHECK:         %[[NEAR:.*]] = hsa.attend_exact near %[[Q]], %[[K]], %[[V]]
// CHECK:         %[[SCORE:.*]] = hsa.score %[[Q]], %[[INDEX]]
// CHECK:         %[[OPEN:.*]] = hsa.select %[[Q]], %[[INDEX]], %[[SCORE]], %[[NEAR]] {{.*}}theta = 2.500000e-01
// CHECK:         %[[FAR:.*]] = hsa.attend_splats %[[Q]], %[[K]], %[[V]], %[[INDEX]], %[[SCORE]], %[[OPEN]]
// CHECK:         %[[ALL:.*]] = hsa.merge %[[NEAR]], %[[FAR]]
// CHECK:         %[[O:.*]], %[[LSE:.*]] = hsa.normalize %[[ALL]]
// CHECK:         return %[[O]], %[[LSE]]

// Its exact twin: no splat, a stream over segments.
// CHECK-LABEL: func @splats_exact
// CHECK-NOT:     hsa.summarize
// CHECK:         %[[EMPTY:.*]] = hsa.empty_partial
// CHECK:         %[[P:.*]] = hsa.stream %{{.*}}, %{{.*}}, %[[EMPTY]] segment 8192 {
// CHECK:         ^bb0(%[[FIRST:.*]]: index, %[[TOTAL:.*]]: index, %[[KS:.*]]: tensor<2x?x16xf32>, %[[VS:.*]]: tensor<2x?x8xf32>, %[[CARRY:.*]]: !hsa.partial<4x?x8>):
// CHECK:           %[[S:.*]] = hsa.attend_exact all %{{.*}}, %[[KS]], %[[VS]] at %[[FIRST]] of %[[TOTAL]] {mask = #hsa.mask<causal = true>
// CHECK:           %[[M:.*]] = hsa.merge %[[CARRY]], %[[S]]
// CHECK:           hsa.yield %[[M]]
// CHECK:         hsa.normalize %[[P]]
// CHECK-NOT:     hsa.attention
func.func @splats(%q: !q, %k: !k, %v: !v) -> (tensor<4x?x8xf32>, tensor<4x?xf32>) {
  %o, %l = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>, config = #hsa.config<theta = 0.25 : f64>} : (!q, !k, !v) -> (tensor<4x?x8xf32>, tensor<4x?xf32>)
  return %o, %l : tensor<4x?x8xf32>, tensor<4x?xf32>
}

// -----

// A function without attention has nothing to fall back from.
// CHECK-LABEL: func @no_attention
// CHECK-NOT:   @no_attention_exact
func.func @no_attention(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

func.func private @taken_exact()

// expected-error @below {{@taken_exact exists already}}
func.func @taken(%q: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %o = hsa.attention %q, %q, %q : (tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>) -> tensor<1x?x8xf32>
  return %o : tensor<1x?x8xf32>
}

// -----

func.func @unknown_head_dim(%q: tensor<1x?x?xf32>) -> tensor<1x?x?xf32> {
  // expected-error @below {{is left by hsa-decompose: head_dim is not known and there is no scale}}
  %o = hsa.attention %q, %q, %q : (tensor<1x?x?xf32>, tensor<1x?x?xf32>, tensor<1x?x?xf32>) -> tensor<1x?x?xf32>
  return %o : tensor<1x?x?xf32>
}

// RUN: hsa-opt %s --hsa-fuse | FileCheck %s
!q = tensor<4x?x16xf32>
!k = tensor<2x?x16xf32>
!v = tensor<2x?x8xf32>
!i = !hsa.index<2x?x16x8>
!s = tensor<4x?x?xf32>
!o = tensor<4x?x?xi1>
!p = !hsa.partial<4x?x8>

// Nobody else reads scores or flags: neither is a value any more, and theta moves along.
// CHECK-LABEL: func @fused
// CHECK-SAME:    %[[Q:.*]]: tensor<4x?x16xf32>, %[[K:.*]]: tensor<2x?x16xf32>, %[[V:.*]]: tensor<2x?x8xf32>, %[[I:.*]]: !hsa.index<2x?x16x8>, %[[N:.*]]: !hsa.partial<4x?x8>)
// CHECK-NEXT:    hsa.attend_fused %[[Q]], %[[K]], %[[V]], %[[I]], %[[N]] {{.*}}theta = 1.250000e-01
// CHECK-NEXT:    return
func.func @fused(%q: !q, %k: !k, %v: !v, %i: !i, %n: !p) -> !p {
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i) -> !s
  %o = hsa.select %q, %i, %s, %n {theta = 0.125 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i, !s, !p) -> !o
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !k, !v, !i, !s, !o) -> !p
  return %p : !p
}

// The caller reads the scores too, so they stay in memory.
// CHECK-LABEL: func @score_escapes
// CHECK:         hsa.score
// CHECK-NOT:     hsa.attend_fused
func.func @score_escapes(%q: !q, %k: !k, %v: !v, %i: !i, %n: !p) -> (!p, !s) {
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i) -> !s
  %o = hsa.select %q, %i, %s, %n {theta = 0.125 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i, !s, !p) -> !o
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !k, !v, !i, !s, !o) -> !p
  return %p, %s : !p, !s
}

// The caller reads the flags too.
// CHECK-LABEL: func @open_escapes
// CHECK:         hsa.select
// CHECK-NOT:     hsa.attend_fused
func.func @open_escapes(%q: !q, %k: !k, %v: !v, %i: !i, %n: !p) -> (!p, !o) {
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i) -> !s
  %o = hsa.select %q, %i, %s, %n {theta = 0.125 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i, !s, !p) -> !o
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !k, !v, !i, !s, !o) -> !p
  return %p, %o : !p, !o
}

// Scores of another scale are not those that the tile would compute.
// CHECK-LABEL: func @scales_differ
// CHECK-NOT:     hsa.attend_fused
func.func @scales_differ(%q: !q, %k: !k, %v: !v, %i: !i, %n: !p) -> !p {
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.5 : f64, config = #hsa.config<>} : (!q, !i) -> !s
  %o = hsa.select %q, %i, %s, %n {theta = 0.125 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i, !s, !p) -> !o
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !k, !v, !i, !s, !o) -> !p
  return %p : !p
}

// The scores come from the caller.
// CHECK-LABEL: func @score_is_argument
// CHECK-NOT:     hsa.attend_fused
func.func @score_is_argument(%q: !q, %k: !k, %v: !v, %i: !i, %n: !p, %s: !s) -> !p {
  %o = hsa.select %q, %i, %s, %n {theta = 0.125 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !i, !s, !p) -> !o
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (!q, !k, !v, !i, !s, !o) -> !p
  return %p : !p
}

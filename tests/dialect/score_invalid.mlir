// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.score.
// query and index disagree on head_dim.
func.func @score_c1(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x16x6>) {
  // expected-error @below {{score_c1: head_dim is 8 in query but 16 in index}}
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x16x6>) -> tensor<4x?x?xf32>
  return
}

// -----

// 4 query heads cannot be shared by 3 kv_heads.
func.func @score_c2(%q: tensor<4x?x8xf32>, %i: !hsa.index<3x?x8x6>) {
  // expected-error @below {{score_c2: 3 kv_heads do not divide 4 query heads}}
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<3x?x8x6>) -> tensor<4x?x?xf32>
  return
}

// -----

// 1024 keys make one mini-segment: 85 nodes.
func.func @score_c3(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x1024x8x6>) {
  // expected-error @below {{score_c3: score is 'tensor<4x?x84xf32>' but the operands want 'tensor<4x?x85xf32>'}}
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x1024x8x6>) -> tensor<4x?x84xf32>
  return
}

// -----

// an infinite scale.
func.func @score_c4(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x8x6>) {
  // expected-error @below {{score_c4: scale is}}
  %s = hsa.score %q, %i {mask = #hsa.mask<causal = true>, scale = 0x7FF0000000000000 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x8x6>) -> tensor<4x?x?xf32>
  return
}

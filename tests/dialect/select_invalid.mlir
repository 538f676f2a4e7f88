// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.select.
// query and index disagree on head_dim.
func.func @select_c1(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x16x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c1: head_dim is 8 in query but 16 in index}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x16x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x?x?xi1>
  return
}

// -----

// 4 query heads cannot be shared by 3 kv_heads.
func.func @select_c2(%q: tensor<4x?x8xf32>, %i: !hsa.index<3x?x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c2: 3 kv_heads do not divide 4 query heads}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<3x?x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x?x?xi1>
  return
}

// -----

// 64 queries at the end of 1030 keys lie in two windows.
func.func @select_c3(%q: tensor<4x64x8xf32>, %i: !hsa.index<2x1030x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c3: open is 'tensor<4x1x85xi1>' but the operands want 'tensor<4x2x85xi1>'}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x64x8xf32>, !hsa.index<2x1030x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x1x85xi1>
  return
}

// -----

// By content a tile does not care where its queries stand: 64 queries are one.
func.func @select_c3_content(%q: tensor<4x64x8xf32>, %i: !hsa.index<2x1000x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c3: open is 'tensor<4x2x0xi1>' but the operands want 'tensor<4x1x0xi1>'}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x64x8xf32>, !hsa.index<2x1000x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x2x0xi1>
  return
}

// -----

// By position they lie in the tiles at 896 and at 960.
func.func @select_c3_position(%q: tensor<4x64x8xf32>, %i: !hsa.index<2x1000x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c3: open is 'tensor<4x1x0xi1>' but the operands want 'tensor<4x2x0xi1>'}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<queryOrder = position>} : (tensor<4x64x8xf32>, !hsa.index<2x1000x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x1x0xi1>
  return
}

// -----

// an infinite scale.
func.func @select_c4(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c4: scale is}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0x7FF0000000000000 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x?x?xi1>
  return
}

// -----

// scores of another number of heads.
func.func @select_c5(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<2x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c5: score is 'tensor<2x?x?xf32>' but the operands want 'tensor<4x?x?xf32>'}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x8x6>, tensor<2x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x?x?xi1>
  return
}

// -----

// the near field of another value_dim.
func.func @select_c6(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x8>) {
  // expected-error @below {{select_c6: near is '!hsa.partial<4x?x8>' but the operands want '!hsa.partial<4x?x6>'}}
  %o = hsa.select %q, %i, %s, %n {theta = 0.01 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x8>) -> tensor<4x?x?xi1>
  return
}

// -----

// a negative threshold.
func.func @select_c7(%q: tensor<4x?x8xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{select_c7: theta is}}
  %o = hsa.select %q, %i, %s, %n {theta = -0.5 : f64, mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, !hsa.partial<4x?x6>) -> tensor<4x?x?xi1>
  return
}

// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.attend_splats.
// query and key disagree on head_dim.
func.func @attend_splats_c1(%q: tensor<4x?x8xf32>, %k: tensor<2x?x16xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c1: head_dim is 8 in query but 16 in key}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x16xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// key and value disagree on kv_heads.
func.func @attend_splats_c2(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<4x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c2: key has 2 kv_heads but value has 4}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<4x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// key and value disagree on their length.
func.func @attend_splats_c3(%q: tensor<4x?x8xf32>, %k: tensor<2x100x8xf32>, %v: tensor<2x99x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c3: key has 100 tokens but value has 99}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x100x8xf32>, tensor<2x99x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// 4 query heads cannot be shared by 3 kv_heads.
func.func @attend_splats_c4(%q: tensor<4x?x8xf32>, %k: tensor<3x?x8xf32>, %v: tensor<3x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c4: 3 kv_heads do not divide 4 query heads}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<3x?x8xf32>, tensor<3x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// query, key and value mix precisions.
func.func @attend_splats_c5(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xbf16>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c5: query, key, value are of 'f32', 'bf16', 'f32'}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xbf16>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the partial has the value_dim of value.
func.func @attend_splats_c6(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c6: partial is '!hsa.partial<4x?x8>' but the operands want '!hsa.partial<4x?x6>'}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x8>
  return
}

// -----

// an infinite scale.
func.func @attend_splats_c7(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c7: scale is}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0x7FF0000000000000 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the index of other keys.
func.func @attend_splats_c8(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x4>, %s: tensor<4x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c8: index is '!hsa.index<2x?x8x4>' but the operands want '!hsa.index<2x?x8x6>'}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x4>, tensor<4x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// scores of another number of heads.
func.func @attend_splats_c9(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<2x?x?xf32>, %o: tensor<4x?x?xi1>) {
  // expected-error @below {{attend_splats_c9: score is 'tensor<2x?x?xf32>' but the operands want 'tensor<4x?x?xf32>'}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<2x?x?xf32>, tensor<4x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

// -----

// flags of another number of heads.
func.func @attend_splats_c10(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %i: !hsa.index<2x?x8x6>, %s: tensor<4x?x?xf32>, %o: tensor<2x?x?xi1>) {
  // expected-error @below {{attend_splats_c10: open is 'tensor<2x?x?xi1>' but the operands want 'tensor<4x?x?xi1>'}}
  %p = hsa.attend_splats %q, %k, %v, %i, %s, %o {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.index<2x?x8x6>, tensor<4x?x?xf32>, tensor<2x?x?xi1>) -> !hsa.partial<4x?x6>
  return
}

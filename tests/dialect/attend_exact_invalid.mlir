// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.attend_exact.
// query and key disagree on head_dim.
func.func @attend_exact_c1(%q: tensor<4x?x8xf32>, %k: tensor<2x?x16xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attend_exact_c1: head_dim is 8 in query but 16 in key}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x16xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// key and value disagree on kv_heads.
func.func @attend_exact_c2(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<4x?x6xf32>) {
  // expected-error @below {{attend_exact_c2: key has 2 kv_heads but value has 4}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<4x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// key and value disagree on their length.
func.func @attend_exact_c3(%q: tensor<4x?x8xf32>, %k: tensor<2x100x8xf32>, %v: tensor<2x99x6xf32>) {
  // expected-error @below {{attend_exact_c3: key has 100 tokens but value has 99}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x100x8xf32>, tensor<2x99x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// 4 query heads cannot be shared by 3 kv_heads.
func.func @attend_exact_c4(%q: tensor<4x?x8xf32>, %k: tensor<3x?x8xf32>, %v: tensor<3x?x6xf32>) {
  // expected-error @below {{attend_exact_c4: 3 kv_heads do not divide 4 query heads}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<3x?x8xf32>, tensor<3x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// query, key and value mix precisions.
func.func @attend_exact_c5(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xbf16>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attend_exact_c5: query, key, value are of 'f32', 'bf16', 'f32'}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xbf16>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the partial has the value_dim of value.
func.func @attend_exact_c6(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attend_exact_c6: partial is '!hsa.partial<4x?x8>' but the operands want '!hsa.partial<4x?x6>'}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x8>
  return
}

// -----

// an infinite scale.
func.func @attend_exact_c7(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attend_exact_c7: scale is}}
  %p = hsa.attend_exact all %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0x7FF0000000000000 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// a segment does not know what is near.
func.func @attend_exact_c8(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %f: index, %t: index) {
  // expected-error @below {{attend_exact_c8: field is near but the keys are a segment}}
  %p = hsa.attend_exact near %q, %k, %v at %f of %t {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// without a config nothing says what is near.
func.func @attend_exact_c9(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attend_exact_c9: field is near but there is no config}}
  %p = hsa.attend_exact near %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the mask of a segment needs the length of the sequence.
func.func @attend_exact_c10(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %f: index) {
  // expected-error @below {{attend_exact_c10: first is given but total is not}}
  %p = hsa.attend_exact all %q, %k, %v at %f {mask = #hsa.mask<causal = true>, scale = 0.25 : f64} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  return
}

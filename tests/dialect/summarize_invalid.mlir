// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.summarize.
// query and key disagree on head_dim.
func.func @summarize_c1(%q: tensor<4x?x8xf32>, %k: tensor<2x?x16xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{summarize_c1: head_dim is 8 in query but 16 in key}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x16xf32>, tensor<2x?x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

// -----

// key and value disagree on kv_heads.
func.func @summarize_c2(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<4x?x6xf32>) {
  // expected-error @below {{summarize_c2: key has 2 kv_heads but value has 4}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<4x?x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

// -----

// key and value disagree on their length.
func.func @summarize_c3(%q: tensor<4x?x8xf32>, %k: tensor<2x100x8xf32>, %v: tensor<2x99x6xf32>) {
  // expected-error @below {{summarize_c3: key has 100 tokens but value has 99}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x100x8xf32>, tensor<2x99x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

// -----

// 4 query heads cannot be shared by 3 kv_heads.
func.func @summarize_c4(%q: tensor<4x?x8xf32>, %k: tensor<3x?x8xf32>, %v: tensor<3x?x6xf32>) {
  // expected-error @below {{summarize_c4: 3 kv_heads do not divide 4 query heads}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<3x?x8xf32>, tensor<3x?x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

// -----

// query, key and value mix precisions.
func.func @summarize_c5(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xbf16>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{summarize_c5: query, key, value are of 'f32', 'bf16', 'f32'}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xbf16>, tensor<2x?x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

// -----

// the index is of kv_heads, not of query heads.
func.func @summarize_c6(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{summarize_c6: index is '!hsa.index<4x?x8x6>' but the operands want '!hsa.index<2x?x8x6>'}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0.25 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.index<4x?x8x6>
  return
}

// -----

// a scale that is not a number.
func.func @summarize_c7(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{summarize_c7: scale is}}
  %i = hsa.summarize %q, %k, %v {mask = #hsa.mask<causal = true>, scale = 0x7FF8000000000000 : f64, config = #hsa.config<>} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.index<2x?x8x6>
  return
}

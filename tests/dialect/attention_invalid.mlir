// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.attention.
// query and key disagree on head_dim.
func.func @attention_c1(%q: tensor<4x?x8xf32>, %k: tensor<2x?x16xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attention_c1: head_dim is 8 in query but 16 in key}}
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x?x16xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// key and value disagree on kv_heads.
func.func @attention_c2(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<4x?x6xf32>) {
  // expected-error @below {{attention_c2: key has 2 kv_heads but value has 4}}
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// key and value disagree on their length.
func.func @attention_c3(%q: tensor<4x?x8xf32>, %k: tensor<2x100x8xf32>, %v: tensor<2x99x6xf32>) {
  // expected-error @below {{attention_c3: key has 100 tokens but value has 99}}
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x100x8xf32>, tensor<2x99x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// 4 query heads cannot be shared by 3 kv_heads.
func.func @attention_c4(%q: tensor<4x?x8xf32>, %k: tensor<3x?x8xf32>, %v: tensor<3x?x6xf32>) {
  // expected-error @below {{attention_c4: 3 kv_heads do not divide 4 query heads}}
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<3x?x8xf32>, tensor<3x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// query, key and value mix precisions.
func.func @attention_c5(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xbf16>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attention_c5: query, key, value are of 'f32', 'bf16', 'f32'}}
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x?x8xbf16>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// the output has the head_dim of value, not of query.
func.func @attention_c6(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attention_c6: output is 'tensor<4x?x8xf32>' but the operands want 'tensor<4x?x6xf32>'}}
  %o = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> tensor<4x?x8xf32>
  return
}

// -----

// lse has one entry per query head.
func.func @attention_c7(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attention_c7: lse is 'tensor<2x?xf32>' but the operands want 'tensor<4x?xf32>'}}
  %o, %l = hsa.attention %q, %k, %v : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> (tensor<4x?x6xf32>, tensor<2x?xf32>)
  return
}

// -----

// an infinite scale.
func.func @attention_c8(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{attention_c8: scale is}}
  %o = hsa.attention %q, %k, %v {scale = 0x7FF0000000000000 : f64} : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

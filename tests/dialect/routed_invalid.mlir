// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of the ops of scheme routed.
// tokens and center disagree on head_dim.
func.func @affinity_c1(%t: tensor<4x?x9xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{affinity_c1: head_dim is 9 in tokens but 8 in center}}
  %a = hsa.affinity %t, %c, %s : (tensor<4x?x9xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// a center without its variance.
func.func @affinity_c2(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x4x1xf32>) {
  // expected-error @below {{affinity_c2: center is 'tensor<2x5x8xf32>' but variance is 'tensor<2x4x1xf32>'}}
  %a = hsa.affinity %t, %c, %s : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x4x1xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// of 5 bands of 2 dimensions the last is empty.
func.func @affinity_c3(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x5xf32>) {
  // expected-error @below {{affinity_c3: variance has 5 entries, wanted 1, 8 or a number of bands of which none of the 8 dimensions leaves one empty}}
  %a = hsa.affinity %t, %c, %s : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x5x5xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// no covariance at all.
func.func @affinity_c60(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>) {
  // expected-error @below {{affinity_c60: has neither a variance nor cholesky, wanted one of them}}
  %a = hsa.affinity %t, %c : (tensor<4x?x8xf32>, tensor<2x5x8xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// two covariances.
func.func @affinity_c60_both(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>, %l: tensor<2x40x8xf32>) {
  // expected-error @below {{affinity_c60: has a variance and cholesky, wanted one of them}}
  %a = hsa.affinity %t, %c, %s cholesky %l : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x5x8xf32>, tensor<2x40x8xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// 17 rows for each splat.
func.func @affinity_c61_rank(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>, %f: tensor<2x85x8xf32>) {
  // expected-error @below {{affinity_c61: factor 'tensor<2x85x8xf32>', wanted 1 to 16 rows for each splat}}
  %a = hsa.affinity %t, %c, %s factor %f : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x5x8xf32>, tensor<2x85x8xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// 11 rows for 5 splats.
func.func @affinity_c61_rows(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>, %f: tensor<2x11x8xf32>) {
  // expected-error @below {{affinity_c61: factor is 'tensor<2x11x8xf32>' but the operands want 'tensor<2x10x8xf32>'}}
  %a = hsa.affinity %t, %c, %s factor %f : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x5x8xf32>, tensor<2x11x8xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// a factor without the variance that it adds to.
func.func @affinity_c61_beside(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %f: tensor<2x10x8xf32>, %l: tensor<2x40x8xf32>) {
  // expected-error @below {{affinity_c61: factor 'tensor<2x10x8xf32>' stands beside cholesky, wanted a variance}}
  %a = hsa.affinity %t, %c factor %f cholesky %l : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x10x8xf32>, tensor<2x40x8xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// a triangle of 7 rows for 8 dimensions.
func.func @affinity_c62(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %l: tensor<2x35x8xf32>) {
  // expected-error @below {{affinity_c62: cholesky is 'tensor<2x35x8xf32>' but the operands want 'tensor<2x40x8xf32>'}}
  %a = hsa.affinity %t, %c cholesky %l : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x35x8xf32>) -> tensor<4x?x5xf32>
  return
}

// -----

// 3 heads cannot share the splats of 2 kv_heads.
func.func @affinity_c4(%t: tensor<3x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{affinity_c4: 2 kv_heads do not divide 3 heads of tokens}}
  %a = hsa.affinity %t, %c, %s : (tensor<3x?x8xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<3x?x5xf32>
  return
}

// -----

// one affinity per splat.
func.func @affinity_c5(%t: tensor<4x?x8xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{affinity_c5: affinity is 'tensor<4x?x6xf32>' but the operands want 'tensor<4x?x5xf32>'}}
  %a = hsa.affinity %t, %c, %s : (tensor<4x?x8xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a link between 4 splats.
func.func @flow_c1(%a: tensor<2x?x5xf32>, %f: tensor<2x4x4xf32>) {
  // expected-error @below {{flow_c1: link is 'tensor<2x4x4xf32>' but the operands want 'tensor<2x5x5xf32>'}}
  %s = hsa.flow %a, %f : (tensor<2x?x5xf32>, tensor<2x4x4xf32>) -> tensor<2x?x5xf32>
  return
}

// -----

// flow makes no splats.
func.func @flow_c2(%a: tensor<2x?x5xf32>, %f: tensor<2x5x5xf32>) {
  // expected-error @below {{flow_c2: sent is 'tensor<2x?x6xf32>' but the operands want 'tensor<2x?x5xf32>'}}
  %s = hsa.flow %a, %f : (tensor<2x?x5xf32>, tensor<2x5x5xf32>) -> tensor<2x?x6xf32>
  return
}

// -----

// values of other kv_heads.
func.func @send_c1(%s: tensor<2x?x5xf32>, %v: tensor<3x?x6xf32>) {
  // expected-error @below {{send_c1: sent has 2 kv_heads but value has 3}}
  %p = hsa.send %s, %v : (tensor<2x?x5xf32>, tensor<3x?x6xf32>) -> !hsa.partial<2x5x6>
  return
}

// -----

// a token without a value.
func.func @send_c2(%s: tensor<2x10x5xf32>, %v: tensor<2x9x6xf32>) {
  // expected-error @below {{send_c2: sent has 10 tokens but value has 9}}
  %p = hsa.send %s, %v : (tensor<2x10x5xf32>, tensor<2x9x6xf32>) -> !hsa.partial<2x5x6>
  return
}

// -----

// rows of a state are splats.
func.func @send_c3(%s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{send_c3: state is '!hsa.partial<2x6x6>' but the operands want '!hsa.partial<2x5x6>'}}
  %p = hsa.send %s, %v : (tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> !hsa.partial<2x6x6>
  return
}

// -----

// a gate of another head_dim.
func.func @gate_c1(%q: tensor<4x?x8xf32>, %w: tensor<2x3x9xf32>, %b: tensor<2x3x1xf32>) {
  // expected-error @below {{gate_c1: head_dim is 8 in query but 9 in weight}}
  %g = hsa.gate %q, %w, %b : (tensor<4x?x8xf32>, tensor<2x3x9xf32>, tensor<2x3x1xf32>) -> tensor<4x?x3xf32>
  return
}

// -----

// 3 query heads cannot share the gates of 2 kv_heads.
func.func @gate_c2(%q: tensor<3x?x8xf32>, %w: tensor<2x3x8xf32>, %b: tensor<2x3x1xf32>) {
  // expected-error @below {{gate_c2: 2 kv_heads do not divide 3 query heads}}
  %g = hsa.gate %q, %w, %b : (tensor<3x?x8xf32>, tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<3x?x3xf32>
  return
}

// -----

// a bias per level.
func.func @gate_c3(%q: tensor<4x?x8xf32>, %w: tensor<2x3x8xf32>, %b: tensor<2x2x1xf32>) {
  // expected-error @below {{gate_c3: bias is 'tensor<2x2x1xf32>' but the operands want 'tensor<2x3x1xf32>'}}
  %g = hsa.gate %q, %w, %b : (tensor<4x?x8xf32>, tensor<2x3x8xf32>, tensor<2x2x1xf32>) -> tensor<4x?x3xf32>
  return
}

// -----

// a weight per level.
func.func @gate_c4(%q: tensor<4x?x8xf32>, %w: tensor<2x3x8xf32>, %b: tensor<2x3x1xf32>) {
  // expected-error @below {{gate_c4: gate is 'tensor<4x?x2xf32>' but the operands want 'tensor<4x?x3xf32>'}}
  %g = hsa.gate %q, %w, %b : (tensor<4x?x8xf32>, tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<4x?x2xf32>
  return
}

// -----

// a level without splats.
func.func @receive_c1(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c1: level 1 has 0 splats, wanted at least 1}}
  %o = hsa.receive %a, %s {levels = array<i64: 5, 0>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

// levels with more splats than there are.
func.func @receive_c1_sum(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c1: levels have 6 splats together, the splats are 5}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 2>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

// a level without a weight.
func.func @receive_c2(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c2: 2 levels but 1 weights}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

// a weight is positive.
func.func @receive_c2_sign(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c2: weight of level 1 is 0.000000e+00, wanted a finite number > 0}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

// other splats receive than were sent to.
func.func @receive_c3(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x4x6>) {
  // expected-error @below {{receive_c3: affinity has 5 splats but state has 4}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x4x6>) -> tensor<4x?x6xf32>
  return
}

// -----

// 3 query heads cannot share the states of 2 kv_heads.
func.func @receive_c4(%a: tensor<3x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c4: 2 kv_heads do not divide 3 query heads}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<3x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<3x?x6xf32>
  return
}

// -----

// an amplitude per splat.
func.func @receive_c5(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>, %m: tensor<2x4x1xf32>) {
  // expected-error @below {{receive_c5: amplitude is 'tensor<2x4x1xf32>' but the operands want 'tensor<2x5x1xf32>'}}
  %o = hsa.receive %a, %s amplitude %m {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>, tensor<2x4x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a gate per level.
func.func @receive_c6(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>, %g: tensor<4x?x3xf32>) {
  // expected-error @below {{receive_c6: gate is 'tensor<4x?x3xf32>' but the operands want 'tensor<4x?x2xf32>'}}
  %o = hsa.receive %a, %s gate %g {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>, tensor<4x?x3xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// the output has the value_dim.
func.func @receive_c7(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c7: output is 'tensor<4x?x8xf32>' but the operands want 'tensor<4x?x6xf32>'}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x8xf32>
  return
}

// -----

// a level without splats.
func.func @receive_causal_c1(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c1: level 1 has 0 splats, wanted at least 1}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 5, 0>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// levels with more splats than there are.
func.func @receive_causal_c1_sum(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c1: levels have 6 splats together, the splats are 5}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 2>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a level without a weight.
func.func @receive_causal_c2(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c2: 2 levels but 1 weights}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a weight is positive.
func.func @receive_causal_c2_sign(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c2: weight of level 1 is 0.000000e+00, wanted a finite number > 0}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// other splats receive than were sent to.
func.func @receive_causal_c3(%a: tensor<4x?x5xf32>, %s: tensor<2x?x4xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c3: affinity has 5 splats but sent has 4}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x4xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// 3 query heads cannot share the states of 2 kv_heads.
func.func @receive_causal_c4(%a: tensor<3x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c4: 2 kv_heads do not divide 3 query heads}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<3x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<3x?x6xf32>
  return
}

// -----

// an amplitude per splat.
func.func @receive_causal_c5(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>, %m: tensor<2x4x1xf32>) {
  // expected-error @below {{receive_causal_c5: amplitude is 'tensor<2x4x1xf32>' but the operands want 'tensor<2x5x1xf32>'}}
  %o = hsa.receive_causal %a, %s, %v amplitude %m {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>, tensor<2x4x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a gate per level.
func.func @receive_causal_c6(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>, %g: tensor<4x?x3xf32>) {
  // expected-error @below {{receive_causal_c6: gate is 'tensor<4x?x3xf32>' but the operands want 'tensor<4x?x2xf32>'}}
  %o = hsa.receive_causal %a, %s, %v gate %g {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>, tensor<4x?x3xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// the output has the value_dim.
func.func @receive_causal_c7(%a: tensor<4x?x5xf32>, %s: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c7: output is 'tensor<4x?x8xf32>' but the operands want 'tensor<4x?x6xf32>'}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x8xf32>
  return
}

// -----

// a token without a value.
func.func @receive_causal_c8(%a: tensor<4x?x5xf32>, %s: tensor<2x10x5xf32>, %v: tensor<2x9x6xf32>) {
  // expected-error @below {{receive_causal_c8: sent is 'tensor<2x10x5xf32>' but value is 'tensor<2x9x6xf32>'}}
  %o = hsa.receive_causal %a, %s, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>} : (tensor<4x?x5xf32>, tensor<2x10x5xf32>, tensor<2x9x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// query and key disagree on head_dim.
func.func @routed_attention_c1(%q: tensor<4x?x9xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c1: head_dim is 9 in query but 8 in key}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x9xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// key and value disagree on kv_heads.
func.func @routed_attention_c2(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<4x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c2: key has 2 kv_heads but value has 4}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<4x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// key and value disagree on their length.
func.func @routed_attention_c3(%q: tensor<4x?x8xf32>, %k: tensor<2x10x8xf32>, %v: tensor<2x9x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c3: key has 10 tokens but value has 9}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x10x8xf32>, tensor<2x9x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// 3 query heads cannot share 2 kv_heads.
func.func @routed_attention_c4(%q: tensor<3x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c4: 2 kv_heads do not divide 3 query heads}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<3x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<3x?x6xf32>
  return
}

// -----

// query, key and value mix precisions.
func.func @routed_attention_c5(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xbf16>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c5: query, key, value are of 'f32', 'bf16', 'f32'; wanted one element type}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xbf16>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// the output has the value_dim.
func.func @routed_attention_c6(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c6: output is 'tensor<4x?x8xf32>' but the operands want 'tensor<4x?x6xf32>'}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x8xf32>
  return
}

// -----

// centers of another head_dim.
func.func @routed_attention_c7(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x9xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c7: center is 'tensor<2x5x9xf32>' but the operands want 'tensor<2x5x8xf32>'}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x9xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// of 5 bands of 2 dimensions the last is empty.
func.func @routed_attention_c8(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x5xf32>) {
  // expected-error @below {{routed_attention_c8: variance has 5 entries, wanted 1, 8 or a number of bands of which none of the 8 dimensions leaves one empty}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x5xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a variance beside a whole covariance.
func.func @routed_attention_c60(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>, %l: tensor<2x40x8xf32>) {
  // expected-error @below {{routed_attention_c60: has a variance and cholesky, wanted one of them}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s cholesky %l {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x8xf32>, tensor<2x40x8xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// 3 rows for 5 splats.
func.func @routed_attention_c61(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>, %f: tensor<2x3x8xf32>) {
  // expected-error @below {{routed_attention_c61: factor 'tensor<2x3x8xf32>', wanted 1 to 16 rows for each splat}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s factor %f {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x8xf32>, tensor<2x3x8xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// rows of 7 entries for 8 dimensions.
func.func @routed_attention_c62(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %l: tensor<2x40x7xf32>) {
  // expected-error @below {{routed_attention_c62: cholesky is 'tensor<2x40x7xf32>' but the operands want 'tensor<2x40x8xf32>'}}
  %o = hsa.routed_attention %q, %k, %v splats %c cholesky %l {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x40x7xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// an amplitude per splat.
func.func @routed_attention_c9(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %m: tensor<2x4x1xf32>) {
  // expected-error @below {{routed_attention_c9: amplitude is 'tensor<2x4x1xf32>' but the operands want 'tensor<2x5x1xf32>'}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s amplitude %m {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x4x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a link between 4 splats.
func.func @routed_attention_c10(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %f: tensor<2x4x4xf32>) {
  // expected-error @below {{routed_attention_c10: link is 'tensor<2x4x4xf32>' but the operands want 'tensor<2x5x5xf32>'}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %f {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x4x4xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a gate of three levels.
func.func @routed_attention_c11(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %w: tensor<2x3x8xf32>, %b: tensor<2x3x1xf32>) {
  // expected-error @below {{routed_attention_c11: gate weight is 'tensor<2x3x8xf32>' but the operands want 'tensor<2x2x8xf32>'}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s gate %w, %b {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x3x8xf32>, tensor<2x3x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// levels without splats.
func.func @routed_attention_c12(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c12: level 0 has 0 splats, wanted at least 1}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 0, 5>, weights = array<f64: 1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// a weight is positive.
func.func @routed_attention_c13(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c13: weight of level 0 is -1.000000e+00, wanted a finite number > 0}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: -1.0, 1.0>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// levels without splats.
func.func @links_c1(%u: tensor<2x1x4xf32>) {
  // expected-error @below {{links_c1: level 1 has 0 splats, wanted at least 1}}
  %l = hsa.links %u {levels = array<i64: 4, 0>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>} : (tensor<2x1x4xf32>) -> tensor<2x4x4xf32>
  return
}

// -----

// a link leads somewhere.
func.func @links_c2_count(%u: tensor<2x1x4xf32>) {
  // expected-error @below {{links_c2: 1 from, 0 to and 1 ranks, wanted one of each per link}}
  %l = hsa.links %u {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64>, ranks = array<i64: 0>} : (tensor<2x1x4xf32>) -> tensor<2x5x5xf32>
  return
}

// -----

// and not to where it comes from.
func.func @links_c2(%u: tensor<2x4x4xf32>) {
  // expected-error @below {{links_c2: a link leads from level 0 to level 0, wanted two of 2}}
  %l = hsa.links %u {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 0>, ranks = array<i64: 0>} : (tensor<2x4x4xf32>) -> tensor<2x5x5xf32>
  return
}

// -----

// a bottleneck has two factors.
func.func @links_c3(%u: tensor<2x1x2xf32>) {
  // expected-error @below {{links_c3: has 1 factors, wanted one for each link of rank 0 and two for the others}}
  %l = hsa.links %u {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 2>} : (tensor<2x1x2xf32>) -> tensor<2x5x5xf32>
  return
}

// -----

// a whole matrix has one.
func.func @links_c3_more(%u: tensor<2x1x4xf32>) {
  // expected-error @below {{links_c3: has 2 factors, its ranks want 1}}
  %l = hsa.links %u, %u {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>}
      : (tensor<2x1x4xf32>, tensor<2x1x4xf32>) -> tensor<2x5x5xf32>
  return
}

// -----

// an entry for each pair of splats.
func.func @links_c4(%u: tensor<2x1x3xf32>) {
  // expected-error @below {{links_c4: weight is 'tensor<2x1x3xf32>' but the operands want 'tensor<2x1x4xf32>'}}
  %l = hsa.links %u {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>} : (tensor<2x1x3xf32>) -> tensor<2x5x5xf32>
  return
}

// -----

// the matrix is of all splats.
func.func @links_c5(%u: tensor<2x1x4xf32>) {
  // expected-error @below {{links_c5: link is 'tensor<2x4x4xf32>' but the operands want 'tensor<2x5x5xf32>'}}
  %l = hsa.links %u {levels = array<i64: 4, 1>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>} : (tensor<2x1x4xf32>) -> tensor<2x4x4xf32>
  return
}

// -----

// a level has a name of its own.
func.func @receive_c63(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c63: two levels are named 'token'}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, names = ["token", "token"]} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

func.func @receive_c63_count(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c63: 2 levels but 1 names}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, names = ["token"]} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

func.func @receive_causal_c63(%a: tensor<4x?x5xf32>, %n: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c63: a level has an empty name}}
  %o = hsa.receive_causal %a, %n, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, names = ["token", " "]}
      : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// one level at least is awake.
func.func @receive_causal_c65_asleep(%a: tensor<4x?x5xf32>, %n: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c65: adapt lets 2 levels sleep of 2, wanted one awake}}
  %o = hsa.receive_causal %a, %n, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, adapt = #hsa.adapt<asleep = 2>}
      : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// no level has fewer splats than adaptation keeps.
func.func @receive_causal_c65(%a: tensor<4x?x5xf32>, %n: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c65: adapt keeps 2 splats, level 1 has 1}}
  %o = hsa.receive_causal %a, %n, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, adapt = #hsa.adapt<leastSplats = 2>}
      : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// between two segments there is only something where a stream is causal.
func.func @routed_attention_c65(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c65: adapts and is not causal}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, adapt = #hsa.adapt<>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// low rank does not adapt.
func.func @routed_attention_c65_low_rank(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x4xf32>, %f: tensor<2x10x8xf32>) {
  // expected-error @below {{routed_attention_c65: adapts and has covariances of low rank or full, which do not}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s factor %f {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, causal, adapt = #hsa.adapt<>}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x4xf32>, tensor<2x10x8xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// one entry per level.
func.func @receive_c64(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c64: 2 levels but 1 value_dims}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, value_dims = array<i64: 6>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

// a coarser level keeps no more than a finer one.
func.func @receive_c64_grows(%a: tensor<4x?x5xf32>, %s: !hsa.partial<2x5x6>) {
  // expected-error @below {{receive_c64: level 1 keeps 4 value dims, wanted 1 to 3}}
  %o = hsa.receive %a, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, value_dims = array<i64: 3, 4>} : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>) -> tensor<4x?x6xf32>
  return
}

// -----

func.func @receive_causal_c64(%a: tensor<4x?x5xf32>, %n: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c64: level 0 keeps 7 value dims, wanted 1 to 6}}
  %o = hsa.receive_causal %a, %n, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, value_dims = array<i64: 7, 1>}
      : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// panes, an eighth of a window, are whole chunks.
func.func @receive_causal_c90(%a: tensor<4x?x5xf32>, %n: tensor<2x?x5xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{receive_causal_c90: window is 500, wanted a multiple of 512, at most 2^30}}
  %o = hsa.receive_causal %a, %n, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>, window = 500 : i64}
      : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, tensor<2x?x6xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

func.func @routed_attention_c90_size(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c90: window is 0, wanted a multiple of 512}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, causal, window = 0 : i64}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

// -----

// what all tokens see has no window.
func.func @routed_attention_c90_causal(%q: tensor<4x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>) {
  // expected-error @below {{routed_attention_c90: has a window and is not causal}}
  %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>, window = 512 : i64}
      : (tensor<4x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x6xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x6xf32>
  return
}

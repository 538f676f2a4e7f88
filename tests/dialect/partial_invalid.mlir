// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of the ops on partial results.
// query has 4 heads.
func.func @empty_partial_c1(%q: tensor<4x?x8xf32>, %v: tensor<2x?x6xf32>) {
  // expected-error @below {{empty_partial_c1: partial is '!hsa.partial<2x?x6>' but the operands want '!hsa.partial<4x?x6>'}}
  %p = hsa.empty_partial %q, %v : (tensor<4x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<2x?x6>
  return
}

// -----

// partials of different rows.
func.func @merge_c1(%a: !hsa.partial<4x?x6>, %b: !hsa.partial<2x?x6>) {
  // expected-error @below {{merge_c1: lhs is '!hsa.partial<4x?x6>' but rhs is '!hsa.partial<2x?x6>'}}
  %m = hsa.merge %a, %b : (!hsa.partial<4x?x6>, !hsa.partial<2x?x6>) -> !hsa.partial<4x?x6>
  return
}

// -----

// a merged partial of other rows.
func.func @merge_c2(%a: !hsa.partial<4x?x6>, %b: !hsa.partial<4x?x6>) {
  // expected-error @below {{merge_c2: merged is '!hsa.partial<2x?x6>' but the operands want '!hsa.partial<4x?x6>'}}
  %m = hsa.merge %a, %b : (!hsa.partial<4x?x6>, !hsa.partial<4x?x6>) -> !hsa.partial<2x?x6>
  return
}

// -----

// the output has the value_dim of the partial.
func.func @normalize_c1(%a: !hsa.partial<4x?x6>) {
  // expected-error @below {{normalize_c1: output is 'tensor<4x?x8xf32>' but the operands want 'tensor<4x?x6xf32>'}}
  %o = hsa.normalize %a : (!hsa.partial<4x?x6>) -> tensor<4x?x8xf32>
  return
}

// -----

// lse has one entry per query head.
func.func @normalize_c2(%a: !hsa.partial<4x?x6>) {
  // expected-error @below {{normalize_c2: lse is 'tensor<2x?xf32>' but the operands want 'tensor<4x?xf32>'}}
  %o, %l = hsa.normalize %a : (!hsa.partial<4x?x6>) -> (tensor<4x?x6xf32>, tensor<2x?xf32>)
  return
}

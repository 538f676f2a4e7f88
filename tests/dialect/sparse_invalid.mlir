// RUN: hsa-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{sparse_c1: top is 65, wanted 1 to 64}}
func.func private @sparse_c1() attributes {keep = #hsa.sparse<top = 65>}

// -----

// expected-error @below {{sparse_c2: threshold is 1.000000e+00, wanted more than 0, less than 1}}
func.func private @sparse_c2() attributes {keep = #hsa.sparse<top = 8, threshold = 1.0 : f64>}

// -----

func.func @sparsify_c1(%a: tensor<2x?x5xf32>, %k: tensor<2x?x8xf32>) {
  // expected-error @below {{sparsify_c1: levels have 6 splats together, the splats are 5}}
  %s = hsa.sparsify %a of %k {keep = #hsa.sparse<top = 3>, levels = array<i64: 4, 2>}
      : (tensor<2x?x5xf32>, tensor<2x?x8xf32>) -> tensor<2x?x5xf32, #hsa.affinity<ell>>
  return
}

// -----

func.func @sparsify_c2(%a: tensor<2x?x5xf32>, %k: tensor<2x?x8xf32>, %m: tensor<2x4x1xf32>) {
  // expected-error @below {{sparsify_c2: amplitude is 'tensor<2x4x1xf32>' but the operands want 'tensor<2x5x1xf32>'}}
  %s = hsa.sparsify %a of %k amplitude %m {keep = #hsa.sparse<top = 3>, levels = array<i64: 4, 1>}
      : (tensor<2x?x5xf32>, tensor<2x?x8xf32>, tensor<2x4x1xf32>) -> tensor<2x?x5xf32, #hsa.affinity<ell>>
  return
}

// -----

func.func @sparsify_c3(%a: tensor<3x?x5xf32>, %k: tensor<2x?x8xf32>) {
  // expected-error @below {{sparsify_c3: 2 kv_heads do not divide 3 heads of tokens}}
  %s = hsa.sparsify %a of %k {keep = #hsa.sparse<top = 3>, levels = array<i64: 4, 1>}
      : (tensor<3x?x5xf32>, tensor<2x?x8xf32>) -> tensor<3x?x5xf32, #hsa.affinity<ell>>
  return
}

// -----

// a row of its own length is no ELL.
func.func @sparsify_c4(%a: tensor<2x?x5xf32>, %k: tensor<2x?x8xf32>) {
  // expected-error @below {{sparsify_c4: kept is 'tensor<2x?x5xf32, #hsa.affinity<ell>>' but the operands want 'tensor<2x?x5xf32, #hsa.affinity<csr>>'}}
  %s = hsa.sparsify %a of %k {keep = #hsa.sparse<top = 3, threshold = 0.1 : f64>, levels = array<i64: 4, 1>}
      : (tensor<2x?x5xf32>, tensor<2x?x8xf32>) -> tensor<2x?x5xf32, #hsa.affinity<ell>>
  return
}

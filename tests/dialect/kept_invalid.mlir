// RUN: hsa-opt %s -split-input-file -verify-diagnostics

func.func @overlap_c80(%a: tensor<2x8x5xf32, #hsa.affinity<csr>>, %b: tensor<2x8x3xf32>) {
  // expected-error @below {{overlap_c80: right is 'tensor<2x8x3xf32>', which keeps every affinity, wanted #hsa.affinity<csr> or <ell>}}
  %o = hsa.overlap %a, %b : (tensor<2x8x5xf32, #hsa.affinity<csr>>, tensor<2x8x3xf32>) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @overlap_c81(%a: tensor<2x8x5xf32, #hsa.affinity<csr>>, %b: tensor<2x9x3xf32, #hsa.affinity<ell>>) {
  // expected-error @below {{overlap_c81: the number of tokens is 8 in left but 9 in right}}
  %o = hsa.overlap %a, %b : (tensor<2x8x5xf32, #hsa.affinity<csr>>, tensor<2x9x3xf32, #hsa.affinity<ell>>) -> tensor<2x5x3xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @overlap_c82(%a: tensor<2x8x5xf32, #hsa.affinity<csr>>, %b: tensor<2x8x3xf32, #hsa.affinity<csr>>) {
  // expected-error @below {{overlap_c82: overlap is 'tensor<2x3x5xf32, #hsa.affinity<csr>>' but the operands want 'tensor<2x5x3xf32, #hsa.affinity<csr>>'}}
  %o = hsa.overlap %a, %b : (tensor<2x8x5xf32, #hsa.affinity<csr>>, tensor<2x8x3xf32, #hsa.affinity<csr>>) -> tensor<2x3x5xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @union_c80(%a: tensor<2x8x5xf32>, %b: tensor<2x8x5xf32, #hsa.affinity<csr>>) {
  // expected-error @below {{union_c80: left is 'tensor<2x8x5xf32>', which keeps every affinity}}
  %u = hsa.union %a, %b : (tensor<2x8x5xf32>, tensor<2x8x5xf32, #hsa.affinity<csr>>) -> tensor<2x8x5xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @union_c81(%a: tensor<2x8x5xf32, #hsa.affinity<csr>>, %b: tensor<2x8x6xf32, #hsa.affinity<csr>>) {
  // expected-error @below {{union_c81: the number of splats is 5 in left but 6 in right}}
  %u = hsa.union %a, %b : (tensor<2x8x5xf32, #hsa.affinity<csr>>, tensor<2x8x6xf32, #hsa.affinity<csr>>) -> tensor<2x8x5xf32, #hsa.affinity<csr>>
  return
}

// -----

// Rows of a union differ in length.
func.func @union_c82(%a: tensor<2x8x5xf32, #hsa.affinity<ell>>) {
  // expected-error @below {{union_c82: all is 'tensor<2x8x5xf32, #hsa.affinity<ell>>' but the operands want 'tensor<2x8x5xf32, #hsa.affinity<csr>>'}}
  %u = hsa.union %a, %a : (tensor<2x8x5xf32, #hsa.affinity<ell>>, tensor<2x8x5xf32, #hsa.affinity<ell>>) -> tensor<2x8x5xf32, #hsa.affinity<ell>>
  return
}

// -----

func.func @rescale_c80(%a: tensor<2x8x5xf32>, %s: tensor<2x8x1xf32>) {
  // expected-error @below {{rescale_c80: affinity is 'tensor<2x8x5xf32>', which keeps every affinity}}
  %r = hsa.rescale %a, %s : (tensor<2x8x5xf32>, tensor<2x8x1xf32>) -> tensor<2x8x5xf32>
  return
}

// -----

func.func @rescale_c81(%a: tensor<2x8x5xf32, #hsa.affinity<csr>>, %s: tensor<2x1x4xf32>) {
  // expected-error @below {{rescale_c81: log_scale is 'tensor<2x1x4xf32>', wanted a factor for each row or for each column of 'tensor<2x8x5xf32, #hsa.affinity<csr>>'}}
  %r = hsa.rescale %a, %s : (tensor<2x8x5xf32, #hsa.affinity<csr>>, tensor<2x1x4xf32>) -> tensor<2x8x5xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @rescale_c82(%a: tensor<2x8x5xf32, #hsa.affinity<ell>>, %s: tensor<2x8x1xf32>) {
  // expected-error @below {{rescale_c82: scaled is 'tensor<2x8x5xf32, #hsa.affinity<csr>>' but the operands want 'tensor<2x8x5xf32, #hsa.affinity<ell>>'}}
  %r = hsa.rescale %a, %s : (tensor<2x8x5xf32, #hsa.affinity<ell>>, tensor<2x8x1xf32>) -> tensor<2x8x5xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @threshold_c80(%a: tensor<2x8x5xf32>) {
  // expected-error @below {{threshold_c80: affinity is 'tensor<2x8x5xf32>', which keeps every affinity}}
  %t = hsa.threshold %a {share = 0.5 : f64} : (tensor<2x8x5xf32>) -> tensor<2x8x5xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @threshold_c81(%a: tensor<2x8x5xf32, #hsa.affinity<csr>>) {
  // expected-error @below {{threshold_c81: share is 1.500000e+00 : f64, wanted more than 0, 1 at most}}
  %t = hsa.threshold %a {share = 1.5 : f64} : (tensor<2x8x5xf32, #hsa.affinity<csr>>) -> tensor<2x8x5xf32, #hsa.affinity<csr>>
  return
}

// -----

func.func @threshold_c82(%a: tensor<2x8x5xf32, #hsa.affinity<ell>>) {
  // expected-error @below {{threshold_c82: kept is 'tensor<2x8x5xf32, #hsa.affinity<ell>>' but the operands want 'tensor<2x8x5xf32, #hsa.affinity<csr>>'}}
  %t = hsa.threshold %a {share = 0.5 : f64} : (tensor<2x8x5xf32, #hsa.affinity<ell>>) -> tensor<2x8x5xf32, #hsa.affinity<ell>>
  return
}

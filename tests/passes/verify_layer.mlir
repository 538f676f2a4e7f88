// RUN: hsa-opt %s --hsa-verify-layer=layer=1 --split-input-file --verify-diagnostics
// RUN: not hsa-opt %s --hsa-verify-layer=layer=2 --split-input-file 2>&1 | FileCheck %s

// What is wanted must have become stages when layer 1 is reached.
func.func @declarative(%q: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  // expected-error @below {{'hsa.attention' op is of layer 0, but layer 1 is reached; no op of a layer below may be left}}
  %o = hsa.attention %q, %q, %q : (tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>) -> tensor<1x?x8xf32>
  return %o : tensor<1x?x8xf32>
}

// -----

// Stages are what layer 1 is made of, and must be gone in layer 2.
// CHECK: 'hsa.merge' op is of layer 1, but layer 2 is reached
func.func @stage(%p: !hsa.partial<1x?x8>) -> !hsa.partial<1x?x8> {
  %m = hsa.merge %p, %p : (!hsa.partial<1x?x8>, !hsa.partial<1x?x8>) -> !hsa.partial<1x?x8>
  return %m : !hsa.partial<1x?x8>
}

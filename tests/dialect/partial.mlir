// RUN: hsa-opt %s --canonicalize | FileCheck %s
// Merging with the identity is nothing, on either side.
// CHECK-LABEL: func @identity
// CHECK-SAME:    %[[P:[a-z0-9]+]]: !hsa.partial<4x?x6>)
// CHECK-NOT:     hsa.merge
// CHECK:         return %[[P]], %[[P]]
func.func @identity(%q: tensor<4x?x8xf32>, %v: tensor<2x?x6xf32>, %p: !hsa.partial<4x?x6>) -> (!hsa.partial<4x?x6>, !hsa.partial<4x?x6>) {
  %e = hsa.empty_partial %q, %v : (tensor<4x?x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x?x6>
  %l = hsa.merge %e, %p : (!hsa.partial<4x?x6>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  %r = hsa.merge %p, %e : (!hsa.partial<4x?x6>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return %l, %r : !hsa.partial<4x?x6>, !hsa.partial<4x?x6>
}

// A merge that knows more than its operand must not lose that.
// CHECK-LABEL: func @types_differ
// CHECK:         hsa.merge
func.func @types_differ(%q: tensor<4x7x8xf32>, %v: tensor<2x?x6xf32>, %p: !hsa.partial<4x?x6>) -> !hsa.partial<4x7x6> {
  %e = hsa.empty_partial %q, %v : (tensor<4x7x8xf32>, tensor<2x?x6xf32>) -> !hsa.partial<4x7x6>
  %m = hsa.merge %e, %p : (!hsa.partial<4x7x6>, !hsa.partial<4x?x6>) -> !hsa.partial<4x7x6>
  return %m : !hsa.partial<4x7x6>
}

// Two partials of keys that were read are merged, and lse is there when it is wanted.
// CHECK-LABEL: func @normalize
// CHECK:         hsa.merge
// CHECK:         hsa.normalize %{{.*}} -> (tensor<4x?x6xf32>, tensor<4x?xf32>)
func.func @normalize(%a: !hsa.partial<4x?x6>, %b: !hsa.partial<4x?x6>) -> (tensor<4x?x6xf32>, tensor<4x?xf32>) {
  %m = hsa.merge %a, %b : (!hsa.partial<4x?x6>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  %o, %l = hsa.normalize %m : (!hsa.partial<4x?x6>) -> (tensor<4x?x6xf32>, tensor<4x?xf32>)
  return %o, %l : tensor<4x?x6xf32>, tensor<4x?xf32>
}

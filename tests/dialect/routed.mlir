// RUN: hsa-opt %s | hsa-opt | FileCheck %s
!q = tensor<4x?x8xf32>
!k = tensor<2x?x8xf32>
!v = tensor<2x?x6xf32>
!o = tensor<4x?x6xf32>

// The stages one by one: isotropic splats of two levels, links, a gate and amplitudes.
// CHECK-LABEL: func @stages
// CHECK:         hsa.affinity %{{.*}} -> tensor<4x?x5xf32>
// CHECK:         hsa.flow %{{.*}} -> tensor<2x?x5xf32>
// CHECK:         hsa.send %{{.*}} -> !hsa.partial<2x5x6>
// CHECK:         hsa.gate %{{.*}} -> tensor<4x?x2xf32>
// CHECK:         hsa.receive %{{.*}} amplitude %{{.*}} gate %{{.*}} {levels = array<i64: 4, 1>, weights = array<f64: 1.000000e+00, 5.000000e-01>}
// CHECK:         hsa.receive_causal %{{.*}}, %{{.*}}, %{{.*}} {levels
func.func @stages(%q: !q, %k: !k, %v: !v, %c: tensor<2x5x8xf32>, %s: tensor<2x5x1xf32>, %a: tensor<2x5x1xf32>, %f: tensor<2x5x5xf32>,
                  %w: tensor<2x2x8xf32>, %b: tensor<2x2x1xf32>) -> (!o, !o) {
  %aq = hsa.affinity %q, %c, %s : (!q, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<4x?x5xf32>
  %ak = hsa.affinity %k, %c, %s : (!k, tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x?x5xf32>
  %sent = hsa.flow %ak, %f : (tensor<2x?x5xf32>, tensor<2x5x5xf32>) -> tensor<2x?x5xf32>
  %state = hsa.send %sent, %v : (tensor<2x?x5xf32>, !v) -> !hsa.partial<2x5x6>
  %g = hsa.gate %q, %w, %b : (!q, tensor<2x2x8xf32>, tensor<2x2x1xf32>) -> tensor<4x?x2xf32>
  %o = hsa.receive %aq, %state amplitude %a gate %g {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x5xf32>, !hsa.partial<2x5x6>, tensor<2x5x1xf32>, tensor<4x?x2xf32>) -> !o
  %p = hsa.receive_causal %aq, %sent, %v {levels = array<i64: 4, 1>, weights = array<f64: 1.0, 0.5>}
      : (tensor<4x?x5xf32>, tensor<2x?x5xf32>, !v) -> !o
  return %o, %p : !o, !o
}

// Links both ways between two levels, one of them through a bottleneck of rank 2.
// CHECK-LABEL: func @links
// CHECK:         hsa.links %{{.*}}, %{{.*}}, %{{.*}} {from = array<i64: 0, 1>, levels = array<i64: 4, 3>, ranks = array<i64: 0, 2>, to = array<i64: 1, 0>}
func.func @links(%up: tensor<2x3x4xf32>, %expand: tensor<2x4x2xf32>, %compress: tensor<2x2x3xf32>) -> tensor<2x7x7xf32> {
  %l = hsa.links %up, %expand, %compress {levels = array<i64: 4, 3>, from = array<i64: 0, 1>, to = array<i64: 1, 0>, ranks = array<i64: 0, 2>}
      : (tensor<2x3x4xf32>, tensor<2x4x2xf32>, tensor<2x2x3xf32>) -> tensor<2x7x7xf32>
  return %l : tensor<2x7x7xf32>
}

// What is wanted, with every optional operand and with none.
// CHECK-LABEL: func @declared
// CHECK:         hsa.routed_attention %{{.*}} splats %{{.*}}, %{{.*}} amplitude %{{.*}} link %{{.*}} gate %{{.*}}, %{{.*}} {causal, levels
// CHECK:         hsa.routed_attention %{{.*}} splats %{{.*}}, %{{.*}} {levels
func.func @declared(%q: !q, %k: !k, %v: !v, %c: tensor<2x5x8xf32>, %s: tensor<2x5x8xf32>, %a: tensor<2x5x1xf32>, %f: tensor<2x5x5xf32>,
                    %w: tensor<2x2x8xf32>, %b: tensor<2x2x1xf32>) -> (!o, !o) {
  %o = hsa.routed_attention %q, %k, %v splats %c, %s amplitude %a link %f gate %w, %b {causal, levels = array<i64: 4, 1>, weights = array<f64: 1.0, 1.0>}
      : (!q, !k, !v, tensor<2x5x8xf32>, tensor<2x5x8xf32>, tensor<2x5x1xf32>, tensor<2x5x5xf32>, tensor<2x2x8xf32>, tensor<2x2x1xf32>) -> !o
  %p = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 5>, weights = array<f64: 1.0>}
      : (!q, !k, !v, tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> !o
  return %o, %p : !o, !o
}

// Covariances: bands of two dimensions, two rows beside them, and a triangle alone.
// CHECK-LABEL: func @covariances
// CHECK:         hsa.affinity %{{.*}}, %{{.*}}, %{{.*}} : ({{.*}}, tensor<2x5x4xf32>)
// CHECK:         hsa.affinity %{{.*}}, %{{.*}}, %{{.*}} factor %{{.*}} : ({{.*}}, tensor<2x5x4xf32>, tensor<2x10x8xf32>)
// CHECK:         hsa.affinity %{{.*}}, %{{.*}} cholesky %{{.*}} : ({{.*}}, tensor<2x40x8xf32>)
// CHECK:         hsa.routed_attention %{{.*}} splats %{{.*}}, %{{.*}} factor %{{.*}} {levels
// CHECK:         hsa.routed_attention %{{.*}} splats %{{.*}} cholesky %{{.*}} {levels
func.func @covariances(%q: !q, %k: !k, %v: !v, %c: tensor<2x5x8xf32>, %s: tensor<2x5x4xf32>, %f: tensor<2x10x8xf32>, %l: tensor<2x40x8xf32>) -> (!o, !o) {
  %a0 = hsa.affinity %q, %c, %s : (!q, tensor<2x5x8xf32>, tensor<2x5x4xf32>) -> tensor<4x?x5xf32>
  %a1 = hsa.affinity %q, %c, %s factor %f : (!q, tensor<2x5x8xf32>, tensor<2x5x4xf32>, tensor<2x10x8xf32>) -> tensor<4x?x5xf32>
  %a2 = hsa.affinity %q, %c cholesky %l : (!q, tensor<2x5x8xf32>, tensor<2x40x8xf32>) -> tensor<4x?x5xf32>
  %o = hsa.routed_attention %q, %k, %v splats %c, %s factor %f {levels = array<i64: 5>, weights = array<f64: 1.0>}
      : (!q, !k, !v, tensor<2x5x8xf32>, tensor<2x5x4xf32>, tensor<2x10x8xf32>) -> !o
  %p = hsa.routed_attention %q, %k, %v splats %c cholesky %l {levels = array<i64: 5>, weights = array<f64: 1.0>}
      : (!q, !k, !v, tensor<2x5x8xf32>, tensor<2x40x8xf32>) -> !o
  return %o, %p : !o, !o
}

// RUN: hsa-opt %s --canonicalize --split-input-file --verify-diagnostics | FileCheck %s
// Rounding to the type that a tensor has already is nothing; the types show what is left.
// CHECK-LABEL: func @same_type
// CHECK-SAME:    %[[K:[a-z0-9]+]]: tensor<2x?x64xbf16>)
// CHECK-NOT:     hsa.quantize
// CHECK:         return %[[K]]
func.func @same_type(%k: tensor<2x?x64xbf16>) -> tensor<2x?x64xbf16> {
  %n = hsa.quantize %k : (tensor<2x?x64xbf16>) -> tensor<2x?x64xbf16>
  return %n : tensor<2x?x64xbf16>
}

// CHECK-LABEL: func @narrower
// CHECK:         hsa.quantize %{{.*}} : (tensor<2x?x64xf32>) -> tensor<2x?x64xbf16>
func.func @narrower(%k: tensor<2x?x64xf32>) -> tensor<2x?x64xbf16> {
  %n = hsa.quantize %k : (tensor<2x?x64xf32>) -> tensor<2x?x64xbf16>
  return %n : tensor<2x?x64xbf16>
}

// -----

func.func @quantize_c1(%k: tensor<2x?x64xf32>) -> tensor<2x?x32xbf16> {
  // expected-error @+1 {{quantize_c1: }}
  %n = hsa.quantize %k : (tensor<2x?x64xf32>) -> tensor<2x?x32xbf16>
  return %n : tensor<2x?x32xbf16>
}

// -----

func.func @quantize_c2(%k: tensor<2x?x64xbf16>) -> tensor<2x?x64xf32> {
  // expected-error @+1 {{quantize_c2: narrow is 'f32' but wide is 'bf16', wanted bf16, f16, i8 or 'bf16'}}
  %n = hsa.quantize %k : (tensor<2x?x64xbf16>) -> tensor<2x?x64xf32>
  return %n : tensor<2x?x64xf32>
}

// -----

func.func @quantize_c3(%k: tensor<2x?x64xf32>) -> tensor<2x?x64xbf16> {
  // expected-error @+1 {{quantize_c3: narrow is 'bf16' and centered, wanted i8}}
  %n = hsa.quantize %k {centered} : (tensor<2x?x64xf32>) -> tensor<2x?x64xbf16>
  return %n : tensor<2x?x64xbf16>
}

// RUN: hsa-opt %s --hsa-infer-shapes --hsa-decompose --hsa-quantize=precision=bf16 | FileCheck %s
// RUN: hsa-opt %s --hsa-structured=precision=bf16 | FileCheck %s --check-prefix=TILES
// RUN: hsa-opt %s --hsa-structured=precision=auto | FileCheck %s --check-prefix=STORED
// RUN: hsa-opt %s --hsa-structured | FileCheck %s --check-prefix=F32
// RUN: hsa-opt %s --hsa-infer-shapes --hsa-decompose --hsa-quantize=precision=int8 | FileCheck %s --check-prefix=INT8
// RUN: hsa-opt %s --hsa-structured=precision=int8 | FileCheck %s --check-prefix=INT8-TILES
// RUN: not hsa-opt %s --hsa-quantize=precision=fp8 2>&1 | FileCheck %s --check-prefix=UNKNOWN
!q = tensor<4x?x16xf32>
!k = tensor<2x?x16xf32>
!v = tensor<2x?x8xf32>

// The near field is narrow; what scores and opens splats keeps its types.
// CHECK-LABEL: func @splats(
// CHECK-DAG:     hsa.quantize %{{.*}} : (tensor<4x?x16xf32>) -> tensor<4x?x16xbf16>
// CHECK-DAG:     hsa.quantize %{{.*}} : (tensor<2x?x16xf32>) -> tensor<2x?x16xbf16>
// CHECK-DAG:     hsa.quantize %{{.*}} : (tensor<2x?x8xf32>) -> tensor<2x?x8xbf16>
// CHECK:         hsa.attend_exact near {{.*}} : (tensor<4x?x16xbf16>, tensor<2x?x16xbf16>, tensor<2x?x8xbf16>)
// CHECK:         hsa.attend_splats {{.*}} : (tensor<4x?x16xf32>, tensor<2x?x16xf32>, tensor<2x?x8xf32>

// Every product of the exact fallback is of bf16, and its types say so.
// CHECK-LABEL: func @splats_exact(
// CHECK:         hsa.stream
// CHECK-DAG:       %[[Q:.*]] = hsa.quantize %{{.*}} : (tensor<4x?x16xf32>) -> tensor<4x?x16xbf16>
// CHECK-DAG:       %[[K:.*]] = hsa.quantize %{{.*}} : (tensor<2x?x16xf32>) -> tensor<2x?x16xbf16>
// CHECK-DAG:       %[[V:.*]] = hsa.quantize %{{.*}} : (tensor<2x?x8xf32>) -> tensor<2x?x8xbf16>
// CHECK:           hsa.attend_exact all %[[Q]], %[[K]], %[[V]]

// The schedule has the stages of both: for processors that multiply tiles of bf16, and for the others.
// TILES:       hsa.schedule @splats attributes {{.*}}precision = bf16
// TILES:         hsa.stage "segment" "pack_pairs"
// TILES:         hsa.stage "tile" "attend_panels"
// TILES:         hsa.stage "tile" "attend_pairs"
// TILES:         hsa.stage "level" "score_level_pairs"
// TILES:         hsa.stage "tile" "attend_leaf_pairs"
// TILES:       func @attend_pairs({{.*}}memref<?x16x32xbf16>, {{.*}}memref<?x16x32xbf16>{{.*}}) attributes {hsa.features = "amx-tile,amx-bf16"}

// auto: leaves are read as they are stored, and only those in bf16 are multiplied in it.
// STORED:      hsa.stage "tile" "attend_leaf_pairs" {{.*}}typed
// STORED-NOT:  func @attend_leaf_pairs.f
// STORED:      func @attend_leaf_pairs.bf16(
// STORED-NOT:  func @attend_leaf_pairs.f

// F32-NOT:     pairs
// UNKNOWN:     hsa-quantize: precision is 'fp8', wanted bf16 or int8

// int8: the scores of exact attention, keys about the mean of those before; values, near field and splats stay.
// INT8-LABEL: func @splats(
// INT8-NOT:     hsa.quantize
// INT8-LABEL: func @splats_exact(
// INT8-DAG:       %[[Q:.*]] = hsa.quantize %{{.*}} : (tensor<4x?x16xf32>) -> tensor<4x?x16xi8>
// INT8-DAG:       %[[K:.*]] = hsa.quantize %{{.*}} {centered} : (tensor<2x?x16xf32>) -> tensor<2x?x16xi8>
// INT8:           hsa.attend_exact all %[[Q]], %[[K]], %{{.*}} : (tensor<4x?x16xi8>, tensor<2x?x16xi8>, tensor<2x?x8xf32>
// INT8-TILES:  hsa.schedule @splats attributes {{.*}}precision = i8
// INT8-TILES:    hsa.stage "segment" "pack_bytes"
// INT8-TILES:    hsa.stage "tile" "attend_bytes"
// INT8-TILES-NOT: pairs
// INT8-TILES:  func @attend_bytes({{.*}}) attributes {hsa.features = "avx512vnni"}
func.func @splats(%q: !q, %k: !k, %v: !v) -> tensor<4x?x8xf32> {
  %o = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>} : (!q, !k, !v) -> tensor<4x?x8xf32>
  return %o : tensor<4x?x8xf32>
}

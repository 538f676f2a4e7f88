// RUN: rm -f %t.hsaplan && not hsa-opt %s --hsa-cpu --hsa-export-plan=file=%t.hsaplan 2>&1 | FileCheck %s
// RUN: not test -e %t.hsaplan
// The interpreter computes windows of two mini-segments, the runtime does not: no plan is written that hsa-run would refuse.
// CHECK: error: {{.*}}.hsaplan: graph.splats.window_tokens is 2048, wanted mini_segment_tokens 1024 (plan_c23)
func.func @f(%q: tensor<2x?x32xf32>, %k: tensor<1x?x32xf32>, %v: tensor<1x?x32xf32>) -> tensor<2x?x32xf32> {
  %o = hsa.attention %q, %k, %v {config = #hsa.config<windowTokens = 2048>}
      : (tensor<2x?x32xf32>, tensor<1x?x32xf32>, tensor<1x?x32xf32>) -> tensor<2x?x32xf32>
  return %o : tensor<2x?x32xf32>
}

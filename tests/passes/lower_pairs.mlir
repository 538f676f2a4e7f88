// RUN: hsa-opt %s --hsa-cpu="mcpu=sapphirerapids precision=bf16" | FileCheck %s
// RUN: hsa-opt %s --hsa-cpu="mcpu=x86-64-v4 precision=bf16" | FileCheck %s --check-prefix=NO-AMX
// RUN: hsa-opt %s --hsa-cpu="mcpu=sapphirerapids" | FileCheck %s --check-prefix=NO-AMX
// RUN: hsa-compile %s --precision=bf16 --mcpu=sapphirerapids --emit=asm | FileCheck %s --check-prefix=ASM
// RUN: hsa-opt %s --hsa-cpu="mcpu=znver4 precision=bf16" | FileCheck %s --check-prefix=DOT
// RUN: hsa-compile %s --precision=bf16 --mcpu=znver4 --emit=asm | FileCheck %s --check-prefix=DOT-ASM
!q = tensor<1x?x64xf32>

// Scores from zero, values from what was summed; weights between them. Only this function wants a processor with AMX.
// CHECK:       func private @attend_pair_batches({{.*}}) attributes {hsa.features = "amx-tile,amx-bf16"
// CHECK:         amx.tile_zero : !amx.tile<16x16xf32>
// CHECK:         amx.tile_load %{{.*}} : memref<?x32x32xbf16> into !amx.tile<16x32xbf16>
// CHECK:         amx.tile_mulf
// CHECK:         amx.tile_store
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// CHECK:         amx.tile_load %{{.*}} : {{.*}} into !amx.tile<16x16xf32>
// CHECK:         amx.tile_mulf
// CHECK:         amx.tile_store
// NO-AMX-NOT:  amx.tile

// One configuration of tiles, before every loop; four tiles, of which two are sums. First 256 keys that every row sees, whose weights meet the values at once, then
// 64 of which some are hidden.
// ASM-LABEL:    attend_pair_batches:
// ASM:          ldtilecfg
// ASM-NOT:      ldtilecfg
// ASM-COUNT-2:  tilezero
// ASM-COUNT-4:  tdpbf16ps
// ASM-COUNT-2:  tilestored
// ASM:          vscalefps
// ASM-COUNT-2:  tileloadd
// ASM-COUNT-16: tdpbf16ps
// ASM-COUNT-2:  tilestored
// ASM-COUNT-2:  tilezero
// ASM-COUNT-4:  tdpbf16ps
// ASM-COUNT-2:  tilestored
// ASM-COUNT-2:  tileloadd
// ASM-COUNT-4:  tdpbf16ps
// ASM-COUNT-2:  tilestored
// ASM-NOT:      {{tile(load|store)d|tmm[4-7]}}
// ASM:          tilerelease

// The same stage in vectors: sixteen sums of sixteen in registers, none of them spilled.
// DOT-NOT:     amx.tile
// DOT:         func private @attend_pair_batches({{.*}}) attributes {hsa.features = "avx512bf16"
// DOT:           llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// DOT-ASM-LABEL:   attend_pair_batches:
// DOT-ASM:         vdpbf16ps %zmm{{[0-9]+}}, %zmm{{[0-9]+}}, %zmm{{[0-9]+}}
// DOT-ASM-COUNT-63: vdpbf16ps
// DOT-ASM:         vscalefps
// DOT-ASM-COUNT-192: vdpbf16ps
// DOT-ASM:         retq
func.func @pairs(%q: !q, %k: !q, %v: !q) -> !q {
  %o = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>} : (!q, !q, !q) -> !q
  return %o : !q
}

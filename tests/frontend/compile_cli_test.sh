#!/usr/bin/env bash
# hsa-compile's flags: what is printed, where, and with which exit status.
#   compile_cli_test.sh HSA_COMPILE SOURCE_DIR
set -uo pipefail

compile=$1
examples=$2/examples
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export XDG_CACHE_HOME=$folder/cache
failures=0

# run STATUS PATTERN ARGUMENT...: the exit status, and a pattern that the only line of output matches; "*" allows any number of lines.
run() {
  local wanted=$1 pattern=$2 output status
  shift 2
  output=$("$compile" "$@" 2>&1)
  status=$?
  if ((status != wanted)) || { [[ $pattern != '*'* ]] && [[ $(wc -l <<<"$output") != 1 ]]; } || [[ $output != $pattern ]]; then
    printf 'hsa-compile %s\n  status %d, wanted %d\n  printed %s\n  wanted  %s\n' "$*" "$status" "$wanted" "${output:0:600}" "$pattern"
    failures=$((failures + 1))
  fi
}

graph=$examples/causal_gqa.textproto
plan=$folder/g.hsaplan
module=$folder/g.mlir
run 0 "$plan: * KiB, native (*), * ms, cache miss" "$graph" -o "$plan"
run 0 "$plan: * KiB, native (*), * ms, cache hit" "$graph" -o "$plan"
run 0 "$plan: * KiB, native (*), * ms, cache off" "$graph" -o "$plan" --no-cache
run 0 "$plan: * KiB, x86-64-v3 (avx2 6x16), x86-64 (sse2 *), * ms, cache miss" "$graph" -o "$plan" --mcpu=x86-64-v3,x86-64
run 0 "$plan: * cache miss" "$graph" -o "$plan" --cache-dir "$folder/other"
for example in "$examples"/*.textproto; do run 0 "$plan: *" "$example" -o "$plan"; done

run 0 '*hsa.attention*' "$graph" --emit=hsa
run 0 '' "$graph" --emit=hsa -o "$module"
run 0 "$plan: * cache hit" "$module" -o "$plan" # the same graph
run 0 '*hsa.attend_fused*' "$graph" --emit=stages
run 0 '*memref*' "$graph" --emit=structured
run 0 '*define *void @hsa_*' "$graph" --emit=llvm
run 0 '*.text*' "$graph" --emit=asm
run 0 '' "$graph" --emit=obj -o "$folder/g.o"
run 0 '*Usage:*' --help
run 0 'hsa-compile *' --version

run 2 'hsa-compile: GRAPH is required*'
run 2 "hsa-compile: no place for the plan; give -o FILE.hsaplan*" "$graph"
run 2 'hsa-compile: --target=cuda is not in this version*' "$graph" -o "$plan" --target=cuda
run 2 'hsa-compile: --target=cuda is not in this version*' "$graph" -o "$plan" --sm=90a
run 2 "hsa-compile: --target is 'tpu', wanted cpu*" "$graph" -o "$plan" --target=tpu
run 2 "hsa-compile: --precision is 'fp8', wanted f32 or bf16*" "$graph" -o "$plan" --precision=fp8
run 2 'hsa-compile: --precision=int8 is not in this version*' "$graph" -o "$plan" --precision int8
run 2 "hsa-compile: --mcpu: CPU 'znver44' *did you mean 'znver4'?*" "$graph" -o "$plan" --mcpu=znver44
run 2 "hsa-compile: --emit is 'ast', wanted *" "$graph" -o "$plan" --emit=ast
run 2 'hsa-compile: --emit=asm shows one processor*' "$graph" --emit=asm --mcpu=native,x86-64
run 2 "hsa-compile: *--frobnicate*" "$graph" -o "$plan" --frobnicate
cp "$graph" "$folder/own.textproto"
run 2 "hsa-compile: -o * would replace the graph itself*" "$folder/own.textproto" -o "$folder/own.textproto"

run 1 "hsa-compile: $folder/none.textproto: No such file or directory" "$folder/none.textproto" -o "$plan"
run 1 "hsa-compile: $folder/none/g.hsaplan: *" "$graph" -o "$folder/none/g.hsaplan"
sed 's/causal: true/causl: true/' "$graph" >"$folder/slip.textproto"
run 1 "hsa-compile: $folder/slip.textproto:12:12: unknown field 'causl' in attention.mask; did you mean 'causal'?" "$folder/slip.textproto" -o "$plan"
sed 's/heads: 1/heads: 2/' "$graph" >"$folder/heads.textproto"
run 1 "hsa-compile: $folder/heads.textproto: graph_c11: *" "$folder/heads.textproto" -o "$plan"
echo 'func.func @f() { return }' >"$folder/empty.mlir"
run 1 "hsa-compile: $folder/empty.mlir: module_c2: *" "$folder/empty.mlir" -o "$plan"
touch "$folder/file"
run 0 "*warning: $folder/file: is not a directory; plans are not cached*" "$graph" -o "$plan" --cache-dir "$folder/file"

((failures == 0)) && echo "all as wanted"
exit $((failures > 0))

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
warm=(--cache-dir "$folder/warm")
run 0 "$graph: * KiB, native (*), * ms, cache miss" --warm "$graph" "${warm[@]}"
run 0 "*$graph: * cache hit*$examples/cross_attention.textproto: * cache miss" --warm "$graph" "$examples/cross_attention.textproto" "${warm[@]}"
run 0 "$plan: * cache hit" "$examples/cross_attention.textproto" -o "$plan" "${warm[@]}"
run 0 "$plan: * cache miss" "$graph" -o "$plan" "${warm[@]}" --precision=bf16 # another key
# Plans of some 40 KiB: one fits, and the one that was put last stays.
run 0 "$plan: * cache miss" "$examples/sliding_window.textproto" -o "$plan" "${warm[@]}" --cache-size 64KiB
[[ $(find "$folder/warm" -type f | wc -l) == 1 ]] || { echo "--cache-size 64KiB left $(ls "$folder/warm")"; failures=$((failures + 1)); }
run 0 "$plan: * cache hit" "$examples/sliding_window.textproto" -o "$plan" "${warm[@]}"
run 0 "$plan: * cache miss" "$graph" -o "$plan" "${warm[@]}"
# What is there under the right name need not be the right plan: here that of another graph, then a half.
entry() { find "$folder/$1" -name '*.hsaplan'; }
run 0 "$graph: * cache miss" --warm "$graph" --cache-dir "$folder/one"
run 0 "$examples/cross_attention.textproto: * cache miss" --warm "$examples/cross_attention.textproto" --cache-dir "$folder/two"
cp "$(entry two)" "$(entry one)"
again="*warning: cache entry *: was cut short or not written under this name; compiled again"
run 0 "$again*cache miss" "$graph" -o "$plan" --cache-dir "$folder/one"
truncate -s 20000 "$(entry one)"
run 0 "$again*cache miss" "$graph" -o "$plan" --cache-dir "$folder/one"
run 0 "$plan: * cache hit" "$graph" -o "$plan" --cache-dir "$folder/one"
# Processes that compile one key at once: each gets the same plan, one entry is left, and it is whole.
for i in 1 2 3; do "$compile" "$graph" -o "$folder/p$i" --cache-dir "$folder/race" >/dev/null 2>"$folder/e$i" & done
wait
for i in 1 2 3; do
  cmp -s "$folder/p$i" "$plan" && [[ ! -s $folder/e$i ]] || { echo "process $i of three: $(cat "$folder/e$i")"; failures=$((failures + 1)); }
done
[[ $(find "$folder/race" -type f | wc -l) == 1 ]] || { echo "three processes left $(ls "$folder/race")"; failures=$((failures + 1)); }
run 0 "$plan: * cache hit" "$graph" -o "$plan" --cache-dir "$folder/race"
for example in "$examples"/*.textproto; do run 0 "$plan: *" "$example" -o "$plan"; done

run 0 '*hsa.attention*' "$graph" --emit=hsa
run 0 '' "$graph" --emit=hsa -o "$module"
run 0 "$plan: * cache hit" "$module" -o "$plan" # the same graph
# Scheme routed: a module and the textproto that says the same make the same plan, byte for byte.
sed '0,/levels {/s//sparse { top: 3 threshold: 0.1 } levels {/' "$examples/routed.textproto" >"$folder/routed_sparse.textproto"
sed 's/inputs { name: "amplitude" heads: 1 dim: 1 }/& inputs { name: "factor" heads: 1 dim: 64 tokens: 320 }/; s/variance: "variance"/& factor: "factor"/' \
  "$examples/routed.textproto" >"$folder/routed_low_rank.textproto"
for routed in "$examples/routed.textproto" "$examples/routed_flow.textproto" "$folder/routed_sparse.textproto" "$folder/routed_low_rank.textproto"; do
  run 0 '' "$routed" --emit=hsa -o "$module"
  grep -q hsa.routed_attention "$module" || { echo "$routed: --emit=hsa printed no hsa.routed_attention"; failures=$((failures + 1)); }
  run 0 "$folder/text.hsaplan: *" "$routed" -o "$folder/text.hsaplan" --no-cache
  run 0 "$folder/module.hsaplan: *" "$module" -o "$folder/module.hsaplan" --no-cache
  cmp "$folder/text.hsaplan" "$folder/module.hsaplan" || { echo "$routed: its module makes another plan"; failures=$((failures + 1)); }
done
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
run 2 "hsa-compile: --precision is 'fp8', wanted auto, f32, bf16 or int8*" "$graph" -o "$plan" --precision=fp8
run 2 "hsa-compile: --mcpu: CPU 'znver44' *did you mean 'znver4'?*" "$graph" -o "$plan" --mcpu=znver44
run 2 "hsa-compile: --emit is 'ast', wanted *" "$graph" -o "$plan" --emit=ast
run 2 'hsa-compile: --emit=asm shows one processor*' "$graph" --emit=asm --mcpu=native,x86-64
run 2 "hsa-compile: --warm writes no file, and -o names $plan*" --warm "$graph" -o "$plan"
run 2 "hsa-compile: --warm caches plans, and --emit=asm asks for *" --warm "$graph" --emit=asm
run 2 "hsa-compile: --warm fills the cache, and --no-cache forbids it*" --warm "$graph" --no-cache
run 2 "hsa-compile: one GRAPH makes one plan, and there are 2*" "$graph" "$graph" -o "$plan"
run 2 "hsa-compile: --cache-size is '12parsecs', wanted a size like 256MiB*" "$graph" -o "$plan" --cache-size 12parsecs
run 2 "hsa-compile: --cache-size is '0', wanted *" "$graph" -o "$plan" --cache-size 0
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

run 1 "hsa-compile: $folder/file: is not a directory; plans are not cached" --warm "$graph" --cache-dir "$folder/file"
run 1 "hsa-compile: $folder/none.textproto: No such file or directory" --warm "$folder/none.textproto" "$graph"

((failures == 0)) && echo "all as wanted"
exit $((failures > 0))

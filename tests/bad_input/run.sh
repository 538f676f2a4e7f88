#!/usr/bin/env bash
# Drives the real tools with bad inputs: exit status, one line on standard error that says what is wrong, nothing half-written left.
#   tests/bad_input/run.sh BIN_DIR [name of one case]
set -uo pipefail

bin=$(cd "$1" && pwd)
only=${2-}
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/cache" "$work/out"
export XDG_CACHE_HOME=$work/cache
cd "$work"

passed=0 failed=0 skipped=0

wrong() {  # NAME REASON
  echo "FAILED   $1: $2"
  sed 's/^/         | /' stderr | head -n 5
  failed=$((failed + 1))
}

skip() {  # NAME REASON
  [[ -z $only || $only == "$1" ]] || return 0
  echo "skipped  $1: $2"
  skipped=$((skipped + 1))
}

# The command fails with STATUS, says so in one line that holds every WORD (extended regular expressions, any case), and leaves no file in out/.
refuses() {  # NAME STATUS WORD... -- COMMAND...
  local name=$1 wanted=$2 words=() status=0
  [[ -z $only || $only == "$name" ]] || return 0
  shift 2
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  rm -rf out && mkdir out
  timeout 120 "$@" >stdout 2>stderr </dev/null || status=$?
  ((status == wanted)) || { wrong "$name" "exit status $status, wanted $wanted"; return; }
  (($(wc -l <stderr) == 1)) || { wrong "$name" "$(wc -l <stderr) lines on standard error, wanted 1"; return; }
  for word in "${words[@]}"; do
    grep -qiE -- "$word" stderr || { wrong "$name" "standard error lacks /$word/"; return; }
  done
  [[ -z $(ls -A out) ]] || { wrong "$name" "left behind: $(ls -A out)"; return; }
  echo "ok       $name"
  passed=$((passed + 1))
}

# The command works: exit status 0 and the files FILE... are there.
works() {  # NAME FILE... -- COMMAND...
  local name=$1 files=() status=0
  [[ -z $only || $only == "$name" ]] || return 0
  shift
  while [[ $1 != -- ]]; do
    files+=("$1")
    shift
  done
  shift
  rm -rf out && mkdir out
  timeout 120 "$@" >stdout 2>stderr </dev/null || status=$?
  ((status == 0)) || { wrong "$name" "exit status $status, wanted 0"; return; }
  for file in "${files[@]}"; do
    [[ -e $file ]] || { wrong "$name" "$file was not written"; return; }
  done
  echo "ok       $name"
  passed=$((passed + 1))
}

# The case NAME, which has just run, printed one line on standard error, and it holds PATTERN.
says_once() {  # NAME PATTERN
  [[ -z $only || $only == "$1" ]] || return 0
  (($(wc -l <stderr) == 1)) && grep -qE -- "$2" stderr || wrong "$1" "standard error is not one line with /$2/"
}

input() { python3 "$here/make_input.py" "$@"; }
graph() {  # FILE, sed expression over the example
  sed -E "$2" "$examples/causal_gqa.textproto" >"$1"
}
compile=$bin/hsa-compile
inspect=$bin/hsa-inspect

# What the cases share: one good plan, one good input.
"$compile" "$examples/causal_gqa.textproto" -o good.hsaplan >stdout 2>stderr || { cat stderr; echo "no plan of a good graph: nothing else can be tested"; exit 1; }
input good.safetensors q:BF16:3x256x64 k:BF16:1x256x64 v:BF16:1x256x64
run=("$bin/hsa-run" good.hsaplan -o out/o.safetensors)
works good_run out/o.safetensors -- "${run[@]}" --in good.safetensors

# --- graphs
graph unknown_field.textproto 's/heads: 3/headz: 3/'
refuses graph_unknown_field 1 unknown_field.textproto 'headz' 'heads' -- "$compile" unknown_field.textproto -o out/x.hsaplan
graph unknown_node.textproto 's/^ *attention \{/  convolution {/'
refuses graph_unknown_node 1 unknown_node.textproto 'convolution' -- "$compile" unknown_node.textproto -o out/x.hsaplan
graph heads.textproto 's/"k" heads: 1/"k" heads: 2/; s/"v" heads: 1/"v" heads: 2/'
refuses graph_heads_no_multiple 1 heads.textproto '3 heads' '\b2\b' -- "$compile" heads.textproto -o out/x.hsaplan
graph unknown_tensor.textproto 's/query: "q"/query: "qq"/'
refuses graph_unknown_tensor 1 unknown_tensor.textproto "'qq'" 'no input' -- "$compile" unknown_tensor.textproto -o out/x.hsaplan
head -c 200 "$examples/causal_gqa.textproto" >cut.textproto
refuses graph_cut_short 1 cut.textproto -- "$compile" cut.textproto -o out/x.hsaplan
: >empty.textproto
refuses graph_empty 1 empty.textproto -- "$compile" empty.textproto -o out/x.hsaplan
refuses graph_missing 1 'nowhere.textproto' -- "$compile" nowhere.textproto -o out/x.hsaplan
echo 'func.func @f( {' >broken.mlir
refuses graph_broken_mlir 1 'broken.mlir' -- "$compile" broken.mlir -o out/x.hsaplan
refuses compile_no_folder 1 'no/such/folder' -- "$compile" "$examples/causal_gqa.textproto" -o no/such/folder/x.hsaplan
refuses compile_unknown_cpu 2 'z80' -- "$compile" "$examples/causal_gqa.textproto" -o out/x.hsaplan --mcpu=z80

# --- tensors
shared="k:BF16:1x256x64 v:BF16:1x256x64"
# shellcheck disable=SC2086
{
  input no_v.safetensors q:BF16:3x256x64 k:BF16:1x256x64
  input int.safetensors q:I64:3x256x64 $shared
  input rank.safetensors q:BF16:768x64 $shared
  input mixed.safetensors q:F32:3x256x64 $shared
  input heads.safetensors q:BF16:4x256x64 $shared
  input kv_heads.safetensors q:BF16:3x256x64 k:BF16:3x256x64 v:BF16:3x256x64
  input dim.safetensors q:BF16:3x256x32 k:BF16:1x256x32 v:BF16:1x256x64
  input long_q.safetensors q:BF16:3x512x64 $shared
  input short_v.safetensors q:BF16:3x128x64 k:BF16:1x256x64 v:BF16:1x255x64
  input no_tokens.safetensors q:BF16:3x0x64 k:BF16:1x0x64 v:BF16:1x0x64
  input no_queries.safetensors q:BF16:3x0x64 $shared
  for lie in header_length offsets overlap shape no_json; do input "$lie.safetensors" q:BF16:3x256x64 $shared --lie "$lie"; done
}
refuses tensor_missing 1 no_v.safetensors "no tensor 'v'; the file has 'q', 'k', the plan reads 'q', 'k', 'v'; rename" -- "${run[@]}" --in no_v.safetensors
refuses tensor_integer 1 int.safetensors "'q'" 'I64' 'F32' -- "${run[@]}" --in int.safetensors
refuses tensor_rank 1 rank.safetensors "'q'" '768' -- "${run[@]}" --in rank.safetensors
refuses tensor_mixed_types 1 "'?[qkv]'?" 'f32' 'bf16' -- "${run[@]}" --in mixed.safetensors
refuses tensor_query_heads 1 "'?q'?" '\b4\b' '\b3\b' -- "${run[@]}" --in heads.safetensors
refuses tensor_kv_heads 1 "'?k'?" '\b3\b' '\b1\b' -- "${run[@]}" --in kv_heads.safetensors
refuses tensor_dim 1 '\b32\b' '\b64\b' -- "${run[@]}" --in dim.safetensors
refuses tensor_more_queries_than_keys 1 '\b512\b' '\b256\b' -- "${run[@]}" --in long_q.safetensors
graph fixed.textproto 's/name: "q" heads: 3 dim: 64/& tokens: 128/; s/name: "v" heads: 1 dim: 64/& tokens: 256/'
"$compile" fixed.textproto -o fixed.hsaplan >stdout 2>stderr || wrong tensor_fixed_tokens "no plan of a graph with fixed lengths"
input fixed_n.safetensors q:BF16:3x128x64 k:BF16:1x256x64 v:BF16:1x256x64
input fixed_m.safetensors q:BF16:3x128x64 k:BF16:1x255x64 v:BF16:1x255x64
works tensor_fixed_tokens out/o.safetensors -- "$bin/hsa-run" fixed.hsaplan -o out/o.safetensors --in fixed_n.safetensors
refuses tensor_fixed_queries 1 "'q' has 256 tokens, the plan is for 128" -- "$bin/hsa-run" fixed.hsaplan -o out/o.safetensors --in good.safetensors
refuses tensor_fixed_keys 1 "'k' has 255 tokens, the plan is for 256" -- "$bin/hsa-run" fixed.hsaplan -o out/o.safetensors --in fixed_m.safetensors --exact
graph named_lse.textproto 's/output: "o"/output: "lse"/; s/lse: "lse"/lse: "l"/'
"$compile" named_lse.textproto -o named_lse.hsaplan >stdout 2>stderr || wrong tensor_named_lse "no plan of a graph whose output is named lse"
refuses tensor_named_lse 1 "--lse: the output of the plan is named 'lse'" -- "$bin/hsa-run" named_lse.hsaplan -o out/o.safetensors --in good.safetensors --lse
refuses tensor_values_without_keys 1 '\b255\b' '\b256\b' -- "${run[@]}" --in short_v.safetensors
works no_tokens out/o.safetensors -- "${run[@]}" --in no_tokens.safetensors
works no_tokens_exact out/o.safetensors -- "${run[@]}" --in no_tokens.safetensors --exact
works no_queries out/o.safetensors -- "${run[@]}" --in no_queries.safetensors

# --- safetensors files
head -c 100000 good.safetensors >cut.safetensors
head -c 5 good.safetensors >five_bytes.safetensors
: >empty.safetensors
refuses file_missing 1 'nowhere.safetensors' -- "${run[@]}" --in nowhere.safetensors
refuses file_is_folder 1 'out' -- "${run[@]}" --in out
refuses file_cut 1 cut.safetensors -- "${run[@]}" --in cut.safetensors
refuses file_five_bytes 1 five_bytes.safetensors '\b5\b' -- "${run[@]}" --in five_bytes.safetensors
refuses file_empty 1 empty.safetensors -- "${run[@]}" --in empty.safetensors
for lie in header_length offsets overlap shape no_json; do
  refuses "file_lies_$lie" 1 "$lie.safetensors" -- "${run[@]}" --in "$lie.safetensors"
done

# --- plans
size=$(stat -c %s good.hsaplan)
head -c $((size / 2)) good.hsaplan >cut.hsaplan
head -c 10 good.hsaplan >ten_bytes.hsaplan
flip() {  # FILE OFFSET: another value for one byte of the good plan
  python3 -c 'import sys; b = bytearray(open("good.hsaplan", "rb").read()); b[int(sys.argv[2])] ^= 0x40; open(sys.argv[1], "wb").write(b)' "$1" "$2"
}
flip header.hsaplan 40
flip middle.hsaplan $((size / 2))
flip end.hsaplan $((size - 1))
flip magic.hsaplan 0
python3 -c 'b = bytearray(open("good.hsaplan", "rb").read()); b[8:12] = (99).to_bytes(4, "little"); open("newer.hsaplan", "wb").write(b)'
refuses_plan() {  # NAME PLAN WORD...: hsa-run and hsa-inspect both refuse it
  refuses "run_plan_$1" 1 "$2" "${@:3}" -- "$bin/hsa-run" "$2" --in good.safetensors -o out/o.safetensors
  refuses "inspect_plan_$1" 1 "$2" "${@:3}" -- "$inspect" "$2"
}
refuses_plan missing nowhere.hsaplan
refuses_plan cut cut.hsaplan
refuses_plan ten_bytes ten_bytes.hsaplan '\b10\b'
refuses_plan empty empty.safetensors
refuses_plan foreign good.safetensors 'plan'
for part in header middle end magic; do refuses_plan "damaged_$part" "$part.hsaplan"; done
refuses_plan newer_version newer.hsaplan 'version' '\b99\b' '\b1\b' 'hsa-compile'
if grep -qw avx512f /proc/cpuinfo; then
  skip plan_for_another_cpu "this processor has AVX-512"
else
  refuses plan_for_another_cpu 1 avx512.hsaplan 'avx512' -- bash -c '"$1" "$2" -o avx512.hsaplan --mcpu=sapphirerapids >/dev/null && exec "$3" avx512.hsaplan --in good.safetensors -o out/o.safetensors' \
    _ "$bin/hsa-compile" "$examples/causal_gqa.textproto" "$bin/hsa-run"
fi

# --- flags
refuses flag_unknown_run 2 'bogus' -- "${run[@]}" --in good.safetensors --bogus
refuses flag_unknown_compile 2 'bogus' -- "$compile" "$examples/causal_gqa.textproto" -o out/x.hsaplan --bogus
refuses flag_unknown_inspect 2 'bogus' -- "$inspect" good.hsaplan --bogus
refuses flag_none_run 2 -- "$bin/hsa-run"
refuses flag_precision 2 "--precision is 'int3', wanted f32, bf16 or int8" -- "${run[@]}" --in good.safetensors --precision int3
"$compile" "$examples/causal_gqa.textproto" -o f32.hsaplan --precision f32 >stdout 2>stderr
refuses flag_precision_of_plan 1 'the plan was not compiled for it; compile the graph with --precision bf16' -- "$bin/hsa-run" f32.hsaplan -o out/o.safetensors --in good.safetensors --precision bf16
input f32.safetensors q:F32:3x256x64 k:F32:1x256x64 v:F32:1x256x64
refuses flag_precision_of_input 1 '--precision bf16: the plan has code for it where inputs are bf16, and here they are f32 or f16' -- "${run[@]}" --in f32.safetensors --precision bf16
refuses flag_none_compile 2 -- "$compile"
refuses flag_none_inspect 2 -- "$inspect"
refuses flag_no_input 2 '--in' -- "${run[@]}"
refuses flag_two_modes 2 'exact' 'theta' -- "${run[@]}" --in good.safetensors --exact --theta 0.1
refuses flag_theta_negative 2 'theta' '-1' -- "${run[@]}" --in good.safetensors --theta=-1
refuses flag_theta_not_a_number 2 'theta' -- "${run[@]}" --in good.safetensors --theta nan
refuses flag_budget_above_one 2 'budget' '1\.5' -- "${run[@]}" --in good.safetensors --budget 1.5
refuses flag_threads_negative 2 'threads' -- "${run[@]}" --in good.safetensors --threads=-2
refuses flag_memory_unit 2 'memory-budget' '12parsecs' -- "${run[@]}" --in good.safetensors --memory-budget 12parsecs
refuses flag_tolerance 2 'tolerance' 'less than 1' -- "${run[@]}" --in good.safetensors --tolerance 1.5
refuses flag_confidence 2 'confidence' 'less than 1' -- "${run[@]}" --in good.safetensors --tolerance 0.1 --confidence 1
refuses flag_tolerance_and_budget 2 'tolerance' 'exclude' -- "${run[@]}" --in good.safetensors --tolerance 0.1 --budget 0.5
refuses flag_segment_of_splats 2 'segment' '--exact' -- "${run[@]}" --in good.safetensors --segment 4096
refuses flag_empty_value 2 'report' 'empty' -- "${run[@]}" --in good.safetensors --report ''
refuses flag_output_is_input 2 'good.safetensors' 'same' -- "$bin/hsa-run" good.hsaplan --in good.safetensors -o good.safetensors
refuses flag_out_dtype 2 'out-dtype' 'f64' -- "${run[@]}" --in good.safetensors --out-dtype f64

# --- scheme routed: its splats are parameters
sed 's/levels { name: "phrase"/sparse { top: 8 } &/' "$examples/routed_flow.textproto" >sparse_flow.textproto
sed 's/levels { name: "phrase"/levels { name: " token "/' "$examples/routed_flow.textproto" >two_tokens.textproto
refuses graph_level_names 1 two_tokens.textproto 'graph_c62' "'token'" 'different' -- "$compile" two_tokens.textproto -o out/x.hsaplan
sed 's/levels { name: "section" splats: 16/& value_dim: 20/' "$examples/routed.textproto" >odd_values.textproto
refuses graph_value_dim 1 odd_values.textproto 'graph_c63' "level 1 'section' has value_dim 20" 'multiple of 16' -- "$compile" odd_values.textproto -o out/x.hsaplan
sed 's/levels { name: "phrase"/adapt { least_splats: 500 } &/' "$examples/routed_flow.textproto" >adapt_few.textproto
refuses graph_adapt 1 adapt_few.textproto 'graph_c65' 'least_splats is 500' 'room for' -- "$compile" adapt_few.textproto -o out/x.hsaplan
sed 's/levels { name: "phrase"/adapt { asleep: 9 } &/' "$examples/routed_flow.textproto" >adapt_asleep.textproto
refuses graph_asleep 1 adapt_asleep.textproto 'graph_c65' 'asleep is 9' 'one stays awake' -- "$compile" adapt_asleep.textproto -o out/x.hsaplan
works graph_sparse_with_links out/x.hsaplan -- "$compile" sparse_flow.textproto -o out/x.hsaplan
"$compile" "$examples/routed.textproto" -o routed.hsaplan >stdout 2>stderr || wrong routed_plan "examples/routed.textproto does not compile"
routed=("$bin/hsa-run" routed.hsaplan -o out/o.safetensors --in good.safetensors)
input splats.safetensors center:F32:1x80x64 variance:F32:1x80x64 amplitude:F32:1x80x1  # variances in [-1, 1)
"${routed[@]}" --make-splats made.safetensors >stdout 2>stderr || wrong routed_splats "no splats of a good input"
works routed_make_splats out/o.safetensors out/s.safetensors -- "${routed[@]}" --make-splats out/s.safetensors
refuses routed_no_splats 1 "'center'" '--splats' -- "${routed[@]}"
refuses routed_variance 1 'splats|variance' 'splat [0-9]+ of kv_head 0 \(level [01] .[a-z]+.\)' 'positive' -- "${routed[@]}" --splats splats.safetensors
refuses routed_tolerance 1 'routed' 'tolerance' -- "${routed[@]}" --splats splats.safetensors --tolerance 0.1
works routed_verify out/o.safetensors -- "${routed[@]}" --splats made.safetensors --verify 4
refuses routed_verify_adapt 1 'verify' '--adapt' 'leave one of them out' -- "${routed[@]}" --splats made.safetensors --verify 4 --adapt on
refuses routed_two_splats 2 'splats' 'exclude' -- "${routed[@]}" --splats splats.safetensors --make-splats out/s.safetensors
refuses routed_segment 1 'segment' 'routed' -- "${routed[@]}" --splats splats.safetensors --exact --segment 4096
works routed_memory_budget out/o.safetensors -- "${routed[@]}" --make-splats out/s.safetensors --memory-budget 16MiB
refuses routed_memory_budget_too_small 1 'memory-budget' 'least that works is [0-9]+' -- "$bin/hsa-run" routed.hsaplan -o out/o.safetensors --in good.safetensors --splats made.safetensors --memory-budget 64KiB
"${routed[@]}" --splats made.safetensors --state-out good.hsastate >stdout 2>stderr || wrong state_made "no state of a good run"
input other_keys.safetensors q:BF16:3x300x64 k:BF16:1x300x64 v:BF16:1x300x64
"$bin/hsa-run" routed.hsaplan --in other_keys.safetensors --make-splats other.safetensors >stdout 2>stderr || wrong state_splats "no splats of another input"
works state_goes_on out/o.safetensors -- "${routed[@]}" --state good.hsastate
works state_inspected -- "$inspect" good.hsastate
head -c 1000 good.hsastate >cut.hsastate
python3 -c 'b = bytearray(open("good.hsastate", "rb").read()); b[8:12] = (7).to_bytes(4, "little"); open("newer.hsastate", "wb").write(b)'
for part in cut newer; do refuses "inspect_state_$part" 1 "$part.hsastate" -- "$inspect" "$part.hsastate"; done
refuses state_cut 1 'cut.hsastate' 'truncated' -- "${routed[@]}" --state cut.hsastate
refuses state_newer 1 'newer.hsastate' 'version 7' 'versions 1 to 2' -- "${routed[@]}" --state newer.hsastate
refuses state_missing 1 'nowhere.hsastate' '--state-out' -- "${routed[@]}" --state nowhere.hsastate
refuses state_of_a_plan 1 'good.hsaplan' 'no state' -- "${routed[@]}" --state good.hsaplan
refuses state_other_splats 1 'other splats' 'kv_head 0' -- "${routed[@]}" --state good.hsastate --splats other.safetensors
sed 's/splats: 64/splats: 48/' "$examples/routed.textproto" >fewer.textproto
"$compile" fewer.textproto -o fewer.hsaplan >stdout 2>stderr || wrong state_other_graph "no plan of another graph"
refuses state_other_graph 1 'splats 64 \+ 16' 'splats 48 \+ 16' -- "$bin/hsa-run" fewer.hsaplan --in good.safetensors -o out/o.safetensors --state good.hsastate
"$compile" "$examples/routed_flow.textproto" -o flow.hsaplan >stdout 2>stderr || wrong state_flow_plan "examples/routed_flow.textproto does not compile"
flow=("$bin/hsa-run" flow.hsaplan -o out/o.safetensors --in good.safetensors)
"${flow[@]}" --make-splats flow.safetensors --state-out flow.hsastate >stdout 2>stderr || wrong state_flow_made "no state of a run with links"
works links_by out/o.safetensors out/s.safetensors -- "${flow[@]}" --make-splats out/s.safetensors --links-by overlap
refuses links_by_no_link 1 'links-by' 'no weight of a link' -- "${routed[@]}" --make-splats out/s.safetensors --links-by overlap
works state_with_links out/o.safetensors -- "${flow[@]}" --splats flow.safetensors --state flow.hsastate
refuses state_without_links 1 "'gate_weight'" '--splats' -- "${flow[@]}" --state flow.hsastate
refuses state_and_make_splats 2 'state' 'make-splats' -- "${routed[@]}" --state good.hsastate --make-splats out/s.safetensors
refuses state_out_is_state 2 'good.hsastate' 'same' -- "${routed[@]}" --state good.hsastate --state-out good.hsastate
refuses state_out_no_folder 1 'no/such/folder' -- "${routed[@]}" --splats made.safetensors --state-out no/such/folder/s
refuses state_out_full 1 '/dev/full' 'space' -- "${routed[@]}" --splats made.safetensors --state-out /dev/full
refuses state_of_softmax 1 'state' 'softmax' -- "${run[@]}" --in good.safetensors --state-out out/s.hsastate
works routed_kmeans out/o.safetensors out/s.safetensors -- "${routed[@]}" --make-splats out/s.safetensors --splats-by kmeans --seed 3
refuses routed_splats_by 2 'splats-by' 'medoids' 'kmeans' -- "${routed[@]}" --make-splats out/s.safetensors --splats-by medoids
refuses routed_splats_by_alone 2 'splats-by' 'make-splats' -- "${routed[@]}" --splats made.safetensors --splats-by kmeans
works adapt out/o.safetensors out/s.hsastate -- "${routed[@]}" --splats made.safetensors --adapt segment_tokens=256 --state-out out/s.hsastate
refuses search_dense 1 'search' 'not sparse' 'top: 8' -- "${routed[@]}" --splats made.safetensors --search hnsw
refuses affinity_cache_dense 1 'affinity-cache' 'not sparse' -- "${routed[@]}" --splats made.safetensors --affinity-cache 1MiB
refuses search_unknown 2 'search' 'kdtree' 'descent' -- "${routed[@]}" --splats made.safetensors --search kdtree
sed 's/causal: true/& sparse { top: 8 }/' "$examples/routed.textproto" >sparse.textproto
"$compile" sparse.textproto -o sparse.hsaplan >stdout 2>stderr || wrong sparse_plan "a sparse graph does not compile"
sparse=("$bin/hsa-run" sparse.hsaplan -o out/o.safetensors --in good.safetensors --splats made.safetensors)
works affinity_cache out/o.safetensors -- "${sparse[@]}" --affinity-cache 1MiB
works search_hnsw out/o.safetensors -- "${sparse[@]}" --search hnsw --adapt segment_tokens=256
refuses search_memory_budget 1 'memory-budget' 'least that works is [0-9]{7}' -- "${sparse[@]}" --search hnsw --memory-budget 1MiB
refuses token_error_sparse 1 'token-error' 'sparse' 'leave one' -- "${sparse[@]}" --token-error 0.01
works token_error out/o.safetensors -- "${routed[@]}" --splats made.safetensors --token-error 0.01
refuses token_error_above 2 'token-error' '1.5' '(0, 1)' -- "${routed[@]}" --splats made.safetensors --token-error 1.5
refuses token_error_zero 1 'token-error' ': 0,' 'more than 0' -- "${routed[@]}" --splats made.safetensors --token-error 0
refuses token_error_softmax 1 'token-error' 'softmax' 'tolerance' -- "${run[@]}" --in good.safetensors --token-error 0.1
works adapt_links out/o.safetensors -- "${flow[@]}" --splats flow.safetensors --adapt segment_tokens=256 --state-out flow_adapted.hsastate
works adapt_links_goes_on out/o.safetensors -- "${flow[@]}" --splats flow.safetensors --adapt segment_tokens=256 --state flow_adapted.hsastate
refuses adapt_unknown_limit 2 'adapt' 'speed=3' 'memory' -- "${routed[@]}" --splats made.safetensors --adapt speed=3
refuses adapt_contradicts 1 'adapt' 'least_splats is 50' 'room for 16' -- "${routed[@]}" --splats made.safetensors --adapt least_splats=50
refuses adapt_segment 1 'adapt' 'segment_tokens is 100' '256' -- "${routed[@]}" --splats made.safetensors --adapt segment_tokens=100
refuses window_size 1 'window is 100' 'multiple of 512' -- "${routed[@]}" --splats made.safetensors --window 100
refuses window_not_a_number 2 'window' 'many' -- "${routed[@]}" --splats made.safetensors --window many
refuses window_state 1 'window' 'state-out' '--window 0' -- "${routed[@]}" --splats made.safetensors --window 512 --state-out out/s.hsastate
refuses window_softmax 1 'window' 'softmax' -- "${run[@]}" --in good.safetensors --window 512
works window out/o.safetensors -- "${routed[@]}" --splats made.safetensors --window 512 --verify 4
refuses refine_above 2 'refine' '1.5' '(0, 1)' -- "${routed[@]}" --splats made.safetensors --refine 1.5
refuses refine_zero 1 'refine' ': 0,' 'more than 0' -- "${routed[@]}" --splats made.safetensors --refine 0
refuses refine_sparse 1 'refine' 'sparse' -- "${sparse[@]}" --refine 0.1
refuses refine_softmax 1 'refine' 'softmax' -- "${run[@]}" --in good.safetensors --refine 0.1
works refine out/o.safetensors -- "${routed[@]}" --splats made.safetensors --refine 0.1 --window 512 --adapt off
refuses adapt_softmax 1 'adapt' 'softmax' -- "${run[@]}" --in good.safetensors --adapt on
refuses inspect_html_of_a_plan 2 'html' -- "$inspect" good.hsaplan --html out/p.html
refuses inspect_svg_of_a_plan 2 'svg' -- "$inspect" good.hsaplan --svg out/p.svg
refuses inspect_svg_of_nothing 1 'good.hsastate' 'segment' -- "$inspect" good.hsastate --svg out/p.svg
works inspect_svg out/p.svg -- "$inspect" flow_adapted.hsastate --svg out/p.svg
works inspect_html out/p.html -- "$inspect" good.hsastate --html out/p.html

# covariances that are not diagonal
sed 's/name: "variance" heads: 1 dim: 64 /name: "variance" heads: 1 dim: 8 /' "$examples/routed.textproto" >bands.textproto
sed -e 's/inputs { name: "amplitude"/inputs { name: "factor" heads: 1 dim: 64 tokens: 320 }\n&/' -e 's/amplitude: "amplitude"/factor: "factor" &/' \
  "$examples/routed.textproto" >low_rank.textproto
sed -e 's/"variance"/"cholesky"/' -e 's/variance: "cholesky"/cholesky: "cholesky"/' "$examples/routed.textproto" >full.textproto
sed 's/tokens: 320/tokens: 1360/' low_rank.textproto >many_rows.textproto
sed 's/factor: "factor"/cholesky: "factor"/' low_rank.textproto >two_covariances.textproto
refuses graph_many_rows 1 many_rows.textproto 'graph_c60' '1360' '1 to 16' -- "$compile" many_rows.textproto -o out/x.hsaplan
refuses graph_two_covariances 1 two_covariances.textproto 'graph_c61' 'cholesky and variance' -- "$compile" two_covariances.textproto -o out/x.hsaplan
for kind in bands low_rank full; do
  "$compile" $kind.textproto -o $kind.hsaplan >stdout 2>stderr || wrong "${kind}_plan" "$kind.textproto does not compile"
  one=("$bin/hsa-run" $kind.hsaplan -o out/o.safetensors --in good.safetensors)
  works "${kind}_make_splats" out/o.safetensors out/s.safetensors -- "${one[@]}" --make-splats out/s.safetensors
  "$bin/hsa-run" $kind.hsaplan --in good.safetensors --make-splats $kind.safetensors >stdout 2>stderr || wrong "${kind}_splats" "no splats of a good input"
  works "${kind}_run" out/o.safetensors -- "${one[@]}" --splats $kind.safetensors
  works "${kind}_inspected" -- "$inspect" $kind.hsaplan
  works "${kind}_state_out" out/o.safetensors out/s.hsastate -- "${one[@]}" --splats $kind.safetensors --state-out out/s.hsastate
  "${one[@]}" --splats $kind.safetensors --state-out $kind.hsastate >stdout 2>stderr || wrong "${kind}_state" "no state of a good input"
  works "${kind}_goes_on" out/o.safetensors -- "${one[@]}" --state $kind.hsastate
  works "${kind}_state_inspected" -- "$inspect" $kind.hsastate
  refuses "${kind}_state" 1 'state' 'belongs to another graph' 'diagonal splats' -- "${one[@]}" --splats $kind.safetensors --state good.hsastate
done
works bands_adapt out/o.safetensors out/s.hsastate -- "$bin/hsa-run" bands.hsaplan -o out/o.safetensors --in good.safetensors --splats bands.safetensors --adapt segment_tokens=256 --state-out out/s.hsastate
refuses full_adapt 1 'adapt' 'of low rank or full' -- "$bin/hsa-run" full.hsaplan -o out/o.safetensors --in good.safetensors --splats full.safetensors --adapt on
refuses low_rank_adapt 1 'adapt' 'of low rank or full' -- "$bin/hsa-run" low_rank.hsaplan -o out/o.safetensors --in good.safetensors --splats low_rank.safetensors --adapt on
works low_rank_token_error out/o.safetensors -- "$bin/hsa-run" low_rank.hsaplan -o out/o.safetensors --in good.safetensors --splats low_rank.safetensors --token-error 0.01
refuses full_token_error 1 'token-error' 'full covariances' -- "$bin/hsa-run" full.hsaplan -o out/o.safetensors --in good.safetensors --splats full.safetensors --token-error 0.01
input above.safetensors center:F32:1x80x64 cholesky:F32:1x5120x64 amplitude:F32:1x80x1  # as much above the diagonal as below
refuses full_above 1 'cholesky' 'splat 0 of kv_head 0 \(level 0 .token.\)' 'above the diagonal|on the diagonal' -- "$bin/hsa-run" full.hsaplan -o out/o.safetensors --in good.safetensors --splats above.safetensors
input few_rows.safetensors center:F32:1x80x64 variance:F32:1x80x64 factor:F32:1x319x64 amplitude:F32:1x80x1
refuses low_rank_rows 1 "'factor' is .1, 319, 64." '320' -- "$bin/hsa-run" low_rank.hsaplan -o out/o.safetensors --in good.safetensors --splats few_rows.safetensors
input no_factor.safetensors center:F32:1x80x64 variance:F32:1x80x64 amplitude:F32:1x80x1
refuses low_rank_no_factor 1 "'factor'" '--splats' -- "$bin/hsa-run" low_rank.hsaplan -o out/o.safetensors --in good.safetensors --splats no_factor.safetensors
refuses softmax_splats 1 'splats' 'softmax' -- "${run[@]}" --in good.safetensors --splats splats.safetensors
input few.safetensors q:BF16:3x10x64 k:BF16:1x10x64 v:BF16:1x10x64
refuses routed_few_keys 1 '10 finite keys' '64 splats' -- "$bin/hsa-run" routed.hsaplan -o out/o.safetensors --in few.safetensors --make-splats out/s.safetensors

# --- the machine
refuses output_no_folder 1 'no/such/folder' -- "$bin/hsa-run" good.hsaplan --in good.safetensors -o no/such/folder/o.safetensors
refuses output_is_folder 1 -- "$bin/hsa-run" good.hsaplan --in good.safetensors -o cache
refuses output_device 1 '/dev/full' -- "$bin/hsa-run" good.hsaplan --in good.safetensors -o /dev/full
refuses scratch_no_folder 1 'scratch' 'no/such/folder' -- "${run[@]}" --in good.safetensors --scratch no/such/folder
refuses report_no_folder 1 'no/such/folder' -- "${run[@]}" --in good.safetensors --report no/such/folder/r.json
input long.safetensors q:BF16:3x8192x64 k:BF16:1x8192x64 v:BF16:1x8192x64
refuses memory_budget_too_small 1 'memory|budget' '[0-9]' -- "${run[@]}" --in long.safetensors --memory-budget 64KiB
refuses budget_below_near_field 1 'budget' '0\.05' 'least that works' -- "${run[@]}" --in long.safetensors --budget 0.05

mkdir -p full
alone=(unshare --mount)
((EUID == 0)) || alone=(unshare --user --map-root-user --mount)
if "${alone[@]}" mount -t tmpfs -o size=1m tmpfs full 2>/dev/null; then
  refuses no_space 1 'full/o.safetensors' 'space' -- "${alone[@]}" bash -c \
    'mount -t tmpfs -o size=1m tmpfs full && "$1" good.hsaplan --in long.safetensors -o full/o.safetensors; status=$?; cp -a full/. out; exit $status' _ "$bin/hsa-run"
  # Where the cache is full, the plan is written all the same, and one line says so.
  works no_space_for_cache out/x.hsaplan -- "${alone[@]}" bash -c \
    'mount -t tmpfs -o size=16k tmpfs full && "$1" "$2" -o out/x.hsaplan --cache-dir full/hsa && [[ -z $(ls -A full/hsa) ]]' _ "$compile" "$examples/causal_gqa.textproto"
  says_once no_space_for_cache 'full/hsa/[0-9a-f]+\.hsaplan: No space left on device; plans are not cached'
  refuses no_space_to_warm 1 'full/hsa/' 'No space left' -- "${alone[@]}" bash -c \
    'mount -t tmpfs -o size=16k tmpfs full && "$1" --warm "$2" --cache-dir full/hsa' _ "$compile" "$examples/causal_gqa.textproto"
else
  skip no_space "a small file system cannot be mounted here"
fi

: >no_folder
works cache_unusable out/x.hsaplan -- env XDG_CACHE_HOME="$work/no_folder" "$compile" "$examples/causal_gqa.textproto" -o out/x.hsaplan
says_once cache_unusable 'no_folder/hsa: .*; plans are not cached'

# A profile of the machine that cannot be used: the run is good, and one line of its report says so. 8,192 keys turn on it.
profiled() { works "$1" out/o.safetensors -- "${run[@]}" --in long.safetensors --report out/r.json --machine-profile "$2"; }
warns() {  # NAME PATTERN
  [[ -z $only || $only == "$1" ]] || return 0
  (($(grep -c 'machine profile' out/r.json) == 1)) && grep -qE -- "machine profile: $2" out/r.json || { cp out/r.json stderr; wrong "$1" "the report has no one line with /$2/"; }
}
profiled profile_missing machine.json
[[ -n $only || $(grep -c 'machine profile' out/r.json) == 0 ]] || wrong profile_missing "a warning about a file that need not be there"
sed -i 's/"cpu": "/"cpu": "Z80 /' machine.json
profiled profile_other_cpu machine.json
warns profile_other_cpu "machine.json: has cpu 'Z80 .*measured again"
profiled profile_replaced machine.json
[[ -n $only || $(grep -c 'machine profile' out/r.json) == 0 ]] || wrong profile_replaced "the profile was not replaced"
truncate -s 40 machine.json
profiled profile_truncated machine.json
warns profile_truncated 'machine.json: is damaged: no JSON object; measured again'
profiled profile_no_folder no/such/machine.json
warns profile_no_folder 'no/such/machine.json: cannot write: .*; the next run will measure again'

# Ctrl-C in the middle of a run of many seconds. --foreground: without it, timeout signals the process and its group, so that it gets two, and
# the second one ends it at once.
input endless.safetensors q:BF16:3x131072x64 k:BF16:1x131072x64 v:BF16:1x131072x64
for mode in --exact --theta=0 --tolerance=0.01; do
  refuses "ctrl_c${mode%%=*}" 130 -- timeout --foreground --preserve-status --signal=INT 1.5 "${run[@]}" --in endless.safetensors "$mode"
done

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))

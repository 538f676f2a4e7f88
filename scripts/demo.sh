#!/usr/bin/env bash
# Compiles examples/causal_gqa.textproto, runs it by splats and exactly over the Q, K, V of a real layer, and compares the two on one screen.
#   scripts/demo.sh [build/release/bin]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${1:-build/release/bin}
graph=examples/causal_gqa.textproto
data=examples/data/qkv_8k_prose_L22.safetensors
out=build/demo
mkdir -p "$out"

step() {  # LOG COMMAND...: prints the command as a user would type it, then runs it; what it prints goes to build/demo/LOG
  echo "\$ ${*:2}"
  "${@:2}" >"$out/$1"
}

echo
started=$EPOCHREALTIME
step compile.txt "$bin/hsa-compile" "$graph" -o "$out/gqa.hsaplan"
compile_seconds=$(awk "BEGIN { print $EPOCHREALTIME - $started }")
cat "$out/compile.txt"
step splats.txt "$bin/hsa-run" "$out/gqa.hsaplan" --in "$data" -o "$out/splats.safetensors" --verify 256 --report "$out/splats.json"
step exact.txt "$bin/hsa-run" "$out/gqa.hsaplan" --in "$data" -o "$out/exact.safetensors" --exact --verify 256 --report "$out/exact.json"
echo

python3 - "$out" "$compile_seconds" <<'PYTHON'
import json
import os
import re
import sys

out, compile_seconds = sys.argv[1], float(sys.argv[2])
splats, exact = (json.load(open(f"{out}/{name}.json", encoding="utf-8")) for name in ("splats", "exact"))
cache = re.search(r"\b(hit|miss)\b", open(f"{out}/compile.txt", encoding="utf-8").read())


def row(label, *cells):
    print(f"  {label:24s}" + "".join(f"{cell:>14s}" for cell in cells))


def both(label, form, pick):
    row(label, form(pick(splats)), form(pick(exact)))


seconds = "{:.3f} s".format
percent = lambda share: f"{100 * share:.1f} %"
error = lambda value: "not finite" if value is None else f"{value:.1e}"

print(f"Plan: {os.path.getsize(f'{out}/gqa.hsaplan') / 1024:.1f} KiB, {splats['variant']}; compiled in {compile_seconds:.2f} s"
      f" (cache {cache.group(1) if cache else 'not reported'})")
print("Input: 3 query heads and the KV head that they share, 8,192 tokens of prose, one layer of SmolLM2-135M, bfloat16, causal")
print(f"Splats: {splats['mode']}; error: relative L2 against float64 on {splats['verified']['n']} rows, drawn at random\n")
row("", "splats", "exact")
row("index", seconds(splats["seconds"]["index"]), "-")
both("run, index included", seconds, lambda r: r["seconds"]["total"])
both("keys read, of visible", percent, lambda r: r["read"]["total_fraction"])
for name in ("median", "p95", "max"):
    both(f"error, {name}", error, lambda r: r["verified"][name])
tolerance = splats["tolerance"]
print(f"\n  asked: an error of {tolerance['asked']:g} with probability {tolerance['confidence']:g}; {percent(splats['verified']['coverage'])} of the rows above keep to it")
speed_up = exact["seconds"]["total"] / splats["seconds"]["total"]
print(f"  speed-up {speed_up:.2f}x; its ceiling, 1 / keys read: {1 / splats['read']['total_fraction']:.2f}x")
for warning in splats["warnings"] + exact["warnings"]:
    print(f"  note: {warning}")
print(f"\n  Outputs and reports are in {out}/. Longer inputs save more: tools/make_long_input.py makes one.")
PYTHON

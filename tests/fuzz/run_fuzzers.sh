#!/usr/bin/env bash
# Runs each fuzzer for SECONDS on its seeds; what it finds new stays in BUILD/fuzz_corpus, a failing input in BUILD/fuzz_failures.
#   tests/fuzz/run_fuzzers.sh SECONDS [BUILD_DIR, build/fuzz unless told]
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
seconds=${1-}
build=${2-$here/../../build/fuzz}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]] || (($# > 2)); then
  echo "usage: run_fuzzers.sh SECONDS [BUILD_DIR]" >&2
  exit 2
fi

shopt -s nullglob
fuzzers=("$build"/bin/*_fuzzer)
if ((${#fuzzers[@]} == 0)); then
  echo "run_fuzzers.sh: no fuzzers in $build/bin; configure with --preset fuzz and build tests/fuzz/all" >&2
  exit 1
fi

failed=0
for fuzzer in "${fuzzers[@]}"; do
  name=$(basename "$fuzzer" _fuzzer)
  found=$build/fuzz_corpus/$name failures=$build/fuzz_failures/$name
  mkdir -p "$found" "$failures"
  seeds=()
  [[ -d $here/corpus/$name ]] && seeds=("$here/corpus/$name")
  dictionary=()
  [[ -f $here/$name.dict ]] && dictionary=("-dict=$here/$name.dict")
  echo "$name: $seconds s"
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$failures/" "${dictionary[@]}" "$found" "${seeds[@]}" >"$build/fuzz_$name.log" 2>&1; then
    grep -E 'number_of_executed_units|new_units_added' "$build/fuzz_$name.log" | sed 's/^stat::/  /'
  else
    echo "$name: FAILED; log $build/fuzz_$name.log, input in $failures" >&2
    tail -n 30 "$build/fuzz_$name.log" >&2
    failed=1
  fi
done
exit $failed

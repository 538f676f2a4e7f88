#!/usr/bin/env bash
# clang-tidy over the sources of the repository, with the compile commands of a build folder: scripts/tidy.sh [build/release] [regex of files]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
files=${2:-"$PWD/(dialect|passes|kernels|runtime|frontend|tools)/.*\.cpp$"}

[[ -f $build/compile_commands.json ]] || {
  echo "tidy: $build has no compile_commands.json, wanted a configured build folder; run make build" >&2
  exit 1
}
run-clang-tidy-22 -quiet -p "$build" "$files"

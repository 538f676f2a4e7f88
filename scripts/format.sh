#!/usr/bin/env bash
# Formats the C++ sources of the repository in place; with --check, changes nothing and fails where something would change.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1-} in
  '') mode=(-i) ;;
  --check) mode=(--dry-run --Werror) ;;
  *)
    echo "format: unknown argument '$1', wanted --check or nothing" >&2
    exit 2
    ;;
esac
git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.h' | xargs -0 -r clang-format-22 "${mode[@]}" --

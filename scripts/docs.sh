#!/usr/bin/env bash
# Writes the reference of attributes, types, ops and passes, as the compiler has them, to a folder; then checks that every relative link
# of the repository's pages leads somewhere: scripts/docs.sh [build/docs]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/docs}
mkdir -p "$out"

tblgen=(/usr/lib/llvm-22/bin/mlir-tblgen -I . -I /usr/lib/llvm-22/include)
"${tblgen[@]}" -gen-dialect-doc -dialect=hsa dialect/hsa_ops.td -o "$out/dialect.md"
"${tblgen[@]}" -gen-pass-doc passes/passes.td -o "$out/passes.md"
echo "docs: $out/dialect.md and $out/passes.md written"

# Prints each link of a page that leads nowhere: [text](path) and [text](path#section), outside code.
dead_links() {
  local page=$1 link
  sed -e '/^```/,/^```/d' -e 's/`[^`]*`//g' "$page" | { grep -oE '\]\([^)]+\)' || true; } | sed -E 's/^\]\(|\)$//g; s/#.*//' | while read -r link; do
    case $link in '' | *:*) continue ;; esac
    [[ -e $(dirname "$page")/$link ]] || echo "$page: link to $link, which is not there"
  done
}
dead=$(find . \( -name build -o -name .venv -o -name .git \) -prune -o -name "*.md" -print | sed "s|^\./||" | while read -r page; do dead_links "$page"; done)
if [[ -n $dead ]]; then
  echo "$dead" >&2
  exit 1
fi
echo "docs: every link leads somewhere"

#!/usr/bin/env bash
# Names each relative link of the repository's pages that leads nowhere: [text](path) and [text](path#section), outside code.
set -euo pipefail
cd "$(dirname "$0")/.."

dead_links() {  # PAGE
  local page=$1 link
  sed -e '/^```/,/^```/d' -e 's/`[^`]*`//g' "$page" | { grep -oE '\]\([^)]+\)' || true; } | sed -E 's/^\]\(|\)$//g; s/#.*//' | while read -r link; do
    case $link in '' | *:*) continue ;; esac
    [[ -e $(dirname "$page")/$link ]] || echo "$page: link to $link, which is not there"
  done
}

pages=$(find . \( -name build -o -name .venv -o -name .git \) -prune -o -name '*.md' -print | sed 's|^\./||')
dead=$(while read -r page; do dead_links "$page"; done <<<"$pages")
if [[ -n $dead ]]; then
  echo "$dead" >&2
  exit 1
fi
echo "every relative link of $(wc -l <<<"$pages") pages leads somewhere"

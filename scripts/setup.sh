#!/usr/bin/env bash
# Installs the Debian 12 packages that HSA needs and that are not there yet; returns at once when none is missing.
# Uses the apt sources that this machine already has.
set -euo pipefail

packages=(
  cmake ninja-build git binutils
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22 libclang-rt-22-dev clang-format-22 clang-tidy-22
  libabsl-dev libprotobuf-dev protobuf-compiler libtbb-dev libcli11-dev nlohmann-json3-dev libxxhash-dev libzstd-dev libeigen3-dev libhnswlib-dev libopencv-core-dev
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
  python3 python3-venv
)
optional=(ccache)

fail() {
  echo "setup: $1" >&2
  exit 1
}

command -v dpkg-query >/dev/null || fail "this is not a Debian machine (no dpkg-query), wanted Debian 12; install by hand: ${packages[*]}"

# Names among the arguments that are not installed, one a line.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
  comm -13 <(sort -u <<<"$installed") <(printf '%s\n' "$@" | sort -u)
}

has_candidate() { [[ $(LC_ALL=C apt-cache policy "$1") == *"Candidate: "[^\(]* ]]; }

mapfile -t missing < <(missing_of "${packages[@]}")
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || fail "${#missing[@]} packages are missing, and installing wants root or sudo; run as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq "$@" >>"$log" 2>&1; }

echo "setup: ${#missing[@]} packages to install: ${missing[*]}"
apt update || echo "setup: apt-get update failed, going on with the package lists at hand" >&2
for package in "${missing[@]}"; do
  has_candidate "$package" && continue
  case $package in
    *-22* | *-22) fail "apt has no package $package, wanted LLVM and MLIR 22; add an apt source that carries them for this release, then run again" ;;
    *) fail "apt has no package $package; HSA is built on Debian 12 with its main section: check the apt sources, then run again" ;;
  esac
done
mapfile -t extra < <(for package in $(missing_of "${optional[@]}"); do has_candidate "$package" && echo "$package"; done; true)
if ! apt install -y --no-install-recommends "${missing[@]}" "${extra[@]}"; then
  tail -n 15 "$log" >&2
  fail "apt-get install failed (its last lines are above); run it by hand: apt-get install ${missing[*]}"
fi
echo "setup: done"

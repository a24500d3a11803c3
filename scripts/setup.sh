#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages that Fettle builds with, after naming them.
#   scripts/setup.sh           install what is missing (as root, or with sudo)
#   scripts/setup.sh --check   only say what is missing; exit 1 if anything is
#   scripts/setup.sh --dev     also what `make check` and contributors need
set -euo pipefail

packages=(g++ make libdnnl-dev libfmt-dev doctest-dev nlohmann-json3-dev libyaml-cpp-dev
          libutf8proc-dev libssl-dev)
[ "${1:-}" != --dev ] || packages+=(clang libomp-dev clang-format)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "${1:-}" = --check ]; then
    echo "missing packages: ${missing[*]}" >&2
    echo "run scripts/setup.sh to install them" >&2
    exit 1
fi

command -v apt-get >/dev/null || {
    echo "setup.sh: needs apt-get; on another system install the equivalents of: ${missing[*]}" >&2
    exit 2
}
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup.sh: not root and no sudo; as root run: apt-get install ${missing[*]}" >&2
        exit 2
    }
    as_root=(sudo)
    [ -t 0 ] || as_root=(sudo -n)  # nobody there to type a password: fail instead of waiting
fi
echo "installing with apt-get: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" >"$log" 2>&1
}
# The package lists may be absent or old: refresh them once if the first try fails.
install || { "${as_root[@]}" apt-get update -q >"$log" 2>&1 && install; } || {
    tail -n 20 "$log" >&2
    echo "setup.sh: apt-get could not install: ${missing[*]}" >&2
    exit 2
}

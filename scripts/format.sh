#!/usr/bin/env bash
# Rewrites the sources in the house format; with --check only names the files that differ.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v clang-format >/dev/null; then
    echo "format.sh: clang-format is not installed (Debian: apt-get install clang-format)" >&2
    exit 2
fi
mapfile -t files < <(git ls-files --cached --others --exclude-standard \
    '*.cpp' '*.h' '*.cu' '*.cuh' | while read -r f; do [ -f "$f" ] && echo "$f"; done)
if [ "${1:-}" = --check ]; then
    clang-format --dry-run -Werror "${files[@]}" 2>/dev/null && exit 0
    echo "not in the house format (scripts/format.sh rewrites):" >&2
    for file in "${files[@]}"; do
        clang-format --dry-run -Werror "$file" 2>/dev/null || echo "$file" >&2
    done
    exit 1
fi
clang-format -i "${files[@]}"

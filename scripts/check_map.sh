#!/usr/bin/env bash
# The map in docs/architecture.md names exactly the files that exist.
#   scripts/check_map.sh     exit 1 and one line for each file that the map lacks or invents
#
# In the map, a heading "### `folder/`" and under it lines "- `name.{h,cpp}` phrase"; braces mean what
# they mean in the shell, and a name that ends in / is a folder with all that is in it. A test of
# the name of a source, tests/<path>_test.cpp, needs no line.
set -euo pipefail
cd "$(dirname "$0")/.."
map=docs/architecture.md

# Each name of the map with its folder, braces expanded.
named() {
    awk -F'`' '/^## / { inside = /^## The map/ }
               inside && /^### `/ { folder = ($2 == "./") ? "" : $2 }
               inside && /^- `/ { print folder $2 }' "$map" |
        while read -r name; do
            [[ $name =~ ^[A-Za-z0-9_./{},-]+$ ]] || { echo "$name"; continue; }
            eval "printf '%s\n' $name"
        done
}

# The files of the tree that should be in the map.
existing() {
    git ls-files --cached --others --exclude-standard | while read -r file; do
        [ -f "$file" ] || continue
        if [[ $file =~ ^tests/(.*)_test\.cpp$ ]]; then
            compgen -G "${BASH_REMATCH[1]}.*" >/dev/null && continue
        fi
        echo "$file"
    done
}

bad=0
complain() {  # complain WHAT: what stands on stdin breaks the map
    while read -r name; do
        [ -z "$name" ] || { echo "$1: $name"; bad=1; }
    done
}
files=$(existing | sort -u)
entries=$(named | sort)
while read -r folder; do  # a folder's files are named by it
    grep -q "^$folder" <<<"$files" || complain "an empty folder in $map" <<<"$folder"
    files=$(grep -v "^$folder" <<<"$files" || true)
done < <(grep '/$' <<<"$entries" || true)
entries=$(grep -v '/$' <<<"$entries" || true)
complain "twice in $map" < <(uniq -d <<<"$entries")
complain "not in $map" < <(comm -13 <(uniq <<<"$entries") <(cat <<<"$files"))
complain "only in $map" < <(comm -23 <(uniq <<<"$entries") <(cat <<<"$files"))
exit $bad

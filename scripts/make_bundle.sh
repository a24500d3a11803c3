#!/usr/bin/env bash
# The programs and tests in one folder that runs on any x86-64 Linux (AVX2) with a driver: with
# their libraries, the C library among them, but those of CUDA, which are found where they are.
#
#     scripts/make_bundle.sh BUILD FOLDER       `make bundle` calls it
#
# Large libraries lie there compressed; the first program that starts unpacks them.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/make_bundle.sh BUILD FOLDER} folder=${2:?}

rm -rf "$folder"
mkdir -p "$folder"/{bin,lib,programs,scripts,tests}
programs=("$build"/bin/{train,generate,eval,export,tokenize} "$build"/test_{kernels,host})
for file in "${programs[@]}"; do strip -o "$folder/programs/$(basename "$file")" "$file"; done
strip -o "$folder/lib/libfettle.so" "$build/libfettle.so"
LD_LIBRARY_PATH=$build ldd "${programs[@]}" | awk '/=> \// { print $3 } /^\t\/.*ld-linux/ { print $1 }' |
    grep -v libfettle | sort -u | while read -r library; do
        cp -L "$library" "$folder/lib/"
    done
gzip -9 "$folder"/lib/lib{dnnl,crypto}.so.*
cp -r --parents tests/golden train/demo scripts/test_gpu.sh "$folder/"
cp README.md LICENSE "$folder/"

for file in "$folder"/programs/*; do
    cat >"$folder/bin/$(basename "$file")" <<'LAUNCHER'
#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
for packed in "$here"/lib/*.gz; do
    [ -e "$packed" ] || continue
    gunzip -c "$packed" >"$packed.$$" && mv "$packed.$$" "${packed%.gz}" && rm -f "$packed"
done
exec "$here/lib/ld-linux-x86-64.so.2" --library-path \
    "$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$here/programs/$(basename "$0")" "$@"
LAUNCHER
    chmod +x "$folder/bin/$(basename "$file")"
done
cat >"$folder/test-gpu" <<'LAUNCHER'
#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
exec "$here/scripts/test_gpu.sh" --tests "$here/bin" --bin "$here/bin" "$@"
LAUNCHER
chmod +x "$folder/test-gpu"

# In a root folder that has nothing else, every program starts.
if [ "$(id -u)" = 0 ]; then
    bare=$(mktemp -d)
    trap 'rm -rf "$bare"' EXIT
    cp -r "$folder" "$bare/fettle"
    gunzip "$bare"/fettle/lib/*.gz
    for file in "$folder"/programs/*; do
        chroot "$bare" /fettle/lib/ld-linux-x86-64.so.2 --library-path /fettle/lib \
            "/fettle/programs/$(basename "$file")" --version >/dev/null
    done
    echo "every program starts in a bare root folder"
fi
echo "$folder: $(du -sm --apparent-size "$folder" | cut -f1) MiB"

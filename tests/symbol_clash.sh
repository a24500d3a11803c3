#!/usr/bin/env bash
# Every .cu file is compiled twice, for cuda and for simt. What both define under one name the linker
# would merge in silence, and one device would run the other's code. So all that a .cu or .cuh file
# defines lies in its device's namespace:
#   1. strong symbols and variables of X.simt.o in on_simt, of X.cuda.o in on_cuda;
#   2. inline functions and templates too, if their source is a .cu or .cuh file or launch.h (what
#      comes from other headers is the same host code on both sides);
#   3. no strong symbol is defined in two objects.
#
#   tests/symbol_clash.sh BUILD_FOLDER   exit 1 and name object and symbol if a rule is broken
#   tests/symbol_clash.sh --self-test    plants one breach of each rule; all must be found
set -euo pipefail

# Lines "kind<tab>name<tab>source" of the symbols that an object offers to others, less the compilers'
# own, the inline variables of libraries, and the destructors that the compiler makes of Error: it is
# defined in check.h, but nm names the .cu file where both lie in one folder.
offered() {
    nm --defined-only --extern-only --demangle --line-numbers "$1" |
        sed -nE 's/^[0-9a-f]+ ([A-Za-z]) ([^\t]*)\t?(.*)$/\1\t\2\t\3/p' |
        grep -vE $'\t(__|_fini|_init|fatbin|DW\.ref\.|typeinfo|vtable|asan|guard variable for std)' |
        grep -vE $'^[Vu]\t(std|fmt|__gnu_cxx)::|^W\t(Input)?Error::~' || true
}

# Breaches of rules 1 and 2 in one object of a device's.
breaches() {
    offered "$1" | awk -F'\t' -v object="$1" -v home="on_$2::" '
        index($2, home) || ($2 ~ / simt::|^simt::/) { next }
        $1 ~ /[TDBRCGVu]/ || $3 ~ /\.cuh?:|core\/launch\.h:/ {
            print object ": " $2 " is not in " home (($3 == "") ? "" : " (" $3 ")") }'
}

check() {
    local build=$1 found object objects
    # What the mutation tests compiled is never linked with the rest.
    mapfile -t objects < <(find "$build" -path '*/mutated' -prune -o -name '*.simt.o' -print \
        -o -name '*.cuda.o' ! -name '*_runtime*' -print)
    [ ${#objects[@]} -gt 0 ] || { echo "symbol_clash: no .simt.o in $build: build first" >&2; exit 2; }
    found=$(for object in "${objects[@]}"; do
        case $object in
            *.simt.o) breaches "$object" simt ;;
            *) breaches "$object" cuda ;;
        esac
    done
    find "$build" -path '*/mutated' -prune -o -path '*/kernels/*.o' ! -path '*/tests/*' -print0 |
        xargs -0 nm --defined-only --extern-only 2>/dev/null |
        sed -nE 's/^[0-9a-f]+ [TDBRCG] (.*)$/\1/p' | grep -vE '^(__|_fini|_init|fatbin|main$)' |
        sort | uniq -d | c++filt | sed 's/$/ is defined in two objects/')
    if [ -n "$found" ]; then
        echo "$found"
        return 1
    fi
    echo "symbol_clash: ${#objects[@]} objects of .cu files, no symbol that two devices share"
}

self_test() {
    local output rule
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    mkdir -p "$folder/kernels"
    cat >"$folder/planted.cuh" <<'PLANTED'
template <class T>
__attribute__((noinline)) T outside_template(T x) { return x * x; }
PLANTED
    cat >"$folder/planted.cu" <<'PLANTED'
#include "planted.cuh"
namespace on_simt {
int inside(int x) { return outside_template(x); }
}
int outside_strong() { return 1; }
int outside_variable = 2;
PLANTED
    echo 'int twice() { return 3; }' >"$folder/twice.cpp"
    (cd "$folder" && "${CXX:-g++}" -g1 -x c++ -c planted.cu -o kernels/planted.simt.o &&
        "${CXX:-g++}" -c twice.cpp -o kernels/first.o && "${CXX:-g++}" -c twice.cpp -o kernels/second.o)
    output=$(check "$folder") && { echo "symbol_clash: planted clashes were not found" >&2; exit 1; }
    for rule in outside_template outside_strong outside_variable twice; do
        grep -q "$rule" <<<"$output" || { echo "symbol_clash: $rule was not found" >&2; exit 1; }
    done
    if grep -q inside: <<<"$output"; then echo "symbol_clash: on_simt was reported" >&2; exit 1; fi
    echo "symbol_clash: all four planted clashes were found"
}

case ${1:-} in
    --self-test) self_test ;;
    '') echo "usage: tests/symbol_clash.sh BUILD_FOLDER | --self-test" >&2; exit 2 ;;
    *) check "$1" ;;
esac

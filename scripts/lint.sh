#!/usr/bin/env bash
# What the compiler does not check: include direction, forbidden constructs, sizes.
#   scripts/lint.sh [FOLDER]      check that tree (default: this one); exit 1 if a rule is broken
#   scripts/lint.sh --self-test   plant one violation of each rule and see that it is found
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

lint() {
    cd "$1"
    local complaints
    complaints=$(complain_of_tree)
    [ -z "$complaints" ] && return 0
    printf '%s\n' "$complaints"
    return 1
}

complain_of_tree() {
    report() { sed "s|^|$1: |"; }  # report RULE: a line on stdin is a place where it is broken
    mapfile -t sources < <(find kernels model eval train -type f \
        \( -name '*.cpp' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) 2>/dev/null | sort)
    [ ${#sources[@]} -gt 0 ] || { echo "no sources"; return 0; }
    local plain=() device=()
    for f in "${sources[@]}"; do
        case $f in *_main.cpp) ;; *) plain+=("$f") ;; esac
        case $f in *.cu | *.cuh) device+=("$f") ;; esac
    done

    # Includes point only left: kernels <- model <- eval <- train.
    { grep -nE '#include "(model|eval|train|tests)/' $(printf '%s\n' "${plain[@]}" | grep ^kernels/) || true
      grep -nE '#include "(eval|train|tests)/' $(printf '%s\n' "${plain[@]}" | grep ^model/) /dev/null || true
      grep -nE '#include "(train|tests)/' $(printf '%s\n' "${plain[@]}" | grep ^eval/) /dev/null || true
      grep -nE '#include "tests/' $(printf '%s\n' "${plain[@]}" | grep ^train/) /dev/null || true
    } | report "include points right"
    grep -nE '#include "[^"]*_main\.cpp"' "${sources[@]}" | report "a main is included" || true
    grep -nE '#include "[^/"]*"' "${sources[@]}" | report "include not from the root" || true

    # Constructs.
    grep -nE '\b(exit|_exit|abort)\(' "${plain[@]}" | grep -vE '//.*\b(exit|abort)\(' |
        grep -vE '^kernels/simt/|^model/program/signals' | report "exit outside a main" || true
    grep -nE 'parallel[^"]*reduction' "${sources[@]}" | report "reduction over threads" || true
    grep -nE 'ffast-math|std::format|\bstd::rand\b|\bmt19937' "${sources[@]}" Makefile |
        report "forbidden" || true
    grep -nE '\b(asm|__asm__)\b|<<<|extern __shared__' ${device[@]+"${device[@]}"} /dev/null |
        grep -vE '//.*(asm|<<<)|^kernels/core/' | report "raw device construct" || true
    grep -nE '\b(cudaMalloc|malloc|calloc)\(|\bnew [a-z]+\[' "${plain[@]}" |
        grep -vE '^kernels/(core|simt)/' | report "raw allocation" || true
    grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" Makefile scripts/*.sh |
        grep -v '^scripts/lint.sh' | report "unfinished" || true

    # Sizes.
    for f in "${sources[@]}"; do
        local lines limit=500
        lines=$(wc -l <"$f")
        case $f in *_main.cpp) limit=120 ;; esac
        [ "$lines" -le "$limit" ] || echo "$f has $lines lines, at most $limit"
    done | report "file too long"
    # From the line that ends a head to the brace at the margin of the line that began it.
    awk '!first && /^(    )?[a-zA-Z_~].*\(/ {
             end = /^ / ? "^    }" : "^}"
             limit = FILENAME ~ /\.cuh?$/ ? 80 : 40
         }
         !first && /\) (const |noexcept |override )*\{$/ && !/^ *(if|for|while|switch) / { first = FNR }
         first && $0 ~ end {
             lines = FNR - first - 1
             if (lines > limit) print FILENAME ":" first " has " lines " lines, at most " limit
             first = 0
         }' "${sources[@]}" | report "function too long"
    grep -nE '^.{101,}$' "${sources[@]}" | grep -v 'R"(' | cut -c1-80 | report "line over 100 columns" || true
    # Everything has a test of its name, except mains and what only a GPU's toolkit can run.
    if [ -d tests ]; then
        for f in "${plain[@]}"; do
            case $f in *.cpp) ;; *) continue ;; esac
            local stem=${f%.cpp}
            stem=${stem%_cpu}
            ls tests/"$stem"_test.cpp >/dev/null 2>&1 && continue
            # A unit in several files is tested under the name of its header.
            local base=$stem
            while [[ $base == *_* ]]; do
                base=${base%_*}
                [ -f "$base.h" ] && break
            done
            [ -f "$base.h" ] && [ -f "tests/${base}_test.cpp" ] && continue
            echo "$f"
        done | report "no test of its name"
    fi
}

self_test() {
    local root
    root=$(mktemp -d)
    trap "rm -rf '$root'" EXIT
    fresh() {
        rm -rf "$root/t" && mkdir -p "$root/t"/{kernels,model,eval,train,scripts,tests/kernels}
        echo 'int f();' >"$root/t/kernels/a.cpp"
        : >"$root/t/tests/kernels/a_test.cpp"
        : >"$root/t/Makefile"
        : >"$root/t/scripts/a.sh"
        : >"$root/t/model/m.h" && : >"$root/t/eval/e.h" && : >"$root/t/train/t.h"
    }
    local failed=0 planted=0
    expect() {  # expect RULE FILE TEXT
        fresh
        printf '%s\n' "$3" >>"$root/t/$2"
        planted=$((planted + 1))
        local output status=0
        output=$(lint "$root/t" 2>&1) || status=$?
        if [ $status -ne 1 ] || ! grep -q "^$1" <<<"$output"; then
            echo "lint self-test: not found, or exit $status: $1 ($3)"
            failed=1
        fi
    }
    fresh
    (lint "$root/t") || { echo "lint self-test: a clean tree is refused"; failed=1; }
    expect "include points right" kernels/a.cpp '#include "model/m.h"'
    expect "include points right" model/m.h '#include "eval/e.h"'
    expect "include points right" eval/e.h '#include "train/t.h"'
    expect "include not from the root" model/m.h '#include "m.h"'
    expect "a main is included" model/m.h '#include "train/x_main.cpp"'
    expect "exit outside a main" model/m.h 'void g() { std::exit(1); }'
    expect "reduction over threads" kernels/a.cpp '#pragma omp parallel for reduction(+ : x)'
    expect "forbidden" kernels/a.cpp 'auto s = std::format("x");'
    expect "raw device construct" kernels/a.cu 'k<<<1, 1>>>();'
    expect "raw allocation" model/m.h 'auto* p = malloc(4);'
    expect "unfinished" kernels/a.cpp "// TO""DO later"
    expect "line over 100 columns" kernels/a.cpp "// $(printf 'x%.0s' {1..110})"
    expect "file too long" kernels/a.cpp "$(yes '//' | head -n 501)"
    expect "function too long" kernels/a.cpp "void g() {
$(yes '    f();' | head -n 41)
}"
    expect "function too long" model/m.h "struct S {
    void g(int a,
           int b) const {
$(yes '        f();' | head -n 41)
    }
};"
    expect "no test of its name" kernels/b.cpp 'int g();'
    [ $failed -eq 0 ] && echo "lint self-test: $planted planted violations found"
    return $failed
}

if [ "${1:-}" = --self-test ]; then self_test; else lint "${1:-$here}"; fi

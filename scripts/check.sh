#!/usr/bin/env bash
# Everything that a change must pass, then the checklist of the house style, a row a point:
# PASS, FAIL, NOT RUN (this tree or machine cannot) or READ (only a reader can tell), what was
# measured, and the worst offender. Exit code 1 if a row says FAIL.
#   scripts/check.sh BUILD_FOLDER BIN_FOLDER     as `make check` calls it
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/check.sh BUILD_FOLDER BIN_FOLDER} bin=${2:?}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
declare -A passed  # by step: yes or no
failures=0

# step NAME COMMAND...: runs it; shows the end of what it printed if it fails
step() {
    local name=$1 start=$SECONDS
    shift
    printf '%-12s' "$name" >&2
    if "$@" >"$logs/$name" 2>&1; then
        passed[$name]=yes
        echo "ok ($((SECONDS - start)) s)" >&2
    else
        passed[$name]=no
        echo "FAILED: $*" >&2
        tail -n 20 "$logs/$name" | sed 's/^/    /' >&2
    fi
}

run_steps() {
    step build env -u MAKEFLAGS -u MFLAGS -u FETTLE_MAKE make all tests  # make's job server ends at this script
    step format scripts/format.sh --check
    step lint scripts/lint.sh
    step lint-test scripts/lint.sh --self-test
    step map scripts/check_map.sh
    step tests scripts/test.sh quick "$build" "$bin"
}

row() {  # row NUMBER STATUS POINT MEASURED [WORST]
    [ "$2" = FAIL ] && failures=$((failures + 1))
    printf '%2d  %-8s %-44s %s%s\n' "$1" "$2" "$3" "$4" "${5:+; worst: $5}"
}
verdict() { [ -z "$1" ] && echo PASS || echo FAIL; }  # of a list of offenders
count() { [ -z "$1" ] && echo 0 || wc -l <<<"$1"; }
first() { head -n 1 <<<"$1"; }
broken_rules() {  # broken_rules RULES: what lint said of them, RULES a pattern
    grep -E "^($1): " "$logs/lint" || true
}

sources() { find kernels model eval train -name '*.cpp' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh'; }
op_headers() { ls kernels/*/*_reference.h | sed 's/_reference//'; }
kernel_files() { find kernels -name '*.cu' ! -name '*_runtime.cu'; }

# Links that lead nowhere, and contracts that kernels/README.md does not lead to.
missing_links() {
    for page in README.md kernels/README.md; do
        grep -oE '\]\([^)#:]+\)' "$page" | tr -d '])(' | while read -r link; do
            [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
        done
    done
    op_headers | while read -r header; do
        grep -q "(${header#kernels/})" kernels/README.md || echo "kernels/README.md lacks $header"
    done
    grep -q '(kernels/README.md)' README.md || echo "README.md does not lead to kernels/README.md"
}

missing_fields() {
    kernel_files | while read -r file; do
        local fields='Shapes Threads Traffic Numerics Requires'
        grep -qE 'FETTLE_DYNAMIC_SHARED|__shared__' "$file" && fields+=' Shared'
        local header
        header=$(sed '/^\/\//!q' "$file")
        for field in $fields; do
            grep -qE "^// $field  +[^ ]" <<<"$header" || echo "$file: $field"
        done
        grep -qE ' = |formula is' <<<"$header" || echo "$file: formula"
    done
}

# Tensor pointers of the contracts whose comment does not begin with a shape, or with "likewise".
missing_shapes() {
    op_headers | while read -r header; do
        awk '/=$/ { held = $0; next } { print held $0; held = "" }' "$header" |
            grep -E '\* *[a-z_0-9]+ += +nullptr;' | grep -vE 'void\*|// (\[|likewise)' |
            sed "s|^ *|$header: |"
    done
}

numbered_kernels() { grep -hoE '__global__ void [a-z_]+[0-9]+\(' -r kernels --include='*.cu' || true; }

tests_without_reference() {
    op_headers | while read -r header; do
        local stem=${header%.h}
        grep -q "_reference" "tests/${stem}_test.cpp" 2>/dev/null || echo "$header"
    done
}

# Format documents that no header names, or whose headers' tests provoke no error.
unnamed_formats() {
    for document in docs/format_*.md; do
        local headers tests
        headers=$(grep -rl --include='*.h' "$document" kernels model eval train)
        [ -n "$headers" ] || echo "$document: no header"
        tests=$(sed 's|^|tests/|; s|\.h$|_test.cpp|' <<<"$headers")
        [ -n "$(grep -lsE 'THROWS|InputError|input_error' $tests)" ] || echo "$document: no corruption test"
    done
}

file_lengths() { sources | xargs wc -l | awk '$2 != "total" { print $1, $2 }' | sort -n; }
# "lines file:first_line" of each function at namespace level, where the house style does not indent.
function_lengths() {
    sources | sort | xargs awk '
        FNR == 1 { inside = 0; start = 0 }
        !inside && !start && /^[A-Za-z_]/ { start = FNR }
        !inside && start {
            if (/^(namespace|extern)/) start = 0
            else if (/\{$/) { inside = 1; is_type = /^(struct|class|enum|union) / }
            else if (/[;}]$/ || /^#/ || /\\$/) start = 0
        }
        inside && /^\}/ { if (!is_type) print FNR - start + 1, FILENAME ":" start; inside = start = 0 }' |
        sort -n
}
p90() { awk '{ n[NR] = $1 } END { print n[int((NR * 9 + 9) / 10)] }'; }

size_row() {
    local files functions bad='' file_p90 function_p90 longest
    files=$(file_lengths) functions=$(function_lengths)
    file_p90=$(p90 <<<"$files") function_p90=$(p90 <<<"$functions")
    longest=$(tail -n 1 <<<"$files")
    [ "$file_p90" -le 400 ] && [ "${longest%% *}" -le 500 ] && [ "$function_p90" -le 40 ] || bad=yes
    row 14 "$(verdict "$bad")" "file p90 <= 400, max 500; function p90 <= 40" \
        "files p90 $file_p90, max ${longest%% *}; functions p90 $function_p90" \
        "$(tail -n 1 <<<"$files" | cut -d' ' -f2), $(tail -n 1 <<<"$functions")"
}

checklist_of_reading() {  # points 1 to 6
    local bad
    bad=$(missing_links)
    row 1 "$(verdict "$bad")" "README to any kernel in four hops" \
        "$(op_headers | wc -l) contracts linked, $(count "$bad") broken" "$(first "$bad")"
    row 2 "NOT RUN" "make demo, make test on a bare machine" "scripts/check_bare_debian.sh does it, as root; last: docs/benchmarks/bare_debian.md"
    bad=$(broken_rules 'include.*|a main is included')
    row 3 "$(verdict "$bad")" "includes point only left" "lint: $(count "$bad") against" "$(first "$bad")"
    bad=$(missing_fields)
    row 4 "$(verdict "$bad")" "kernel headers: formula and all fields" \
        "$(kernel_files | wc -l) kernel files, $(count "$bad") gaps" "$(first "$bad")"
    bad=$(missing_shapes)
    row 5 "$(verdict "$bad")" "every tensor declaration has its shape" \
        "$(op_headers | wc -l) contracts, $(count "$bad") without" "$(first "$bad")"
    bad=$(numbered_kernels)
    row 6 "$([ -z "$bad" ] && echo READ || echo FAIL)" "meaningful names of kernels" \
        "$(count "$bad") numbered" "$(first "$bad")"
}

checklist_of_running() {  # points 7 to 15
    local bad
    bad=$(tests_without_reference)
    row 7 "$([ -z "$bad" ] && echo "NOT RUN" || echo FAIL)" "each op: oracle, gradient, speed" \
        "$(count "$bad") of $(op_headers | wc -l) without oracle; nothing here times ops" "$(first "$bad")"
    bad=$(broken_rules 'no test.*'; grep 'tests/' "$logs/map")
    row 8 "$(verdict "$bad")" "tests mirror the sources" "$(count "$bad") without" "$(first "$bad")"
    bad=$(grep -E '^kernels on simt.* [1-9][0-9]* failed' "$logs/tests")
    row 9 "$([ "${passed[tests]}" = yes ] && echo "NOT RUN" || echo FAIL)" "kernels emulated and checked" \
        "$(grep -cE '^kernels on simt' "$logs/tests") runs on simt, stray accesses stop; races not looked for" "$(first "$bad")"
    row 10 "NOT RUN" "benchmarks: bytes, FLOPs, roofline" "no benchmark of single kernels here"
    bad=$(broken_rules 'raw.*')
    row 11 "$(verdict "$bad")" "no raw allocation or launch outside core" "lint: $(count "$bad")" "$(first "$bad")"
    row 12 READ "memory and shape errors name the tensor" "$(grep -rhE 'ENSURE(_INPUT)?\(' kernels model eval train | wc -l) checks"
    bad=$(unnamed_formats)
    row 13 "$(verdict "$bad")" "formats: document, header, corruption test" \
        "$(ls docs/format_*.md | wc -l) documents, $(count "$bad") gaps" "$(first "$bad")"
    size_row
    bad=$(for name in build format lint lint-test map tests; do [ "${passed[$name]}" = yes ] || echo "$name"; done)
    row 15 "$(verdict "$bad")" "warnings as errors, format, lint, map, tests" \
        "$(tail -n 1 "$logs/tests")" "$(first "$bad")"
}

run_steps
echo
checklist_of_reading
checklist_of_running
[ $failures -eq 0 ] || { echo "check: $failures of 15 points FAIL" >&2; exit 1; }

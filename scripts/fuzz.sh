#!/usr/bin/env bash
# Runs the fuzz targets, two at a time, from tests/fuzz/corpus and what earlier runs found.
#   scripts/fuzz.sh BUILD_FOLDER SECONDS [TARGET...]   a line a target; exit 1 if one found something
#   scripts/fuzz.sh --minimise BUILD_FOLDER [TARGET...]  rewrite tests/fuzz/corpus: the smallest
#                                 inputs that reach all that seeds, runs and crashers reach
#   scripts/fuzz.sh --check       exit 2 and say what is missing if clang cannot link a fuzzer
# A finding is left in tests/fuzz/crashers/TARGET, with which `make test` fails until it is mended.
# FUZZ_FLAGS: further flags of libFuzzer; FUZZ_PARALLEL: targets at once (2).
set -uo pipefail
cd "$(dirname "$0")/.."

# The largest input a target is given; the time of a run goes into small ones.
max_bytes=16384
targets() { for file in tests/fuzz/*_fuzz.cpp; do basename "$file" _fuzz.cpp; done; }

check() {
    local program status=0
    program=$(mktemp)
    echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
        clang++ -x c++ -fopenmp -fsanitize=fuzzer,address,undefined - -o "$program" 2>/dev/null || status=$?
    rm -f "$program"
    [ $status -ne 0 ] || return 0
    echo "fuzz.sh: clang++ cannot link a fuzzer; on Debian: apt-get install clang libclang-rt-14-dev libomp-dev" >&2
    exit 2
}

# The words that a reader looks for: the strings in its source, bare and in JSON's quotes.
dictionary() {
    local files
    case $1 in
        checkpoint) files='train/checkpoint.cpp train/options*.cpp model/io/*.cpp model/config.cpp' ;;
        config) files='model/config*.cpp' ;;
        gguf) files='model/io/*gguf*.cpp model/text/foreign_tokenizer.cpp' ;;
        llama2c) files='model/io/import_llama2c.cpp' ;;
        row) files='model/text/rows.cpp model/text/chat_template.cpp' ;;
        safetensors) files='model/io/safetensors.cpp model/io/tensor_type.cpp' ;;
        tokenizer) files='model/text/*token*.cpp model/text/*sentence*.cpp model/text/chat_template.cpp' ;;
        yaml) files='train/options.cpp model/program/*.cpp' ;;
    esac
    grep -ohE '"[][A-Za-z0-9_.<>|/#=-]{2,40}"' $files | sort -u | grep -v '\.h"' |
        sed -E 's/^"(.*)"$/"\1"\n"\\"\1\\""/'
    printf '%s\n' '"\x0a=== "' '"=== "' '"NaN"' '"1e999"' '"-1"' '"9223372036854775807"' '"null"'
}

# run TARGET: libFuzzer's own output goes to build/fuzz/TARGET.log, the line about it to stdout.
run() {
    local name=$1 status=0 log=$work/$1.log
    mkdir -p "$work/corpus/$name" "tests/fuzz/crashers/$name"
    dictionary "$name" >"$work/$name.dict"
    "$build/fuzz_$name" -max_total_time="$seconds" -max_len=$max_bytes -rss_limit_mb=1024 \
        -timeout=60 -report_slow_units=60 -print_final_stats=1 -dict="$work/$name.dict" \
        -artifact_prefix="tests/fuzz/crashers/$name/" ${FUZZ_FLAGS:-} \
        "$work/corpus/$name" $(ls -d "tests/fuzz/corpus/$name" "tests/fuzz/crashers/$name" 2>/dev/null) \
        >"$log" 2>&1 || status=$?
    rmdir "tests/fuzz/crashers/$name" 2>/dev/null
    local executions
    executions=$(sed -nE 's/^stat::number_of_executed_units: +([0-9]+)/\1/p' "$log")
    printf '%-12s %9s executions, coverage %s, ' "$name" "${executions:-?}" \
        "$(sed -nE 's/.* (cov: [0-9]+ ft: [0-9]+ corp: [0-9]+).*/\1/p' "$log" | tail -n 1)"
    [ $status -eq 0 ] && { echo clean; return 0; }
    echo "FOUND SOMETHING"
    local input
    input=$(sed -nE "s|.*Test unit written to ||p" "$log" | tail -n 1)
    grep -E 'ERROR:|runtime error|what\(\):|SUMMARY' "$log" | head -n 4 | sed 's/^/    /'
    echo "    reproduce: $build/fuzz_$name ${input:-(no input; see $log)}"
    return 1
}

fuzz() {
    local failed=0 running=0
    for name in "$@"; do
        if [ $running -ge "${FUZZ_PARALLEL:-2}" ]; then
            wait -n || failed=1
            running=$((running - 1))
        fi
        run "$name" &
        running=$((running + 1))
    done
    while [ $running -gt 0 ]; do
        wait -n || failed=1
        running=$((running - 1))
    done
    return $failed
}

# Edges of the code count, not how often each was taken, and of what runs found only inputs up to
# 2 KiB: thousands become dozens that a repository can hold.
minimise() {
    rm -rf "$work/seeds"
    "$build/fuzz_seeds" "$work/seeds" || exit 1
    local name found
    for name in "$@"; do
        local new=$work/minimised/$name pool=$work/pool
        rm -rf "$new" "$pool" && mkdir -p "$new" "$pool"
        for found in "$work/corpus/$name" "tests/fuzz/"{corpus,crashers}"/$name"; do
            [ ! -d "$found" ] || find "$found" -type f -size -2049c -exec cp -t "$pool" {} +
        done
        "$build/fuzz_$name" -set_cover_merge=1 -use_counters=0 -max_len=$max_bytes \
            -rss_limit_mb=1024 -timeout=300 -artifact_prefix="$work/" \
            "$new" "$work/seeds/$name" "$pool" >"$work/$name.merge.log" 2>&1 ||
            { tail -n 5 "$work/$name.merge.log" >&2; exit 1; }
        rm -rf "tests/fuzz/corpus/$name" && mkdir -p tests/fuzz/corpus
        cp -r "$new" "tests/fuzz/corpus/$name"
        echo "$name: $(ls "$new" | wc -l) inputs, $(cat "$new"/* | wc -c) bytes"
    done
}

[ "${1:-}" = --check ] && { check; exit 0; }
mode=fuzz
[ "${1:-}" = --minimise ] && { mode=minimise; shift; }
build=${1:?usage: scripts/fuzz.sh BUILD_FOLDER SECONDS [TARGET...]}
shift
[ $mode = minimise ] || { seconds=${1:?}; shift; }
work=$build/fuzz
mkdir -p "$work"
# Readers that want files get them in memory.
export OMP_NUM_THREADS=1 TMPDIR
TMPDIR=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
trap 'rm -rf "$TMPDIR"' EXIT
[ $# -gt 0 ] || set -- $(targets)
$mode "$@"

#!/usr/bin/env bash
# Runs the built tests and says what it skipped and why.
#   scripts/test.sh quick|emulated|all BUILD_FOLDER BIN_FOLDER
# quick: in minutes. emulated: every access of the kernels judged, what nvcc made of them interpreted,
# whole models on the emulator. all: both, and what takes long.
# The last line is "N passed, N failed, N skipped"; exit 1 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
mode=$1 build=$2 bin=$3
passed=0 failed=0 skipped=0
log=$(mktemp) check_log=$(mktemp)
trap 'rm -f "$log" "$check_log"; kill $(jobs -p) 2>/dev/null' EXIT

# tally_doctest NAME STATUS SECONDS: what $log says; its summary line has the numbers of cases.
tally_doctest() {
    local name=$1 status=$2 seconds=$3 summary
    summary=$(grep -E '^\[doctest\] test cases:' "$log" | tail -n 1)
    local good bad
    good=$(sed -nE 's/.*\| +([0-9]+) passed.*/\1/p' <<<"$summary")
    bad=$(sed -nE 's/.*\| +([0-9]+) failed.*/\1/p' <<<"$summary")
    if [ -z "$good" ] || [ "$((good + bad))" -eq 0 ]; then  # it died, or ran nothing
        good=${good:-0} bad=1
    elif [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad))
    echo "$name: $good passed, $bad failed ($seconds s)"
    grep -E '^skipped' "$log" | sort -u
    skipped=$((skipped + $(grep -cE '^skipped' "$log")))
    [ "$bad" -eq 0 ] || tail -n 40 "$log"
}

count_doctest() {  # NAME COMMAND...
    local name=$1 start=$SECONDS status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    tally_doctest "$name" $status $((SECONDS - start))
}

# count_script NAME COMMAND...: a script's last line may say "N passed, N failed"; else its status counts.
count_script() {
    local name=$1
    shift
    local start=$SECONDS status=0
    "$@" >"$log" 2>&1 || status=$?
    local good bad
    good=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1/p' "$log" | tail -n 1)
    bad=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\2/p' "$log" | tail -n 1)
    if [ -z "$good" ]; then
        [ $status -eq 0 ] && good=1 bad=0 || good=0 bad=1
    elif [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad))
    echo "$name: $good passed, $bad failed ($((SECONDS - start)) s)"
    grep -E '^skipped' "$log" | sort -u
    skipped=$((skipped + $(grep -cE '^skipped' "$log")))
    [ "$bad" -eq 0 ] || tail -n 40 "$log"
}

# Quantised weights are read as stored on the cpu only. Not checked: what takes minutes there, or
# compares numbers of OS threads, of which a check build has one. Not interpreted: tests that launch
# no kernel of a .cu file or all kernels many times.
on_device='-tce=quantized*'
checked='-tce=quantized*,matmul: an output of many tiles*,matmul: what is larger*,sample: draws follow*,*the number of threads changes no*,exp_fast*'
interpreted="$on_device,simt*,bench_cases: no order*,Fiber*,pack*"

quick_tests() {
    count_doctest "kernels on cpu" "$build/test_kernels" -tce='attention_forward on tensor cores*'
    count_doctest "kernels on simt" "$build/test_kernels" --device simt "$on_device"
    count_doctest "kernels on simt, another schedule" \
        "$build/test_kernels" --device simt --schedule_seed 1 "$on_device"
    if "$build/test_kernels" --device cuda --list-test-cases >"$log" 2>&1; then
        count_doctest "kernels on cuda" "$build/test_kernels" --device cuda "$on_device"
    else
        echo "skipped: kernels on cuda ($(tail -n 1 "$log"))"
        skipped=$((skipped + 1))
    fi
    count_doctest "model, eval, train" "$build/test_host"
    count_script "no symbol in two devices" tests/symbol_clash.sh "$build"
    count_script "symbol clash self-test" tests/symbol_clash.sh --self-test
    count_script "--device" tests/device_flag.sh "$build/test_kernels"
    count_script "lint self-test" scripts/lint.sh --self-test
    export FETTLE_HOSTILE=$PWD/$build/hostile
    for script in tests/end_to_end/*.sh; do
        [[ -f $script && $(basename "$script") != lib* ]] || continue
        if [ "$mode" = quick ] && grep -q '^# slow' "$script"; then
            echo "skipped: $script (slow; make test-all runs it)"
            skipped=$((skipped + 1))
            continue
        fi
        count_script "$script" "$script" "$bin"
    done
}

emulated_tests() {
    make CONFIG=check CUDA=0 build/check-nocuda/test_kernels >"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }
    # Another order of blocks and threads for each commit; races are found in any. It has one OS
    # thread, so the rest runs beside it.
    local seed start=$SECONDS status=0
    seed=$((16#$(git rev-parse --short=7 HEAD 2>/dev/null | grep -xE '[0-9a-f]+' || date +%y%j) + 1))
    build/check-nocuda/test_kernels --device simt --schedule_seed $seed "$checked" >"$check_log" 2>&1 &
    count_doctest "whole models on simt" "$build/test_host" --device simt \
        -tc='transformer*,optimizer*,import_llama2c: stories260K*'
    if grep -q -- -DFETTLE_WITH_CUDA=1 "$build/flags.txt"; then
        make ptx >"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }
        count_doctest "kernels on simt, nvcc's PTX" "$build/test_kernels" --device simt \
            --ptx build/ptx "$interpreted"
    else
        echo "skipped: nvcc's PTX (a build without nvcc)"
        skipped=$((skipped + 1))
    fi
    wait $! || status=$?
    cp "$check_log" "$log"
    tally_doctest "kernels on simt, checked, schedule $seed" $status $((SECONDS - start))
}

[ "$mode" = emulated ] || quick_tests
[ "$mode" = quick ] || emulated_tests
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

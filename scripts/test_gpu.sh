#!/usr/bin/env bash
# Everything that only a GPU can say, unattended, most informative first; over after five minutes
# (FETTLE_GPU_SECONDS=300). A stage that fails stops no other. Raw outputs go to one file a stage.
#
#     scripts/test_gpu.sh [--tests build/release] [--bin bin] [--output gpu_results]
#
# Exit status: 0 if every stage passed, 1 if one did not, 2 if no GPU answers. The sanitizers are
# those on $PATH, or of the toolkit, or of PyPI's nvidia-cuda-sanitizer-api.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
tests=build/release bin=bin output=gpu_results seconds=${FETTLE_GPU_SECONDS:-300}

fail() { echo "test_gpu.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
        --tests|--bin|--output)
            [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done
"$tests/test_kernels" --device cuda --list-test-cases >/dev/null || exit 2
mkdir -p "$output" || fail "$output: cannot be made"
failed=0 start=$SECONDS

# Of 300 seconds, those that are kept for each stage, whatever the ones before it do. What they leave
# is for the next one.
declare -A kept=([device]=10 [probes]=50 [kernels]=70 [models]=30 [losses]=30 [repeats]=20
    [sanitizer]=10 [memcheck]=25 [racecheck]=25 [synccheck]=15 [initcheck]=15)
kept_for_later=300

# stage NAME COMMAND...: what it prints to NAME.txt, how it ended to the terminal. The programs take
# SIGTERM for a wish to stop between two steps, which one that hangs never sees: all that a stage
# started is killed, so that nothing of it is on the GPU under the next one.
stage() {
    local name=$1 status=0 begin=$SECONDS limit
    shift
    kept_for_later=$((kept_for_later - kept[$name]))
    limit=$((seconds - (SECONDS - start) - kept_for_later * seconds / 300))
    [ $limit -gt 0 ] || limit=1
    { echo "\$ $*"; timeout -s KILL "$limit" bash -c '"$@"' stage "$@"; } >"$output/$name.txt" 2>&1 ||
        status=$?
    [ $status -ne 137 ] || echo "stopped after $limit seconds" >>"$output/$name.txt"
    [ $status -eq 0 ] || failed=1
    echo "$([ $status -eq 0 ] && echo passed || echo "FAILED ($status)")  $name ($((SECONDS - begin)) s)" \
        "$(grep -E '^\[doctest\] test cases' "$output/$name.txt" | tail -n 1)"
}

# limited SECONDS COMMAND...: within a stage, in its process group, with which it is killed.
limited() { timeout --foreground -s KILL "$@"; }

# Every instruction alone: what it left to $output/probes/. What traps or hangs takes its process
# with it, so those that left nothing run again, each in a process of its own.
probes() {
    local name run=("$tests/test_kernels" --device cuda -tc='probe: an instruction*')
    export FETTLE_PROBES=$output/probes
    rm -rf "$FETTLE_PROBES"
    limited 30 "${run[@]}" && return
    for name in $(basename -s .txt tests/golden/probes/*.txt); do
        [ -e "$FETTLE_PROBES/$name.txt" ] || limited 5 "${run[@]}" -sc="$name" ||
            echo "FAILED ($?)  $name"
    done
    return 1
}

# Every kernel against its reference. An error of the device is the process's for good, so each file
# of tests has a process of its own. The emulator's tests know no device.
kernels() {
    local file files status=0
    local run=("$tests/test_kernels" --device cuda -tce='quantized*,probe*,bench_cases: no order*'
        -sfe='*tests/kernels/simt/*')
    files=$(limited 10 "${run[@]}" -ltc -r=xml | sed -n 's/.*filename="\([^"]*\)".*/\1/p' | sort -u)
    [ -n "$files" ] || { echo "the tests cannot be listed"; return 1; }
    for file in $files; do
        echo "$file"
        limited 15 "${run[@]}" -sf="*$file" -m -d && continue
        echo "FAILED ($?)  $file"
        status=1
    done
    return "$status"
}

# Where a compute-sanitizer is, or PyPI's.
find_sanitizer() {
    command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null && return
    limited 60 pip install -q --no-deps --target "$output/sanitizer" nvidia-cuda-sanitizer-api || return
    find "$output/sanitizer" -name compute-sanitizer -type f -exec chmod +x {} + -print | grep .
}

# The demo's model trained for ten steps there and on the cpu: the same losses to 1e-4.
same_losses() {
    local device
    for device in cpu cuda; do
        "$bin/train" --device "$device" --model train/demo/base \
            --train_data train/demo/shakespeare.txt --max_steps 10 --max_length 128 \
            --per_device_train_batch_size 8 --learning_rate 1e-3 --logging_steps 1 \
            --save_strategy no --report_to none --output_dir "$output/run_$device" || return 1
        grep -o '"loss":[0-9.]*' "$output/run_$device/metrics.jsonl" | cut -d: -f2 \
            >"$output/losses_$device.txt"
    done
    paste "$output"/losses_{cpu,cuda}.txt
    awk 'NR == FNR { cpu[FNR] = $1; next }
         { d = $1 / cpu[FNR] - 1; if (d > 1e-4 || d < -1e-4) bad = 1 }
         END { exit bad || FNR != 10 }' "$output"/losses_{cpu,cuda}.txt
}

export -f limited probes kernels same_losses find_sanitizer
export tests bin output

stage device nvidia-smi
stage probes probes
grep -E '^(agrees|DIFFERS|skipped|FAILED)' "$output/probes.txt"
stage kernels kernels
grep -E '^FAILED' "$output/kernels.txt"
stage models "$tests/test_host" --device cuda -d \
    -tc='transformer*,optimizer*,import_llama2c: stories260K*'
stage losses same_losses
stage repeats "$tests/test_kernels" --device cuda -tc='bench_cases: no order*'
stage sanitizer find_sanitizer
sanitizer=$(grep -m 1 '/compute-sanitizer$' "$output/sanitizer.txt")
small='-tc=layernorm*,rmsnorm*,adamw*,embedding*,cross_entropy: agrees*,attention_*: agrees*,sample: a*'
for tool in memcheck racecheck synccheck initcheck; do
    if [ -z "$sanitizer" ]; then
        echo "not run  $tool: no compute-sanitizer" | tee "$output/$tool.txt"
        failed=1
    else
        stage $tool "$sanitizer" --tool $tool --target-processes all --error-exitcode 9 \
            "$tests/test_kernels" --device cuda "$small"
    fi
done
exit $failed

#!/usr/bin/env bash
# Everything that only a GPU can say, unattended, in about five minutes; most informative first. A
# stage that fails stops no other. Raw outputs go to one file a stage.
#
#     scripts/test_gpu.sh [--tests build/release] [--bin bin] [--output gpu_results]
#
# Exit status: 0 if every stage passed, 1 if one did not, 2 if no GPU answers. The sanitizers are
# those on $PATH, or of the toolkit, or of PyPI's nvidia-cuda-sanitizer-api.
set -uo pipefail
cd "$(dirname "$0")/.."
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

# stage NAME SECONDS COMMAND...: what it prints to NAME.txt, how it ended to the terminal. One that
# hangs takes no more than its own seconds from the others.
stage() {
    local name=$1 most=$2 status=0 begin=$SECONDS left=$((seconds - (SECONDS - start)))
    shift 2
    if [ $left -le 0 ]; then
        echo "not run  $name: $seconds seconds are over" | tee "$output/$name.txt"
        failed=1
        return
    fi
    [ $left -le $most ] || left=$most
    { echo "\$ $*"; timeout -k 5 $left bash -c '"$@"' stage "$@"; } >"$output/$name.txt" 2>&1 ||
        status=$?
    [ $status -eq 0 ] || failed=1
    echo "$([ $status -eq 0 ] && echo passed || echo "FAILED ($status)")  $name ($((SECONDS - begin)) s)" \
        "$(grep -E '^\[doctest\] test cases' "$output/$name.txt" | tail -n 1)"
}

# Every instruction alone: what it left to $output/probes/. What traps or hangs takes its process
# with it, so those that left nothing run again, each in a process of its own.
probes() {
    local name run=("$tests/test_kernels" --device cuda -tc='probe: an instruction*')
    export FETTLE_PROBES=$output/probes
    rm -rf "$FETTLE_PROBES"
    timeout -k 5 60 "${run[@]}" && return
    for name in $(basename -s .txt tests/golden/probes/*.txt); do
        [ -e "$FETTLE_PROBES/$name.txt" ] || timeout -k 5 10 "${run[@]}" -sc="$name" ||
            echo "FAILED ($?)  $name"
    done
    return 1
}

# Every kernel against its reference. An error of the device is the process's for good, so after a
# failure each file of tests has a process of its own.
kernels() {
    local file status=0 run=("$tests/test_kernels" --device cuda -tce='quantized*,probe*,bench_cases: no order*')
    timeout -k 5 60 "${run[@]}" -d && return
    echo "each file alone:"
    for file in $("${run[@]}" -ltc -r=xml | sed -n 's/.*filename="\([^"]*\)".*/\1/p' | sort -u); do
        timeout -k 5 20 "${run[@]}" -sf="*$file" -m >"$output/kernels_alone.txt" 2>&1 && continue
        status=1
        echo "FAILED  $file"
        tail -n 40 "$output/kernels_alone.txt"
    done
    return $status
}

# The demo's model trained for ten steps there and on the cpu: the same losses to 1e-4.
same_losses() {
    local device
    for device in cpu cuda; do
        "$bin/train" --device $device --model train/demo/base \
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

export -f probes kernels same_losses
export tests bin output

stage device 20 nvidia-smi
stage probes 60 probes
grep -E '^(agrees|DIFFERS|skipped|FAILED)' "$output/probes.txt"
stage kernels 120 kernels
stage models 60 "$tests/test_host" --device cuda -d \
    -tc='transformer*,optimizer*,import_llama2c: stories260K*'
stage losses 40 same_losses
stage repeats 60 "$tests/test_kernels" --device cuda -tc='bench_cases: no order*'
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
if [ -z "$sanitizer" ] && command -v pip >/dev/null; then
    timeout 60 pip install -q --no-deps --target "$output/sanitizer" nvidia-cuda-sanitizer-api >/dev/null 2>&1
    sanitizer=$(find "$output/sanitizer" -name compute-sanitizer -type f 2>/dev/null | head -n 1)
    [ -z "$sanitizer" ] || chmod +x "$sanitizer"
fi
small='-tc=layernorm*,rmsnorm*,adamw*,embedding*,cross_entropy: agrees*,attention_*: agrees*,sample: a*'
for tool in memcheck racecheck synccheck initcheck; do
    if [ -z "$sanitizer" ]; then
        echo "not run  $tool: no compute-sanitizer" | tee "$output/$tool.txt"
        failed=1
    else
        stage $tool 40 "$sanitizer" --tool $tool --target-processes all --error-exitcode 9 \
            "$tests/test_kernels" --device cuda "$small"
    fi
done
exit $failed

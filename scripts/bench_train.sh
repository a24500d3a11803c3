#!/usr/bin/env bash
# CPU training speed and peak memory, Fettle beside PyTorch, in turn on the same machine.
#
#     scripts/bench_train.sh --tokenizer DIR --train_data FILE.txt [--rounds 3] [--steps 12]
#                            [--threads 2] [--python python3] [--output FILE.md] [--torch_only]
#
# GPT-2 with L=6 C=384 H=6 T=256 B=4 V=50,257, AdamW, clipping, no dropout. Every round runs PyTorch
# eager, PyTorch compiled and Fettle in fp32, then PyTorch compiled under autocast and Fettle in
# bf16, so that a busy machine disturbs all alike; each figure is the median over a run's steps
# without the first three, then over the rounds. Needs the
# packages of scripts/requirements.txt, GNU time, and bin/train. DIR holds GPT-2's tokenizer.
# Writes docs/benchmarks/train_cpu.md.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=3 steps=12 threads=2 python=python3 output=docs/benchmarks/train_cpu.md
tokenizer='' train_data='' torch_only=''
warmup_steps=3

fail() { echo "bench_train.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        --torch_only) torch_only=1; shift; continue ;;
        --rounds|--steps|--threads|--python|--output|--tokenizer|--train_data)
            [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done

"$python" -c 'import torch, transformers' 2>/dev/null ||
    fail "--python $python: torch or transformers missing; see scripts/requirements.txt"
if [ -z "$torch_only" ]; then
    [ -x bin/train ] || fail "bin/train: not built; run make"
    [ -x /usr/bin/time ] || fail "/usr/bin/time: not found; install GNU time (package 'time')"
    [ -d "$tokenizer" ] || fail "--tokenizer '$tokenizer': expected a folder with GPT-2's tokenizer"
    [ -f "$train_data" ] || fail "--train_data '$train_data': expected a text file"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/config.json" <<'JSON'
{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50257,
 "n_positions": 256, "n_embd": 384, "n_layer": 6, "n_head": 6, "activation_function": "gelu_new",
 "layer_norm_epsilon": 1e-05, "tie_word_embeddings": true, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
 "attn_pdrop": 0.0, "bos_token_id": 50256, "eos_token_id": 50256}
JSON

# number KEY: its value in each line of JSON on stdin
number() { sed -n "s/.*\"$1\": *\([0-9.eE+-]*\).*/\1/p"; }
median() {
    sort -g | awk '{v[NR] = $1} END {if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'
}
megabytes() { awk "BEGIN{printf \"%.0f\", $1 / 1e6}"; }

# Results go to $work/NAME.{speed,peak}, one line a round.
record() {  # name, tokens per second, peak bytes
    [ -n "$2" ] && [ -n "$3" ] || { echo "bench_train.sh: $1 printed no figures" >&2; exit 1; }
    echo "$2" >> "$work/$1.speed"
    echo "$3" >> "$work/$1.peak"
    printf '%-10s %8.1f tokens/s  %6.0f MB peak\n' "$1" "$2" "$(megabytes "$3")" >&2
}

run_torch() {  # name, extra flags
    local name=$1; shift
    OMP_NUM_THREADS=$threads "$python" scripts/bench_torch.py --config "$work/config.json" \
        --threads "$threads" --steps "$steps" --warmup_steps "$warmup_steps" "$@" > "$work/line"
    number sgemm_gflops < "$work/line" >> "$work/sgemm"
    record "$name" "$(number tokens_per_second < "$work/line")" \
        "$(number peak_rss_bytes < "$work/line")"
}

run_fettle() {  # name, precision
    rm -rf "$work/run"
    /usr/bin/time -f %M -o "$work/peak_kb" bin/train --device cpu --threads "$threads" \
        --precision "$2" --init "$work/config.json" --tokenizer "$tokenizer" \
        --train_data "$train_data" --max_length 256 --per_device_train_batch_size 4 \
        --max_steps $((steps + warmup_steps)) --learning_rate 1e-4 --logging_steps 1 \
        --save_steps 1000000 --report_to none --output_dir "$work/run" > "$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
    record "$1" \
        "$(number tokens_per_second < "$work/run/metrics.jsonl" |
            tail -n +$((warmup_steps + 1)) | median)" \
        $(($(tail -n 1 "$work/peak_kb") * 1024))
}

for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds" >&2
    run_torch eager
    run_torch compiled --compile
    [ -n "$torch_only" ] || run_fettle fettle fp32
    run_torch compiled_bf16 --compile --bf16
    [ -n "$torch_only" ] || run_fettle fettle_bf16 bf16
done

ratio() { awk "BEGIN{printf \"%.2f\", $1 / $2}"; }
row() {  # label, name
    local speed peak
    speed=$(median < "$work/$2.speed") peak=$(median < "$work/$2.peak")
    printf '| %s | %.1f | %s | %s | %s | %s |\n' "$1" \
        "$speed" "$(ratio "$speed" "$eager_speed")" \
        "$(megabytes "$peak")" "$(ratio "$peak" "$eager_peak")" \
        "$(awk '{printf "%s%.0f", (NR > 1 ? ", " : ""), $1}' "$work/$2.speed")"
}
eager_speed=$(median < "$work/eager.speed") eager_peak=$(median < "$work/eager.peak")
table() {
    echo "| | tokens/s | × eager | peak MB | × eager | rounds, tokens/s |"
    echo "|---|---|---|---|---|---|"
    row "PyTorch eager" eager
    row "PyTorch compiled" compiled
    [ -n "$torch_only" ] || row "Fettle" fettle
    row "PyTorch compiled, bf16 autocast" compiled_bf16
    [ -n "$torch_only" ] || row "Fettle, bf16" fettle_bf16
}
table
[ -z "$torch_only" ] || exit 0

machine() {
    echo "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores," \
        "$(awk '/MemTotal/{printf "%.0f", $2 / 1048576}' /proc/meminfo) GiB;" \
        "$(. /etc/os-release; echo "$PRETTY_NAME")"
}
versions() {
    "$python" -c 'import torch, transformers
print(f"torch {torch.__version__}, transformers {transformers.__version__}")'
}
commit() {
    git rev-parse --short HEAD
    git diff --quiet HEAD -- || echo "with uncommitted changes"
}

mkdir -p "$(dirname "$output")"
cat > "$output.new" <<MARKDOWN
# Training speed on the CPU

GPT-2, L=6 C=384 H=6 T=256 B=4 V=50,257 (30.0 M parameters), AdamW, clipping at 1.0, no
dropout, $threads threads. Medians over $rounds alternating rounds of $steps timed steps each; the
first $warmup_steps steps of a run, and with them compilation, are left out. Peak is the process's
resident memory.

$(table)

- PyTorch is transformers' GPT2LMHeadModel with sdpa attention; its peak contains
  $(megabytes "$(number import_rss_bytes < "$work/line")") MB of libraries.
- Matrix products of 2048³ in the same runs: $(median < "$work/sgemm") GFLOP/s, lowest
  $(sort -g "$work/sgemm" | head -n 1), highest $(sort -g "$work/sgemm" | tail -n 1): how evenly the
  machine ran.
- Fettle in fp32: 6 N tokens/s = $(awk "BEGIN{printf \"%.1f\", 6 * 30.044544e6 * $(median < "$work/fettle.speed") / 1e9}") GFLOP/s,
  $(awk "BEGIN{printf \"%.2f\", 6 * 30.044544e6 * $(median < "$work/fettle.speed") / 1e9 / $(median < "$work/sgemm")}") of the matrix products' rate; in bf16 $(ratio "$(median < "$work/fettle_bf16.speed")" "$(median < "$work/compiled_bf16.speed")") x PyTorch's compiled bf16.
- Machine: $(machine).
- Versions: $(versions), Fettle at $(commit | paste -sd' ').
- Command: \`scripts/bench_train.sh --tokenizer GPT2 --train_data $train_data --rounds $rounds --steps
  $steps --threads $threads\`, GPT2 a folder with GPT-2's tokenizer.
MARKDOWN
mv "$output.new" "$output"
echo "written: $output" >&2

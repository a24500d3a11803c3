#!/usr/bin/env bash
# The programs on the simt device, where the cuda kernels run emulated on the CPU: the demo trains,
# is judged and writes as it does on the cpu.
#   tests/end_to_end/simt.sh BIN_FOLDER
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$(dirname "$0")/lib.sh"

head -c 4000 "$root/train/demo/shakespeare.txt" >plays.txt
head -c 500 "$root/train/demo/eval/shakespeare.txt" >play.txt

# train DEVICE: three steps of the demo's model, evaluated before and after; losses to DEVICE.txt.
train() {
    "$bin/train" --device "$1" --model "$root/train/demo/base" --train_data plays.txt \
        --eval_data play.txt --eval_steps 3 --max_steps 3 --max_length 64 \
        --per_device_train_batch_size 4 --learning_rate 1e-3 --logging_steps 1 --save_strategy no \
        --report_to none --output_dir "$1" 2>"$1.err" || { tail -2 "$1.err"; return 1; }
    grep -oE '"(eval_)?loss":[0-9.]+' "$1/metrics.jsonl" | cut -d: -f2 >"$1.txt"
}
check "the demo's model trains on cpu" train cpu
check "the demo's model trains on simt" train simt
check "with the cpu's five losses to 1e-5" awk '
    NR == FNR { cpu[FNR] = $1; next }
    { d = $1 / cpu[FNR] - 1; if (d > 1e-5 || d < -1e-5) { print FNR, cpu[FNR], $1; bad = 1 } }
    END { exit !(FNR == 5 && !bad) }' cpu.txt simt.txt
check "run.json says where" grep -q '"device": "simt"' simt/run.json

for device in cpu simt; do
    "$bin/generate" --device $device --model cpu --prompt 'ROMEO:' --temperature 0 \
        --max_new_tokens 16 >$device.text 2>$device.err || tail -1 $device.err
    "$bin/eval" --device $device --model cpu --suite perplexity=play.txt 2>$device.err |
        sed -n 's/.*"nats_per_token": \([0-9.]*\).*/\1/p' >$device.nats
done
check "generation on simt writes what it writes on the cpu" cmp cpu.text simt.text
check "evaluation on simt gives the cpu's nats per token to 1e-5" awk '
    NR == FNR { cpu = $1; next } { d = $1 / cpu - 1; exit !(cpu > 1 && d < 1e-5 && d > -1e-5) }' \
    cpu.nats simt.nats
finish

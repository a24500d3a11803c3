#!/usr/bin/env bash
# Data whose tokens do not stay in memory: where they go, and what happens where there is no room.
#   tests/end_to_end/large_data.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
make_inputs
make_text large.txt 9 12000
mkdir scratch
# Rows, tokens: more than 32 MiB of them.
many=(--train_data large.txt:32 --max_length 64 --per_device_train_batch_size 2)
train() {
    "$bin/train" --init config.json --tokenizer tokenizer --threads 2 --learning_rate 1e-3 \
        --lr_scheduler_type constant "$@"
}
tokens_of() { sed -n 's/^data: .* rows of \([0-9,]*\) tokens.*/\1/p' "$1" | tr -d ,; }

large() {
    TMPDIR=$work/scratch train "${many[@]}" --max_steps 4 --output_dir whole 2>whole.err ||
        { tail -1 whole.err; return 1; }
    [ "$(tokens_of whole.err)" -gt 8400000 ] || { echo "$(tokens_of whole.err) tokens"; return 1; }
    [ -z "$(ls -A scratch)" ] || { echo "left behind: $(ls -A scratch)"; return 1; }
}
check "tokens beyond memory train, and nothing stays behind" large
resumed() {
    train "${many[@]}" --max_steps 2 --output_dir halves 2>halves.err &&
        train "${many[@]}" --max_steps 4 --output_dir halves --resume_from_checkpoint latest \
            2>halves.err || { tail -1 halves.err; return 1; }
    cmp whole/model.safetensors halves/model.safetensors
}
check "a run on them resumes with the same bits" resumed

killed() {
    local pid i
    (TMPDIR=$work/scratch; export TMPDIR
     train "${many[@]}" --max_steps 100000 --output_dir killed --save_steps 100000 \
         --logging_steps 1 2>killed.err) &
    pid=$!
    for ((i = 0; i < 600; ++i)); do
        [ -s killed/metrics.jsonl ] && break
        sleep 0.05
    done
    [ -s killed/metrics.jsonl ] || { echo "no step within 30 s"; tail -1 killed.err; }
    pkill -9 -P $pid
    wait $pid 2>/dev/null
    [ -z "$(ls -A scratch)" ] || { echo "left behind: $(ls -A scratch)"; return 1; }
}
check "kill -9 leaves none of them behind" killed

head -c 100000000 /dev/zero | tr '\0' a >letters.txt
refused "100 MB without a place to cut" "letters.txt: found 32 MiB without a space" "$bin/train" \
    --init config.json --tokenizer tokenizer --train_data letters.txt --max_length 64 --dry_run \
    --output_dir out
rm letters.txt

TMPDIR=$work/nowhere refused "TMPDIR that is not there" "$work/nowhere|TMPDIR" \
    "$bin/train" --init config.json --tokenizer tokenizer "${many[@]}" --dry_run --output_dir out
mkdir small
if mount -t tmpfs -o size=16m tmpfs "$work/small" 2>/dev/null; then
    mounts+=("$work/small")
    TMPDIR=$work/small refused "TMPDIR too small" "$work/small|No space left|TMPDIR" \
        "$bin/train" --init config.json --tokenizer tokenizer "${many[@]}" --dry_run \
        --output_dir out
    check "and it is empty again" [ -z "$(ls -A small)" ]
else
    skip "full disks: mounting is not allowed here"
fi
finish

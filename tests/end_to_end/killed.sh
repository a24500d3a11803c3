#!/usr/bin/env bash
# Exports, imports, checkpoints and results that are cut off while they are written, by kill -9 at a
# random moment, at a chosen byte, or by a full disk: what was complete stays usable, what was
# begun is absent, and the same command then succeeds and leaves nothing behind.
#   tests/end_to_end/killed.sh BIN_FOLDER [SEED]
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
ulimit -c 0
RANDOM=${2:-4}
echo "# kill moments are drawn from seed ${2:-4}"
make_inputs
make_hostile
sed -i 's/"n_embd": 32/"n_embd": 192/; s/"n_layer": 2/"n_layer": 4/' config.json  # 7 MB of weights
make_model
right() { awk -F'\t' -v kind="$1" '$1 == kind { print $3 }' hostile/table.tsv; }

convert=("$bin/export" convert --model model --dtype bf16 --threads 1 --output_dir)
gguf=("$bin/export" import --from gguf --model "$(right right_gguf)" --output_dir)
llama2c=("$bin/export" import --from llama2c --model "$(right right_llama2c)/model.bin"
    --tokenizer "$(right right_llama2c)/tokenizer.bin" --output_dir)
bpe=("$bin/tokenize" --train_bpe train.txt --vocab_size 300 --output_dir)
evaluate=("$bin/eval" --model model --suite perplexity=eval.txt --threads 1 --output)
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
wait_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

# usable: `target`, if it is there, is what the command writes when it is left alone, `whole`.
usable() { [ ! -e target ] || diff -r whole target; }
# recovers COMMAND: it was cut off. Nothing or all is there; the command now succeeds and cleans up.
recovers() {
    usable || { echo "half of it is there"; return 1; }
    if [ ! -e target ]; then "$@" target >again.log 2>&1 || { tail -1 again.log; return 1; }; fi
    diff -r whole target || return 1
    local left
    left=$(find . -path ./hostile -prune -o -name '*.partial*' -print)
    [ -z "$left" ] || { echo "left behind: $left"; return 1; }
    rm -rf target
}

# killed_at_random KILLS COMMAND...: kill -9 at a moment of the time that it takes, until that many
# have died; one that ends before is given less time.
killed_at_random() {
    local kills=$1 begin duration pid killed=0
    shift
    begin=$(milliseconds)
    "$@" whole >whole.log 2>&1 || { tail -1 whole.log; return 1; }
    duration=$(($(milliseconds) - begin))
    while [ $killed -lt "$kills" ]; do
        "$@" target >killed.log 2>&1 &
        pid=$!
        wait_ms $((RANDOM % (duration + 2)))
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        if [ $? -eq 137 ]; then
            killed=$((killed + 1))
        else
            duration=$((duration * 3 / 4))
        fi
        recovers "$@" || return 1
    done
}

# killed_at_size COMMAND...: the kernel ends it at the first byte that a file has too many, with a
# signal that nobody handles (SIGXFSZ): at each size that one of its files reaches.
killed_at_size() {
    local kilobytes deaths=0 sizes status
    "$@" whole >whole.log 2>&1 || { tail -1 whole.log; return 1; }
    sizes=$(find whole -type f -printf '%s\n' |
        awk '{ for (part = 0; part < 3; ++part) print int(($1 - 1) * part / 2 / 1024) }' | sort -nu)
    for kilobytes in $sizes; do
        (ulimit -f "$kilobytes" && exec "$@" target) 2>killed.log >&2
        status=$?
        [ $status -eq 153 ] || { echo "at $kilobytes KiB: exit $status"; return 1; }
        deaths=$((deaths + 1))
        [ ! -e target ] || { echo "at $kilobytes KiB: target is there"; ls target; return 1; }
        recovers "$@" || { echo "at $kilobytes KiB"; return 1; }
    done
    [ $deaths -ge 2 ] || { echo "it died $deaths times only"; return 1; }
}

for name in convert gguf llama2c; do
    declare -n command=$name
    check "$name: what it writes is a model" eval '"${command[@]}" whole &&
        "$bin/generate" --model whole --prompt "the sea" --max_new_tokens 1 --threads 1'
    rm -rf whole
done
for name in convert gguf llama2c bpe evaluate; do
    declare -n command=$name
    check "$name: killed at 12 random moments" killed_at_random 12 "${command[@]}"
    rm -rf whole target
done
for name in convert gguf llama2c bpe; do
    declare -n command=$name
    check "$name: ended at chosen bytes" killed_at_size "${command[@]}"
    rm -rf whole target
done

# Results of an evaluation replace those of another: cut off, the old ones stay.
old_results() {
    echo old >e.json
    (ulimit -f 0 && exec "${evaluate[@]}" e.json) 2>/dev/null >&2
    [ "$(cat e.json)" = old ] || { cat e.json; return 1; }
    "${evaluate[@]}" e.json 2>/dev/null && grep -q nats_per_token e.json && [ ! -e e.json.partial ]
}
check "eval: cut off, the old results stay" old_results

# A checkpoint that is cut off at a chosen byte: the one before it is resumed.
checkpoint_cut_off() {
    local run=("$bin/train" --init config.json --tokenizer tokenizer --train_data train.txt
        --max_length 32 --max_steps 2 --threads 1)
    local kilobytes size
    size=$(stat -c %s model/checkpoint-2/optimizer.safetensors)
    "${run[@]}" --save_steps 1 --output_dir whole 2>whole.log || { tail -1 whole.log; return 1; }
    for kilobytes in 0 1 100 $((size / 2048)) $((size / 1024)); do
        rm -rf run && cp -r whole run && rm -rf run/checkpoint-2 run/model.safetensors
        (ulimit -f "$kilobytes" && exec "${run[@]}" --save_steps 1 --output_dir run \
            --resume_from_checkpoint latest) 2>killed.log >&2
        [ -d run/checkpoint-1 ] && [ ! -e run/checkpoint-2 ] ||
            { echo "at $kilobytes KiB:"; ls run; return 1; }
        "${run[@]}" --save_steps 1 --output_dir run --resume_from_checkpoint latest 2>again.log ||
            { echo "at $kilobytes KiB: $(tail -1 again.log)"; return 1; }
        cmp whole/model.safetensors run/model.safetensors || return 1
        [ -z "$(find run -name '*.partial')" ] || { find run -name '*.partial'; return 1; }
    done
}
check "train: cut off at chosen bytes of a checkpoint, it resumes to the same bits" \
    checkpoint_cut_off
rm -rf whole run

# ---- a full disk -------------------------------------------------------------------------------
# no_space COMMAND...: the command says that the disk is full, with exit code 2.
no_space() {
    "$@" >full.log 2>&1
    [ $? -eq 2 ] && tail -1 full.log | grep -q "small/.*No space left" || { tail -1 full.log; return 1; }
}
# full_disk NAME COMMAND...: beside an earlier result of the same command there is no room for
# another; the earlier one stays as it was, and with more room the command succeeds.
full_disk() {
    local before
    "$@" small/before >whole.log 2>&1 || { tail -1 whole.log; return 1; }
    before=$(find small/before -type f -exec cksum {} + | sort)
    head -c 1G /dev/zero >small/ballast 2>/dev/null
    no_space "$@" small/target || return 1
    [ "$before" = "$(find small/before -type f -exec cksum {} + | sort)" ] &&
        [ "$(ls small)" = "$(printf 'ballast\nbefore')" ] || { ls -l small; return 1; }
    rm small/ballast && "$@" small/target >again.log 2>&1 && diff -r small/before small/target
}
# full_results: the old results of an evaluation survive that there is no room for new ones.
full_results() {
    echo old >small/e.json
    head -c 1G /dev/zero >small/ballast 2>/dev/null
    no_space "${evaluate[@]}" small/e.json || return 1
    [ "$(cat small/e.json)" = old ] && [ "$(ls small)" = "$(printf 'ballast\ne.json')" ]
}
# full_run: of a run whose second checkpoint does not fit the first one is resumed.
full_run() {
    local run=("$bin/train" --init config.json --tokenizer tokenizer --train_data train.txt
        --max_length 32 --max_steps 2 --save_steps 1 --save_total_limit 0 --threads 1 --output_dir)
    local size
    size=$(du -sk model/checkpoint-1 | cut -f1)
    mount -o remount,size=$((size * 3 / 2))k "$work/small" && no_space "${run[@]}" small/run &&
        [ -d small/run/checkpoint-1 ] && [ ! -e small/run/checkpoint-2 ] || { ls small/run; return 1; }
    [ -z "$(find small -name '*.partial')" ] || { find small -name '*.partial'; return 1; }
    mount -o remount,size=200m "$work/small" &&
        "${run[@]}" small/run --resume_from_checkpoint latest 2>again.log &&
        cmp model/model.safetensors small/run/model.safetensors
}
mkdir small
with_room() {  # with_room COMMAND...: in a file system of its own, mounted at small
    local status
    mount -t tmpfs -o size=40m tmpfs "$work/small" || return 1
    "$@"
    status=$?
    umount "$work/small"
    return $status
}
if with_room true 2>/dev/null; then
    mounts+=("$work/small")
    for name in convert gguf llama2c bpe; do
        declare -n command=$name
        check "$name: on a full disk the earlier result stays" with_room full_disk "${command[@]}"
    done
    check "eval: on a full disk the old results stay" with_room full_results
    check "train: on a full disk the earlier checkpoint is resumed" with_room full_run
else
    skip "full disks: mounting is not allowed here"
fi
hostile_is_unchanged
finish

#!/usr/bin/env bash
# A run that is killed at random moments and resumed ends with the bits of one that is left alone.
#   tests/end_to_end/resume.sh BIN_FOLDER [SEED]
. "$(dirname "$0")/lib.sh"
make_inputs
RANDOM=${2:-20}
echo "# kill moments are drawn from seed ${2:-20}"

# train FOLDER FLAGS...: what it says goes to FOLDER.err.
train() {
    local folder=$1
    shift
    exec "$bin/train" --init config.json --tokenizer tokenizer --train_data train.txt --threads 1 \
        --max_length 32 --learning_rate 3e-3 --output_dir "$folder" "$@" 2>"$folder.err"
}

# What the log and the state say, without the columns that are times and the folder's name.
numbers() {
    sed -E 's/,"(tokens_per_second|eval_runtime)":[^,}]*//g' "$1/metrics.jsonl"
    grep -vE 'tokens_per_second|eval_runtime' "$1/trainer_state.json" | sed "s|$1|RUN|"
}
same_weights() { cmp "$1/model.safetensors" "$2/model.safetensors"; }
same_run() {
    same_weights "$1" "$2" && cmp <(numbers "$1") <(numbers "$2") || return 1
    [ -z "$(find "$2" -name '*.partial')" ] || { find "$2" -name '*.partial'; return 1; }
}
newest() {
    find "$1" -name 'checkpoint-*' -not -name '*.partial' 2>/dev/null | sed 's/.*-//' | sort -n |
        tail -1
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
wait_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

# killed_run FOLDER KILLS LONGEST_MS FLAGS...: kills the run up to LONGEST_MS after each start and
# resumes it, until it survived that many kills; then lets it end. One that ends before is begun
# again, with shorter lives. `steps` collects where the kills left it.
killed_run() {
    local folder=$1 kills=$2 longest=$3 killed=0 pid status
    shift 3
    steps=
    while [ "$killed" -lt "$kills" ]; do
        (train "$folder" --resume_from_checkpoint latest "$@") &
        pid=$!
        wait_ms $((RANDOM % longest + 1))
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        status=$?
        if [ $status -eq 137 ]; then
            killed=$((killed + 1))
            steps="$steps $(newest "$folder")"
        elif [ $status -eq 0 ]; then
            rm -rf "$folder"
            killed=0 steps= longest=$((longest * 3 / 4 + 1))
        else
            echo "exit $status after $killed kills: $(tail -1 "$folder.err")"
            return 1
        fi
    done
    (train "$folder" --resume_from_checkpoint latest "$@") || { tail -1 "$folder.err"; return 1; }
}

# case_of NAME KILLS FLAGS...: a run left alone in NAME.whole, one killed in NAME.killed.
case_of() {
    local name=$1 kills=$2 begin
    shift 2
    begin=$(milliseconds)
    (train "$name.whole" "$@") || { not_ok "$name: a run" "$(tail -1 "$name.whole.err")"; return; }
    local whole_ms=$(($(milliseconds) - begin))
    if ! killed_run "$name.killed" "$kills" $((2 * whole_ms / kills + 40)) "$@"; then
        not_ok "$name: resumes after each of $kills kills" "$(tail -1 "$name.killed.err")"
        return
    fi
    echo "# $name: a run of $whole_ms ms; newest checkpoint at each kill:$steps"
    check "$name: $kills kills change no bit of the weights and no number of the log" \
        same_run "$name.whole" "$name.killed"
    met=$((met + $(wc -w <<<"$steps")))
}
met=0  # kills that found a checkpoint, over all cases: how many of a case do is up to the machine

case_of fp32 20 --max_steps 700 --per_device_train_batch_size 4 --save_steps 7 \
    --eval_data eval.txt --eval_steps 100
case_of bf16 4 --precision bf16 --save_dtype bf16 --max_steps 300 --save_steps 5
case_of dropout 4 --dropout 0.1 --max_steps 300 --save_steps 5 --per_device_train_batch_size 4
case_of accumulation 4 --gradient_accumulation_steps 2 --max_steps 250 --save_steps 5 \
    --per_device_train_batch_size 3 --weight_decay 0.1 --lr_scheduler_type cosine --warmup_steps 0.1
case_of packing 4 --packing --text_rows paragraph --truncation truncate --max_steps 300 \
    --save_steps 5 --per_device_train_batch_size 2
case_of best_model 4 --eval_split 0.2 --eval_steps 10 --load_best_model_at_end \
    --early_stopping_patience 12 --max_steps 300 --save_steps 20 --learning_rate 3e-2
case_of no_shuffle 3 --shuffle false --num_train_epochs 4 --save_strategy epoch --save_total_limit 0

# Kills before the first checkpoint alone would prove little.
check "at least ten kills met a checkpoint" [ "$met" -ge 10 ]

# Where a run saves and what it writes beside the weights.
base=(--max_steps 60 --per_device_train_batch_size 4 --dropout 0.1)
(train plain "${base[@]}")
variant() {  # variant NAME FLAGS...
    local name=$1
    shift
    (train "$name" "${base[@]}" "$@") || { tail -1 "$name.err"; return 1; }
    same_weights plain "$name"
}
check "--save_steps 1 changes no weight" variant save_1 --save_steps 1
check "--save_strategy no changes no weight" variant save_no --save_strategy no
check "--save_total_limit 1 changes no weight" variant limit --save_steps 9 --save_total_limit 1
check "--save_total_limit 1 keeps one checkpoint" [ "$(ls -d limit/checkpoint-* | wc -l)" -eq 1 ]
check "--logging_steps 1 changes no weight" variant logging_1 --logging_steps 1
check "--logging_steps 1000 changes no weight" variant logging_1000 --logging_steps 1000
check "--report_to none changes no weight" variant no_events --report_to none
check "--report_to none writes no event file" \
    [ -z "$(find no_events -name 'events.out.tfevents.*')" ]
check "--eval_data changes no weight" variant evaluated --eval_data eval.txt --eval_steps 7
check "a run repeated has the same bits" variant again
other_seed() { ! variant seed_43 --seed 43 >/dev/null; }
check "--seed 43 changes the weights" other_seed
longer() {  # resuming with more --max_steps under a constant schedule
    local flags=(--per_device_train_batch_size 4 --lr_scheduler_type constant --save_steps 10)
    (train long "${flags[@]}" --max_steps 50) && (train short "${flags[@]}" --max_steps 20) &&
        (train short "${flags[@]}" --max_steps 50 --resume_from_checkpoint true) &&
        same_weights long short
}
check "a finished run goes on with a larger --max_steps" longer

# A checkpoint before the first step is evaluated again: that is no second evaluation of a run.
patience() {
    local flags=(--max_steps 40 --eval_split 0.2 --eval_steps 10 --early_stopping_patience 1
                 --load_best_model_at_end --save_steps 10 --learning_rate 3e-2)
    (train patient "${flags[@]}") && (train impatient "${flags[@]}" --save_total_limit 0) &&
        find impatient -mindepth 1 -not -path '*checkpoint-0*' -delete 2>/dev/null
    [ -d impatient/checkpoint-0 ] || { echo "no checkpoint-0"; ls impatient; return 1; }
    (train impatient "${flags[@]}" --save_total_limit 0 --resume_from_checkpoint latest) &&
        same_weights patient impatient
}
check "a run that resumes before its first step has its patience whole" patience

# stopped SIGNAL EXIT_CODE: the signal arrives after the first checkpoint; the printed command
# resumes.
stopped() {
    local signal=$1 expected=$2 folder=stop_$1 pid status i
    (train "$folder" "${long_run[@]}" --logging_steps 1) &
    pid=$!
    for ((i = 0; i < 400; ++i)); do
        [ -s "$folder/metrics.jsonl" ] && break
        sleep 0.01
    done
    kill -"$signal" $pid
    wait $pid
    status=$?
    [ $status -eq "$expected" ] || { echo "exit $status"; tail -1 "$folder.err"; return 1; }
    local command
    command=$(sed -n 's/^stopped at step [0-9]*; to go on: //p' "$folder.err")
    [ -n "$command" ] || { echo "no command printed"; tail -2 "$folder.err"; return 1; }
    [ -n "$(newest "$folder")" ] || { echo "no checkpoint"; return 1; }
    bash -c "$command" 2>resumed.err || { tail -1 resumed.err; return 1; }
    same_weights stop_whole "$folder"
}
long_run=(--max_steps 900 --per_device_train_batch_size 4 --overwrite_output_dir)
(train stop_whole "${long_run[@]}")
check "SIGTERM: exit 143, a command that resumes, the same bits" stopped TERM 143
check "SIGINT: exit 130, a command that resumes, the same bits" stopped INT 130

# A handler that ran on a computing thread's stack would now and then spoil what it computes.
many_stops() {
    local i pid status
    for ((i = 0; i < 25; ++i)); do
        rm -rf stop_any
        (train stop_any "${long_run[@]}" --report_to none) &
        pid=$!
        wait_ms $((150 + RANDOM % 150))
        kill -INT $pid
        wait $pid
        status=$?
        [ $status -eq 130 ] || { echo "exit $status: $(tail -1 stop_any.err)"; return 1; }
    done
}
check "25 SIGINTs at random moments: exit 130 each time" many_stops
finish

#!/usr/bin/env bash
# What each program does for its user when everything is right.
#   tests/end_to_end/programs.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
make_inputs
exec 2>messages  # of the commands below; `check` shows what its own command says

train() { "$bin/train" --max_length 32 --max_steps 4 --threads 1 "$@"; }
holds() {  # holds FILE TEXT...
    local file=$1 text
    shift
    for text; do grep -qF -- "$text" "$file" || { echo "$file: no $text"; return 1; }; done
}
exist() { local file; for file; do [ -e "$file" ] || { echo "no $file"; return 1; }; done; }
same() { [ "$1" = "$2" ] || { printf '%s\n' "first:  $1" "second: $2"; return 1; }; }
# number KEY FILE: the last number that the JSON file gives for the key.
number() { grep -o "\"$1\": *[-0-9.e+]*" "$2" | tail -1 | sed 's/.*: *//'; }
within() {  # within A B RELATIVE: |A - B| <= RELATIVE * |B|
    awk -v a="$1" -v b="$2" -v r="$3" 'BEGIN {
        d = a - b; d = d < 0 ? -d : d; exit !(b != 0 && d <= r * (b < 0 ? -b : b)) }' ||
        { echo "$1 and $2 differ by more than a share of $3"; return 1; }
}

# ---- every program -----------------------------------------------------------------------------
for program in train generate eval tokenize export; do
    helped() { "$bin/$program" --help >help.txt && holds help.txt "bin/$program" -- ; }
    versioned() { "$bin/$program" --version | grep -qE '^fettle [0-9]+\.[0-9]+'; }
    check "$program --help prints its flags and exits with 0" helped
    check "$program --version prints the version and exits with 0" versioned
done
convert_help() { "$bin/export" convert --help | grep -q -- --dtype; }
check "export convert --help prints its flags" convert_help

# ---- train -------------------------------------------------------------------------------------
new_model() {
    train --init config.json --tokenizer tokenizer --train_data train.txt --eval_data eval.txt \
        --learning_rate 1e-2 --max_steps 300 --save_steps 100 --output_dir base || return 1
    exist base/{config.json,model.safetensors,tokenizer.json,tokenizer_config.json} \
        base/{metrics.jsonl,trainer_state.json,run.json,plan.json} base/checkpoint-{200,300} \
        base/events.out.tfevents.* && [ ! -e base/checkpoint-100 ]
}
check "train --init makes a model's folder" new_model
[ -e base/model.safetensors ] || finish
learns() {
    local first last
    first=$(grep -o '"eval_loss":[0-9.]*' base/metrics.jsonl | head -1 | cut -d: -f2)
    last=$(grep -o '"eval_loss":[0-9.]*' base/metrics.jsonl | tail -1 | cut -d: -f2)
    awk -v a="$first" -v b="$last" 'BEGIN { exit !(b < a - 1) }' || { echo "$first, then $last"; return 1; }
}
check "training lowers the loss on other text by more than 1" learns
every_line_is_json() {
    [ "$(grep -cE '^\{"step":[0-9]+,"epoch":.*\}$' base/metrics.jsonl)" -eq \
        "$(wc -l <base/metrics.jsonl)" ]
}
check "metrics.jsonl holds one object a line" every_line_is_json
logs_to_stderr() {
    local out
    out=$(train --model base --train_data train.txt --output_dir quiet 2>quiet.err) && [ -z "$out" ] &&
        ! grep -q $'[\r\x1b]' quiet.err && holds quiet.err "step 4/4" "the model is in quiet"
}
check "train: stdout stays empty, stderr has no bar and no colour without a terminal" logs_to_stderr
tuned() {  # tuned FOLDER FLAGS...
    local folder=$1
    shift
    train --model base --train_data train.txt --output_dir "$folder" "$@" &&
        exist "$folder/model.safetensors"
}
check "train --model goes on from a folder" tuned tuned_fp32
bf16() {
    tuned tuned_bf16 --precision bf16 --save_dtype bf16 &&
        holds tuned_bf16/config.json bfloat16 && holds tuned_bf16/run.json '"precision": "bf16"'
}
check "train --precision bf16 --save_dtype bf16 writes a bf16 folder" bf16
bf16_again() { train --model tuned_bf16 --train_data train.txt --output_dir again_bf16 &&
    holds again_bf16/config.json bfloat16; }
check "a bf16 folder stays bf16" bf16_again

cat >flags.yaml <<'YAML'
# a file of flags
model: base
train_data: [train.txt]
output_dir: from_yaml
max_length: 32
max_steps: 9
learning_rate: 1e-4
packing: true
threads: 1
YAML
from_yaml() {
    "$bin/train" --config flags.yaml --max-steps 3 &&
        holds from_yaml/run.json '"max_steps": 3' '"learning_rate": 0.0001' '"packing": true' &&
        [ "$(number global_step from_yaml/trainer_state.json)" = 3 ]
}
check "train --config FILE.yaml: the command line overrides the file" from_yaml
dry() {
    train --model base --train_data train.txt --output_dir dry --dry_run 2>dry.err &&
        holds dry.err "memory plan" "peak" "a step" && [ ! -e dry ]
}
check "train --dry_run prints plan and time and writes nothing" dry

# Rows of every length: what the run keeps for one shape must not pile up over hundreds.
flat_peak() {
    local steps peaks=()
    awk 'BEGIN { for (r = 0; r < 1500; ++r) { n = r * 7919 % 60 + 1; for (i = 0; i < n; ++i)
        printf "wave " ; print "" } }' >ragged.txt
    for steps in 30 600; do
        "$bin/train" --model base --train_data ragged.txt --text_rows line --max_length 32 \
            --truncation truncate --per_device_train_batch_size 4 --max_steps $steps \
            --save_strategy no --report_to none --output_dir ragged_$steps 2>ragged.err ||
            { tail -1 ragged.err; return 1; }
        peaks+=("$(sed -n 's/^peak memory: \([0-9]*\).* measured.*/\1/p' ragged.err)")
    done
    echo "MiB after 30 and 600 steps: ${peaks[*]}"
    [ "${peaks[1]}" -le $((${peaks[0]} + 8)) ]
}
check "train: rows of many lengths do not add to the peak memory" flat_peak
domains() {
    head -20 train.txt >other.txt
    tuned domains --eval_data eval.txt,other.txt &&
        holds domains/metrics.jsonl '"eval_loss"' '"eval_eval_loss"' '"eval_other_loss"'
}
check "train --eval_data: each file is a domain" domains
mixed() {
    mkdir -p mixed_data && cp train.txt mixed_data/a.txt && echo ignored >mixed_data/notes.md
    printf '{"text": "the sea"}\n{"text": "a whale"}\n' >mixed_data/b.jsonl
    printf '[{"text": "old man"}]' >mixed_data/c.json
    "$bin/train" --model base --train_data mixed_data --output_dir mixed --max_steps 1 --threads 1 \
        --max_length 32 --text_rows line && exist mixed/model.safetensors
}
check "train --train_data FOLDER reads .txt, .jsonl and .json" mixed
overwritten() {
    touch quiet/mine.txt
    mkdir -p quiet/checkpoint-{best,007} && touch quiet/checkpoint-{best,007}/mine.txt
    train --model base --train_data train.txt --output_dir quiet --overwrite_output_dir &&
        exist quiet/mine.txt quiet/model.safetensors quiet/checkpoint-{best,007}/mine.txt
}
check "train --overwrite_output_dir removes its own files only" overwritten
one_at_a_time() {
    "$bin/train" --model base --train_data train.txt --max_length 32 --max_steps 100000 \
        --threads 1 --save_strategy no --output_dir busy 2>busy.err &
    local pid=$! i status
    for ((i = 0; i < 400; ++i)); do [ -s busy/metrics.jsonl ] && break; sleep 0.01; done
    train --model base --train_data train.txt --output_dir busy --overwrite_output_dir 2>second.err
    status=$?
    kill -TERM $pid && wait $pid
    [ $status -eq 2 ] && holds second.err "--output_dir: busy is in use by another run"
}
check "two runs do not share a folder" one_at_a_time
no_stderr() {
    "$bin/train" --model base --train_data train.txt --max_length 32 --max_steps 3 --threads 1 \
        --output_dir unheard 2>/dev/full && exist unheard/model.safetensors || return 1
    "$bin/train" --model base --train_data train.txt --max_length 32 --max_steps 3 --threads 1 \
        --output_dir closed 2>&- && exist closed/model.safetensors &&
        cmp closed/model.safetensors unheard/model.safetensors || return 1
    "$bin/train" --model nope --train_data train.txt --output_dir x 2>/dev/full
    [ $? -eq 2 ]
}
check "a stderr that cannot be written stops no run" no_stderr

# ---- models in parts ---------------------------------------------------------------------------
# Cuts the model's file in two at a tensor, with the index that Hugging Face writes.
shard() {
    local from=$1 to=$2 header_bytes header data
    mkdir "$to" && cp "$from"/{config.json,tokenizer.json,tokenizer_config.json} "$to"
    header_bytes=$(od -An -t u8 -N 8 "$from/model.safetensors" | tr -d ' ')
    header=$(tail -c +9 "$from/model.safetensors" | head -c "$header_bytes")
    data=$((8 + header_bytes))
    # One line a tensor: name, type, shape, begin, end.
    grep -oE '"[^"]+":\{"dtype":"[^"]+","shape":\[[0-9,]*\],"data_offsets":\[[0-9]+,[0-9]+\]\}' \
        <<<"$header" | sed -E 's/"([^"]+)":\{"dtype":"([^"]+)","shape":(\[[0-9,]*\]),.*\[([0-9]+),([0-9]+)\]\}/\1 \2 \3 \4 \5/' |
        sort -n -k4 >tensors
    local half part name lines first last text
    half=$(($(wc -l <tensors) / 2))
    printf '{"metadata": {"total_size": 0}, "weight_map": {' >"$to/model.safetensors.index.json"
    for part in 1 2; do
        name=model-0000$part-of-00002.safetensors
        if [ $part -eq 1 ]; then lines=$(head -$half tensors); else lines=$(tail -n +$((half + 1)) tensors); fi
        first=$(head -1 <<<"$lines" | cut -d' ' -f4)
        last=$(tail -1 <<<"$lines" | cut -d' ' -f5)
        text={$(awk -v first="$first" '{ printf "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
            (NR > 1 ? "," : ""), $1, $2, $3, $4 - first, $5 - first }' <<<"$lines")}
        while [ $((${#text} % 8)) -ne 0 ]; do text="$text "; done
        {
            printf "$(printf '\\x%02x' $((${#text} % 256)) $((${#text} / 256 % 256)) 0 0 0 0 0 0)"
            printf '%s' "$text"
            tail -c +$((data + first + 1)) "$from/model.safetensors" | head -c $((last - first))
        } >"$to/$name"
        awk -v name="$name" -v part=$part '{ printf "%s\"%s\": \"%s\"", (NR > 1 || part > 1 ? ", " : ""), $1, name }' \
            <<<"$lines" >>"$to/model.safetensors.index.json"
    done
    echo '}}' >>"$to/model.safetensors.index.json"
}
sharded() {
    shard base parts && [ "$(ls parts/*.safetensors | wc -l)" -eq 2 ] &&
        train --model parts --train_data train.txt --output_dir from_parts &&
        cmp from_parts/model.safetensors tuned_fp32/model.safetensors
}
check "train --model: a model in two parts gives the same bits as in one" sharded

# ---- generate ----------------------------------------------------------------------------------
generate() { "$bin/generate" --model base --threads 1 --max_new_tokens 24 --prompt "the sea" "$@"; }
greedy() {
    local a b
    a=$(generate --temperature 0) && b=$(generate --temperature 0 --seed 7) && [ -n "$a" ] && same "$a" "$b"
}
check "generate --temperature 0 gives the same text with any seed" greedy
seeded() {
    local a b c
    a=$(generate --seed 1) && b=$(generate --seed 1) && c=$(generate --seed 2) && same "$a" "$b" &&
        [ "$a" != "$c" ]
}
check "generate: the seed decides the sample" seeded
streamed() {
    local streamed json
    streamed=$(generate --temperature 0) && json=$(generate --temperature 0 --output json) &&
        json=$(sed -E 's/.*"text":"(.*)","tokens".*/\1/' <<<"$json") &&
        same "$streamed" "$(printf '%b' "$json")"
}
check "generate streams the text that --output json reports" streamed
as_json() {
    local line
    line=$(generate --output json) && [ "$(wc -l <<<"$line")" -eq 1 ] && for key in prompt text tokens \
        finish_reason prompt_tokens first_token_seconds seconds; do case $line in *"\"$key\":"*) ;; *) echo "$line"; return 1 ;; esac; done
}
check "generate --output json: prompt, text, tokens, finish_reason in one line" as_json
several() {
    local lines
    lines=$(generate --num_return_sequences 5 --output json) &&
        same "$(wc -l <<<"$lines") $(sort -u <<<"$lines" | wc -l)" "5 5"
}
check "generate --num_return_sequences 5 gives five different texts" several
stops() {
    local text
    text=$(generate --temperature 0 --stop . --output json) &&
        case $text in *'"finish_reason":"stop"'*) ;; *) echo "$text"; return 1 ;; esac
    case $(sed -E 's/.*"text":(.*),"tokens".*/\1/' <<<"$text") in *.*) echo "$text"; return 1 ;; esac
}
check "generate --stop ends before the text it names" stops
stops_at_a_comma() {
    local text
    text=$(generate --temperature 0 --stop 'never, ever' --stop . --output json) &&
        same "${text%%,\"prompt_tokens*}" \
            "$(generate --temperature 0 --stop . --output json | sed 's/,"prompt_tokens.*//')"
}
check "generate --stop takes a text with a comma whole" stops_at_a_comma
prompt_file() {
    printf 'the sea' >prompt.txt
    same "$("$bin/generate" --model base --threads 1 --max_new_tokens 24 --temperature 0 \
        --prompt_file prompt.txt)" "$(generate --temperature 0)"
}
check "generate --prompt_file is --prompt" prompt_file
empty_prompt() { [ -n "$("$bin/generate" --model base --prompt '' --max_new_tokens 8 --threads 1)" ]; }
check "generate: an empty prompt begins with BOS" empty_prompt
bf16_text() { [ -n "$("$bin/generate" --model tuned_bf16 --precision bf16 --prompt the --threads 1 --max_new_tokens 8)" ]; }
check "generate --precision bf16 runs a bf16 folder" bf16_text

# ---- eval --------------------------------------------------------------------------------------
evaluate() { "$bin/eval" --threads 1 --suite perplexity=eval.txt "$@"; }
both_outputs() { evaluate --model base --output result.json >stdout.json && cmp stdout.json result.json; }
check "eval prints the JSON that --output writes" both_outputs
complete() {
    holds result.json '"nats_per_token"' '"bits_per_byte"' '"token_perplexity"' \
        '"word_perplexity"' '"standard_error"' '"tokens"' '"bytes"' \
        "\"sha256\": \"$(sha256sum eval.txt | cut -d' ' -f1)\"" &&
        same "$(number bytes result.json)" "$(stat -c %s eval.txt)"
}
check "eval reports counts, errors and the hash of its data" complete
consistent() {
    local nats
    nats=$(number nats_per_token result.json)
    within "$(awk -v n="$nats" 'BEGIN { print exp(n) }')" "$(number token_perplexity result.json)" 1e-4 &&
        within "$(awk -v n="$nats" -v t="$(number tokens result.json)" \
            -v b="$(number bytes result.json)" 'BEGIN { print n * t / b / log(2) }')" \
            "$(number bits_per_byte result.json)" 1e-4
}
check "eval: perplexity and bits per byte follow from nats per token" consistent
better() {
    train --init config.json --tokenizer tokenizer --train_data train.txt --max_steps 1 \
        --learning_rate 0 --output_dir untrained && evaluate --model untrained >untrained.json &&
        awk -v a="$(number nats_per_token untrained.json)" -v b="$(number nats_per_token result.json)" \
            'BEGIN { exit !(b < a - 1 && a < 5.8 && a > 5.6) }'  # log(300) = 5.70
}
check "eval: a random model scores log of its vocabulary, a trained one less" better
close_in_bf16() {
    evaluate --model base --precision bf16 >bf16.json &&
        within "$(number nats_per_token bf16.json)" "$(number nats_per_token result.json)" 0.01
}
check "eval --precision bf16 is within 1 % of fp32" close_in_bf16

# ---- tokenize ----------------------------------------------------------------------------------
round_trip() {
    printf 'the sea\n\nTHE  \xff\xfe whale\xc3 \xf0\x9f\x99\x82 <|endoftext|>\ttail' >bytes.txt
    head -c 3000 /dev/urandom >>bytes.txt
    "$bin/tokenize" --tokenizer tokenizer --raw bytes.txt >ids.txt &&
        "$bin/tokenize" --tokenizer tokenizer --raw --decode ids.txt >back.txt && cmp bytes.txt back.txt
}
check "tokenize --raw and --decode give back every byte" round_trip
by_line() {
    "$bin/tokenize" --tokenizer tokenizer train.txt >ids.txt &&
        same "$(wc -l <ids.txt)" "$(wc -l <train.txt)" &&
        "$bin/tokenize" --tokenizer tokenizer --decode ids.txt | cmp - train.txt &&
        "$bin/tokenize" --tokenizer tokenizer <train.txt | cmp - ids.txt &&
        same "$("$bin/tokenize" --tokenizer tokenizer --count train.txt)" "$(wc -w <ids.txt | tr -d ' ')"
}
check "tokenize: a line of ids for each line, from a file or stdin; --count counts them" by_line
special() { same "$(printf 'a<|endoftext|>' | "$bin/tokenize" --tokenizer tokenizer --raw | wc -w)" 2; }
check "tokenize: a special token's text is one id" special
trained_again() {
    "$bin/tokenize" --train_bpe train.txt --vocab_size 300 --output_dir again &&
        cmp again/tokenizer.json tokenizer/tokenizer.json
}
check "tokenize --train_bpe is repeatable" trained_again

# ---- export ------------------------------------------------------------------------------------
converted() {
    "$bin/export" convert --model base --dtype bf16 --output_dir half && holds half/config.json bfloat16 &&
        "$bin/export" convert --model half --dtype fp32 --output_dir whole && holds whole/config.json float32 &&
        "$bin/export" convert --model whole --dtype bf16 --output_dir half_again &&
        cmp half/model.safetensors half_again/model.safetensors &&
        cmp half/tokenizer.json base/tokenizer.json && evaluate --model whole >whole.json &&
        within "$(number nats_per_token whole.json)" "$(number nats_per_token result.json)" 0.01
}
check "export convert: bf16, back to fp32, and to the same bf16 again" converted
same_bits() {
    "$bin/export" convert --model base --dtype fp32 --output_dir copy && cmp copy/model.safetensors base/model.safetensors
}
check "export convert --dtype fp32 of an fp32 folder keeps every bit" same_bits

# ---- terminals ---------------------------------------------------------------------------------
# script(1) gives the program a terminal.
if command -v script >/dev/null; then
    on_terminal() {  # on_terminal FOLDER ENVIRONMENT...: what a terminal would receive
        local folder=$1
        shift
        script -qec "env $* $bin/train --model base --train_data train.txt --max_length 32 \
            --max_steps 4 --threads 1 --output_dir $folder" /dev/null </dev/null
    }
    bar() { on_terminal bar A=b >bar.txt; grep -q $'\r' bar.txt && grep -q $'\x1b\\[32m' bar.txt; }
    check "train: a terminal shows a coloured bar" bar
    no_colour() {
        on_terminal plain_bar NO_COLOR=1 >bar.txt
        grep -q $'\r' bar.txt && grep -qF '[#' bar.txt && ! grep -qE $'\x1b\\[[0-9;]*m' bar.txt
    }
    check "NO_COLOR: a bar without colour" no_colour
else
    skip "bars on a terminal: script(1) is not installed"
fi
finish

#!/usr/bin/env bash
# Instruction rows and conversations through the programs.
#   usage: chat.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"

make_inputs
sed -i 's/"n_positions": 64/"n_positions": 512/' config.json
cat >rows.jsonl <<'JSON'
{"instruction": "Name the sea.", "input": "", "output": "the deep sea"}
{"instruction": "Sail.", "input": "a ship", "output": "the ship went long"}
{"instruction": "Say when.", "output": "night"}
JSON
{ echo '['; paste -sd, rows.jsonl; echo ']'; } >rows.json
"$bin/train" --init config.json --tokenizer tokenizer --train_data train.txt --output_dir base \
    --max_steps 3 --threads 1 --report_to none 2>/dev/null || { echo "cannot train" >&2; exit 1; }

# ---- instruction rows --------------------------------------------------------------------------
# tune OUTPUT_DIR FLAGS...: one step over all rows.
tune() {
    "$bin/train" --model base --output_dir "$1" --max_steps 1 --threads 1 --report_to none \
        --max_length 512 --logging_steps 1 "${@:2}"
}
log_of() { sed -nE 's/.*"loss":([^,]*),.*"tokens":([0-9]+).*/\1 \2/p' "$1/metrics.jsonl"; }

same_rows() {
    local notes
    notes=$(tune lines --train_data rows.jsonl 2>&1) && tune list --train_data rows.json 2>/dev/null &&
        [ -n "$(log_of lines)" ] && [ "$(log_of lines)" = "$(log_of list)" ] &&
        grep -q "rows.jsonl is alpaca rows" <<<"$notes"
}
check "train: alpaca rows of a .jsonl and of a .json are the same, and the run says what it took" same_rows
only_answers() {
    # Each answer's own tokens and one EOS: the prompts, which are hundreds, do not count.
    local answers expected=0 tokens
    for answer in "the deep sea" "the ship went long" "night"; do
        answers=$(printf '%s' "$answer" | "$bin/tokenize" --tokenizer tokenizer | wc -w)
        expected=$((expected + answers + 1))
    done
    tokens=$(log_of lines | cut -d' ' -f2)
    echo "logged $tokens, expected $expected"
    [ "$tokens" = "$expected" ] && grep -q "\"trained_tokens\": $expected" lines/plan.json
}
check "train: only answers count as tokens" only_answers
as_conversation() {
    local notes
    notes=$(tune chat --train_data rows.jsonl --chat_template chatml --eval_data rows.json 2>&1) &&
        grep -q "alpaca rows in the template chatml" <<<"$notes" && grep -q eval_loss chat/metrics.jsonl
}
check "train --chat_template chatml" as_conversation

tuned_talks() {
    local first
    first=$(echo "hello sea" | "$bin/generate" --model chat --chat --threads 1 --temperature 0 \
        --max_new_tokens 8 2>notes) || { cat notes; return 1; }
    [ "$first" = "$(echo "hello sea" | "$bin/generate" --model chat --chat --chat_template chatml \
        --threads 1 --temperature 0 --max_new_tokens 8 2>/dev/null)" ]
}
check "chat: a model tuned with --chat_template needs no flag to talk" tuned_talks

printf '{"instruction": "a", "output": "b"}\n{"instruction": "a"}\n' >broken.jsonl
refused "a row without an answer" "broken.jsonl line 2|output" tune no --train_data broken.jsonl
printf '[{"instruction": "a", "output": 7}]' >broken.json
refused "an answer that is no text" "broken.json row 1|output|7|string" tune no --train_data broken.json
refused "text as alpaca rows" "train.txt|--format" tune no --train_data train.txt --format alpaca
refused "a chat template for text" "--chat_template|text" tune no --train_data train.txt \
    --chat_template chatml
refused "an unknown chat template" "--chat_template|smollm2|chatml|llama" tune no \
    --train_data rows.json --chat_template llama
check "what is refused writes nothing" [ ! -e no ]

# ---- conversations -----------------------------------------------------------------------------
talk=("$bin/generate" --model base --chat --chat_template chatml --threads 1 --temperature 0
    --max_new_tokens 8)
talk() { "${talk[@]}" "$@"; }
first_answer() {
    local prompt=$'<|im_start|>user\nhello sea<|im_end|>\n<|im_start|>assistant\n'
    local answer expected
    answer=$(echo "hello sea" | talk 2>/dev/null) &&
        expected=$("$bin/generate" --model base --threads 1 --temperature 0 --max_new_tokens 8 \
            --stop '<|im_end|>' --prompt "$prompt") && [ "$answer" = "$expected" ]
}
check "chat: the first answer continues the rendered conversation" first_answer
remembers() {
    local both alone
    both=$(printf 'one\ntwo\n' | talk 2>/dev/null) && alone=$(echo two | talk 2>/dev/null) &&
        [ "$(printf 'one\n/reset\ntwo\n' | talk 2>/dev/null)" = "$(echo one | talk 2>/dev/null)"$'\n'"$alone" ] &&
        [ -n "$both" ]
}
check "chat: /reset forgets what was said" remembers
check "chat: /quit leaves" test "$(printf '/quit\nhello\n' | talk 2>/dev/null; echo $?)" = 0

cp -r base templated
printf '%s' "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}" \
    >templated/chat_template.jinja
own_template() {
    [ "$(echo hello | "$bin/generate" --model templated --chat --threads 1 --temperature 0 \
        --max_new_tokens 8 2>/dev/null)" = "$(echo hello | talk 2>/dev/null)" ]
}
check "chat: the folder's own template counts" own_template
echo '{{ messages }}' >templated/chat_template.jinja
refused "an unknown template in the folder" "templated/chat_template.jinja|smollm2|chatml" \
    "$bin/generate" --model templated --chat
refused "a folder without a template" "base|chat_template|chatml" "$bin/generate" --model base --chat
refused "a conversation and a prompt" "--prompt|--chat" "$bin/generate" --model base --chat --prompt x
refused "a conversation as JSON" "--chat|--output" talk --output json
refused "a system message without a conversation" "--system|--chat" \
    "$bin/generate" --model base --prompt x --system y

# Ctrl-C at the prompt: once it is noted, twice it leaves. The first answer shows that the program
# has come so far.
interrupted() {
    local pid status=0
    mkfifo input
    # Job control, or the shell would have background programs ignore Ctrl-C.
    set -m
    "${talk[@]}" <input >answers 2>notes &  # no function: the process itself gets the signals
    pid=$!
    set +m
    exec 3>input
    echo "one" >&3
    for _ in $(seq 300); do [ -s answers ] && grep -q cut notes && break; sleep 0.1; done
    sleep 0.3
    kill -INT "$pid"
    sleep 0.3
    kill -0 "$pid" || { echo "one Ctrl-C ended it"; return 1; }
    echo "two" >&3
    for _ in $(seq 300); do [ "$(grep -c cut notes)" = 2 ] && break; sleep 0.1; done
    [ "$(grep -c cut notes)" = 2 ] || { echo "no second answer"; return 1; }
    sleep 0.3
    kill -INT "$pid"
    sleep 0.3
    kill -INT "$pid"
    wait "$pid" || status=$?
    exec 3>&-
    echo "status $status"
    [ "$status" = 130 ]
}
check "chat: one Ctrl-C at the prompt is forgiven, two leave with 130" interrupted

finish

#!/usr/bin/env bash
# Text and rows that nothing can be trained or judged on.
#   tests/end_to_end/bad_input_data.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_inputs
make_model

# ---- data --------------------------------------------------------------------------------------
train "absent data" "--train_data|absent.txt" --train_data absent.txt
train "a pattern that matches nothing" "--train_data|*.none" --train_data '*.none'
: >empty.txt
train "empty data" "empty.txt|empty" --train_data empty.txt
printf 'text\0more' >binary.txt
train "binary data" "binary.txt|zero byte|4" --train_data binary.txt
printf '\n\n\n' >blank.txt
bare "data of blank lines" "blank.txt|no row" --model model --train_data blank.txt \
    --text_rows line --output_dir out
mkfifo pipe.txt pipe.jsonl pipe.json && ln -s /dev/zero zeros.txt
for file in pipe.txt pipe.jsonl pipe.json zeros.txt; do  # nobody writes to the pipes
    train "$file, which is no file" "$file|regular" --train_data $file
done
eval_with "a pipe" "--suite|pipe.txt|no file" --suite perplexity=pipe.txt
cp train.txt data.csv
train "data of another kind" "data.csv|.jsonl" --train_data data.csv
mkdir nothing
train "a folder without data" "nothing|.txt" --train_data nothing
train "a repeat of 0" "--train_data|train.txt:0|1 to 1000000" --train_data train.txt:0
train "a repeat of data that is absent" "--train_data|absent.txt" --train_data absent.txt:2
train "an empty element in a list" "--train_data|empty element" --train_data train.txt,,eval.txt
train "absent data to evaluate on" "--eval_data|absent.txt" --eval_data absent.txt
mkdir twin && cp eval.txt twin/
train "two evaluations of one name" "--eval_data|\"eval\"" --eval_data eval.txt,twin/eval.txt
train "rows longer than the length" "train.txt line|expected at most 4" --text_rows paragraph \
    --truncation error --max_length 4
train "rows that are all too long" "train.txt|no row|longer" --text_rows paragraph --max_length 2
rows() {  # rows NAME TEXTS CONTENT
    printf "$3" >rows.jsonl
    train "$1" "$2" --train_data rows.jsonl "${@:4}"
}
rows "a JSONL row that is no JSON" "rows.jsonl line 2" '{"text": "the sea"}\n{"text": \n'
rows "a JSONL row without text" "rows.jsonl line 3|\"text\"" \
    '{"text": "the sea"}\n\n{"txt": "the sea"}\n'
rows "a JSONL row whose text is a number" "rows.jsonl line 1|\"text\"|7" '{"text": 7}\n'
rows "a JSONL row that is a list" "rows.jsonl line 1|object" '["the sea"]\n'
row='{"text": "the sea"}'
rows "a half-written last row" "rows.jsonl line 2|JSON" "$row\\n{\"text\": \"the s"
rows "a half-written number" "rows.jsonl line 2|JSON" "$row\\n{\"text\": 12e"
rows "two rows in a line" "rows.jsonl line 1|JSON" "$row $row\\n"
rows "a row over two lines" "rows.jsonl line 1|JSON" '{"text":\n "the sea"}\n'
rows "a row of null" "rows.jsonl line 1|null|object" 'null\n'
rows "a row of a number" "rows.jsonl line 2|7|object" "$row\\n7\\n"
rows "a row of nothing" "rows.jsonl line 1|\"text\"" '{}\n'
rows "a text of null" "rows.jsonl line 1|\"text\"|null" '{"text": null}\n'
rows "a text of texts" "rows.jsonl line 1|\"text\"|string" '{"text": ["a"]}\n'
rows "a text twice" "rows.jsonl line 1|\"text\"|twice" '{"text": "a", "text": "b"}\n'
rows "a byte order mark" "rows.jsonl line 1" "\\357\\273\\277[$row]\\n"
rows "another encoding" "rows.jsonl" '\377\376{\0}\0'
rows "bytes that are no text" "rows.jsonl line 2|UTF-8" "$row\\n{\"text\": \"\\377\\376\"}\\n"
rows "a surrogate alone" "rows.jsonl line 1|JSON" '{"text": "\\ud800"}\n'
rows "a zero byte" "rows.jsonl|zero byte" "$row\\n\\0\\n"
rows "a control character in a text" "rows.jsonl line 1|JSON" '{"text": "a\001b"}\n'
rows "a number beyond double" "rows.jsonl line 1|JSON" '{"text": "a", "weight": 1e999}\n'
rows "no number" "rows.jsonl line 1|JSON" '{"text": NaN}\n'
rows "words in apostrophes" "rows.jsonl line 1|JSON" "{'text': 'the sea'}\\n"
rows "a comma at the end" "rows.jsonl line 1|JSON" '{"text": "the sea",}\n'
printf '{"text": ""}\n{"text": ""}\n' >hollow.jsonl && echo '[]' >hollow.json
for file in hollow.jsonl hollow.json; do
    bare "$file without a token to train" "$file|no row" --model model --train_data $file \
        --output_dir out
done
rows "columns" "rows.jsonl line 1|JSON" 'text,label\nthe sea,1\n'

alpaca() {  # alpaca NAME TEXTS CONTENT
    printf "$3" >rows.jsonl
    bare "alpaca rows, $1" "rows.jsonl line $2" --model model --train_data rows.jsonl \
        --format alpaca --output_dir out
}
alpaca "no output" "1|\"output\"" '{"instruction": "sail"}\n'
alpaca "no instruction" "1|\"instruction\"" '{"output": "aye"}\n'
alpaca "an instruction that is a number" "1|\"instruction\"|7" '{"instruction": 7, "output": "aye"}\n'
alpaca "an output that is a list" "1|\"output\"|string" '{"instruction": "a", "output": ["b"]}\n'
alpaca "an output of null" "1|\"output\"|null" '{"instruction": "a", "output": null}\n'
alpaca "an input that is a number" "1|\"input\"|7" '{"instruction": "a", "input": 7, "output": "b"}\n'
alpaca "a system message" "1|\"system\"|empty" \
    '{"instruction": "a", "output": "b", "system": "Be brief."}\n'
alpaca "a history" "1|\"history\"|empty" \
    '{"instruction": "a", "output": "b", "history": [["c", "d"]]}\n'
alpaca "text rows" "2|\"instruction\"" "{\"instruction\": \"a\", \"output\": \"b\"}\\n$row\\n"
rows "alpaca rows after text rows" "rows.jsonl line 2|\"text\"" \
    "$row\\n{\"instruction\": \"a\", \"output\": \"b\"}\\n"
rows "a kind of row that is not known" "rows.jsonl line 1|\"text\"" '{"messages": []}\n'
rows "an unknown kind of rows" "--format|alpaca|sharegpt" "$row\\n" --format sharegpt
rows "a template for text" "--chat_template" "$row\\n" --chat_template chatml
rows "an unknown template" "--chat_template|chatml|klingon" "$row\\n" --chat_template klingon

made_rows() {  # made_rows NAME TEXTS FILE COMMAND...: what the command prints
    "${@:4}" >"$3"
    train "$1" "$3$2" --train_data "$3"
}
repeat() { head -c "$1" /dev/zero | tr '\0' "$2"; }
brackets() { printf '{"text": '; repeat 1000000 '['; }
objects() { printf '{"text":%.0s' {1..20000}; }
long_key() { printf '{"'; repeat 1000000 k; printf '": 1}\n'; }
long_value() { printf '{"text": '; repeat 1000000 7; printf '}\n'; }
keys() { printf '{'; printf '"%d": 1, ' {1..20000}; printf '"text": 7}\n'; }
lists() { printf '{"text": ['; repeat 86000000 '[' | sed 's/\[/[],/g'; }
made_rows "a row of 86 million empty lists" " line 1|more than 4000000 values" rows.jsonl lists
made_rows "a row of a million brackets" " line 1|deep" rows.jsonl brackets
made_rows "objects in objects" " line 1|deep" rows.jsonl objects
made_rows "a key of a million bytes" " line 1|\"text\"" rows.jsonl long_key
made_rows "a number of a million digits" " line 1|JSON" rows.jsonl long_value
made_rows "20000 keys" " line 1|\"text\"|7" rows.jsonl keys
made_rows "a list of a million brackets" "|deep" rows.json brackets
json() {  # json NAME TEXTS CONTENT
    printf "$3" >rows.json
    train "$1" "rows.json$2" --train_data rows.json
}
json "JSON that is no list" "|list" '{"text": "the sea"}'
json "a list of rows without its end" "|JSON" '[{"text": "the sea"}, {"text": "the'
json "a list of texts" " row 1|object" '["the sea"]'
json "a list of a wrong row" " row 2|\"text\"|7" '[{"text": "a"}, {"text": 7}]'
json "an empty file of rows" "|empty" ''
for name in 'line
break' $'colour\e[31m'; do
    train "a name of control characters" "--train_data|does not exist" --train_data "$name.txt"
done
finish

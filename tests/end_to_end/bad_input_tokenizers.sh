#!/usr/bin/env bash
# Tokenizers that no program may believe: see hostile/tokenizers.cpp.
#   tests/end_to_end/bad_input_tokenizers.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_inputs
make_hostile

init "an absent tokenizer" "absent_tokenizer" --tokenizer absent_tokenizer
mkdir nothing
init "a folder without a tokenizer" "nothing|tokenizer.json" --tokenizer nothing
sed 's/"vocab_size": 300/"vocab_size": 299/' config.json >small.json
init "a vocabulary smaller than the tokenizer's" "tokenizer|300|299" --init small.json

hostile_tokenizer() {  # hostile_tokenizer NAME TEXTS FOLDER
    tokenize "$1" "$2" --tokenizer "$3" train.txt
}
for_each_hostile tokenizer hostile_tokenizer

# What was written for one model does not fit another.
cp -r hostile/gpt2 larger && cp tokenizer/*.json larger/
refused "generate: a tokenizer of more tokens than the model" "--model|257" "$bin/generate" \
    --model larger --prompt "the sea" --threads 1
refused "eval: a tokenizer of more tokens than the model" "larger|300|257" "$bin/eval" \
    --model larger --suite perplexity=eval.txt --threads 1
refused "train: a tokenizer of more tokens than the model" "larger|300|257" "$bin/train" \
    --model larger --train_data train.txt --output_dir out --max_steps 2 --threads 1

# ---- bin/tokenize ------------------------------------------------------------------------------
tokenize "no tokenizer" "--tokenizer|missing"
tokenize "an absent tokenizer" "absent" --tokenizer absent train.txt
tokenize "an absent file" "absent.txt" --tokenizer tokenizer absent.txt
tokenize "a folder for a file" "nothing" --tokenizer tokenizer nothing
tokenize "two files" "2 files|one" --tokenizer tokenizer train.txt eval.txt
ids() {  # ids NAME TEXTS CONTENT: numbers to decode
    printf -- "$3" >ids.txt
    tokenize "$1" "$2" --tokenizer tokenizer --decode --count ids.txt
}
ids "an id that is no number" "ids.txt: line 2|x4" '1 2\n3 x4\n'
ids "an id beyond the vocabulary" "300" '1 300\n'
ids "an id beyond 32 bits" "ids.txt: line 1|4294967296" '4294967296\n'
ids "an id beyond 64 bits" "ids.txt: line 1|99999999999999999999" '99999999999999999999\n'
ids "a negative id" "-1" '-1\n'
ids "an id of a fraction" "ids.txt: line 1|1.5" '1.5\n'
bpe() {  # bpe NAME TEXTS FLAGS...
    tokenize "$1" "$2" --train_bpe "${@:3}"
}
: >empty.txt
bpe "a vocabulary below the bytes" "vocab_size|100" train.txt --vocab_size 100 --output_dir out
bpe "a vocabulary beyond any text" "vocab_size" train.txt --vocab_size 9223372036854775807 \
    --output_dir out
bpe "no size" "vocab_size" train.txt --output_dir out
bpe "no output folder" "--output_dir|missing" train.txt --vocab_size 300
bpe "absent text" "absent.txt" absent.txt --vocab_size 300 --output_dir out
bpe "empty text" "empty.txt" empty.txt --vocab_size 300 --output_dir out
bpe "a folder that holds a tokenizer" "tokenizer" train.txt --vocab_size 300 --output_dir tokenizer
bpe "a file for a folder" "train.txt" train.txt --vocab_size 300 --output_dir train.txt
hostile_is_unchanged
finish

# What the scripts bad_input_*.sh share, after lib.sh: a model, and each program with flags that
# would do, so that a case adds one thing that does not.
weights=model.safetensors

train() {
    refused "train: $1" "$2" "$bin/train" --model model --train_data train.txt --output_dir out \
        --max_length 32 --max_steps 2 --threads 1 "${@:3}"
}
init() {
    refused "train: $1" "$2" "$bin/train" --init config.json --tokenizer tokenizer \
        --train_data train.txt --output_dir out --max_steps 2 --threads 1 "${@:3}"
}
bare() { refused "train: $1" "$2" "$bin/train" "${@:3}"; }
generate() {
    refused "generate: $1" "$2" "$bin/generate" --model model --prompt "the sea" --threads 1 "${@:3}"
}
eval_with() {
    refused "eval: $1" "$2" "$bin/eval" --model model --suite perplexity=eval.txt --threads 1 \
        "${@:3}"
}
tokenize() { refused "tokenize: $1" "$2" "$bin/tokenize" "${@:3}"; }
convert() {
    refused "export: $1" "$2" "$bin/export" convert --model model --output_dir out --dtype bf16 \
        "${@:3}"
}

make_model() {  # a run of two steps: a model's folder, with a checkpoint
    "$bin/train" --init config.json --tokenizer tokenizer --train_data train.txt --max_length 32 \
        --max_steps 2 --save_steps 1 --threads 1 --output_dir model 2>make_model.err ||
        { cat make_model.err >&2; exit 1; }
}
copy() { cp -r model "$1" && rm -rf "$1"/checkpoint-* "$1"/run.json "$1"/metrics.jsonl; }
# damaged FOLDER SED_SCRIPT FILE...: a copy of the model, its files edited as bytes.
damaged() {
    local folder=$1 script=$2 file
    shift 2
    copy "$folder"
    for file in "$@"; do
        sed -i "$script" "$folder/$file"
        cmp -s "$folder/$file" "model/$file" && not_ok "$folder/$file is not damaged"
    done
}
overwrite() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# make_hostile: the folder `hostile` of spoilt files and its table. The program that makes it is
# built with the tests; scripts/test.sh names it.
make_hostile() {
    local program=${FETTLE_HOSTILE:-} found
    if [ -z "$program" ]; then
        for found in "$root"/build/*/hostile; do
            [ -z "$program" ] || [ "$found" -nt "$program" ] && program=$found
        done
    fi
    [ -x "$program" ] || { echo "no $program; make tests builds it" >&2; exit 2; }
    "$program" hostile || exit 1
    hostile_before=$(find hostile -printf '%p %s %T@\n' | sort)
}
# for_each_hostile KIND COMMAND...: COMMAND NAME TEXTS PATH for each case of the table; a path that
# the case does not spell has to be in the message all the same.
for_each_hostile() {
    local wanted=$1 kind name texts path cases=0
    shift
    while IFS=$'\t' read -r kind name path texts; do
        [ "$kind" = "$wanted" ] || continue
        cases=$((cases + 1))
        "$@" "$name" "$path${texts:+|$texts}" "$path"
    done <hostile/table.tsv
    [ $cases -gt 0 ] || not_ok "there are files of kind $wanted"
}
hostile_is_unchanged() {
    check "no program changed what it was given" \
        [ "$hostile_before" = "$(find hostile -printf '%p %s %T@\n' | sort)" ]
}

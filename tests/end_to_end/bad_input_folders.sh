#!/usr/bin/env bash
# Where a program may not write, or cannot: folders that hold something, links, read-only and full
# file systems.
#   tests/end_to_end/bad_input_folders.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_inputs
make_model
make_hostile
right_file() { awk -F'\t' -v kind="$1" '$1 == kind { print $3 }' hostile/table.tsv; }

# ---- where it would write ----------------------------------------------------------------------
train "a file for an output folder" "--output_dir|train.txt" --output_dir train.txt
train "a file on the way to the output folder" "--output_dir|train.txt" --output_dir train.txt/out
train "the model's own folder" "--output_dir|model" --output_dir model
train "the model's own folder, to be overwritten" "--output_dir|model" --output_dir model/ \
    --overwrite_output_dir
train "the data's folder" "--output_dir|train.txt" --output_dir .
mkdir here && cp train.txt config.json here/
in_here() { (cd here && "$@"); }
refused "train: the config's folder, to be overwritten" "--output_dir|config.json" \
    in_here "$bin/train" --init config.json --tokenizer ../tokenizer --train_data ../train.txt \
    --output_dir . --overwrite_output_dir --max_steps 2 --threads 1
refused "train: the data's folder, to be overwritten" "--output_dir|train.txt" \
    in_here "$bin/train" --model ../model --train_data train.txt \
    --output_dir . --overwrite_output_dir --max_steps 2 --threads 1
mkdir data && cp train.txt data/
train "the folder that is the data" "--output_dir|data" --train_data data --output_dir data
cp -r model run
train "a folder that holds a run" "--output_dir|run|--overwrite_output_dir" --output_dir run
train "a model in the output folder, to be overwritten" "--output_dir|run" \
    --model run/checkpoint-1 --output_dir run --overwrite_output_dir
init "a tokenizer in the output folder, to be overwritten" "--output_dir|run" \
    --tokenizer run/checkpoint-1 --output_dir run --overwrite_output_dir
copy nan && overwrite nan/$weights $(($(stat -c %s nan/$weights) - 8)) '\377\377\377\377'
train "a bad model does not cost the old run" "nan/$weights|nan" --model nan --output_dir run \
    --overwrite_output_dir

mkdir linked away && cp model/{config.json,tokenizer*.json} linked && cp model/{model.safetensors,run.json} away
ln -s ../away/model.safetensors linked/
train "weights linked from the output folder, to be overwritten" "--output_dir|away" --model linked \
    --output_dir away --overwrite_output_dir
ln -s away/metrics.jsonl data_link.jsonl && echo '{"text": "the sea"}' >away/metrics.jsonl
train "data linked from the output folder, to be overwritten" "--output_dir|away" \
    --train_data data_link.jsonl --output_dir away --overwrite_output_dir
cp eval.txt own_text.txt
eval_with "results in place of the text" "--output|own_text.txt" --suite perplexity=own_text.txt \
    --output own_text.txt
eval_with "results in place of the model's config" "--output|config.json" --output model/config.json

# ---- links that lead nowhere -------------------------------------------------------------------
ln -s loop_b loop_a && ln -s loop_a loop_b
ln -s loop.txt loop.txt && ln -s loop.jsonl loop.jsonl && ln -s gone/nowhere dangling
many="Too many levels of symbolic links"
for link in loop.txt loop.jsonl; do
    train "$link, a loop, for data" "$link" --train_data $link
    train "$link, a loop, to evaluate on" "$link" --eval_data $link
done
train "a loop of links for a model" "loop_a" --model loop_a
train "a loop of links for the output" "loop_a" --output_dir loop_a/out
train "a loop of links for a file of flags" "loop_a" --config loop_a
init "a loop of links for a config" "loop_a" --init loop_a
init "a loop of links for a tokenizer" "loop_a" --tokenizer loop_a
train "a loop of links for a checkpoint" "loop_a" --resume_from_checkpoint loop_a
train "a link to nothing for data" "--train_data|dangling" --train_data dangling
train "a link to nothing for a model" "--model|dangling" --model ./dangling
copy unlinked && rm unlinked/$weights && ln -s gone/nowhere unlinked/$weights
train "a link to nothing for weights" "unlinked/$weights|No such file" --model unlinked
train "a link to nothing for the output" "dangling" --output_dir dangling
generate "a loop of links for a model" "loop_a" --model loop_a
refused "generate: a loop of links for a prompt" "loop_a|$many" "$bin/generate" --model model \
    --prompt_file loop_a
eval_with "a loop of links for a model" "loop_a" --model loop_a
eval_with "a loop of links for text" "loop_a" --suite perplexity=loop_a
eval_with "a loop of links for results" "loop_a" --output loop_a/e.json
tokenize "a loop of links for a tokenizer" "loop_a" --tokenizer loop_a train.txt
tokenize "a loop of links for text" "loop_a" --tokenizer tokenizer loop_a
tokenize "a loop of links for the output" "loop_a" --train_bpe train.txt --vocab_size 300 \
    --output_dir loop_a/out
tokenize "a loop of links to learn from" "loop_a" --train_bpe loop_a --vocab_size 300 \
    --output_dir out
convert "a loop of links for a model" "loop_a" --model loop_a
convert "a loop of links for the output" "loop_a" --output_dir loop_a
convert "a loop of links on the way to the output" "loop_a" --output_dir loop_a/out
gguf=$(right_file right_gguf) llama2c=$(right_file right_llama2c)
import() {  # import NAME TEXTS MODEL OUTPUT
    refused "import: $1" "$2" "$bin/export" import --from gguf --model "$3" --output_dir "$4"
}
import_llama2c() {  # import_llama2c NAME TEXTS MODEL TOKENIZER OUTPUT
    refused "import: $1" "$2" "$bin/export" import --from llama2c --model "$3" --tokenizer "$4" \
        --output_dir "$5"
}
import "a loop of links for a file" "loop_a|$many" loop_a out
import "a loop of links for the output" "loop_a" "$gguf" loop_a
import_llama2c "a loop of links for a model" "loop_a|$many" loop_a "$llama2c/tokenizer.bin" out
import_llama2c "a loop of links for a tokenizer" "loop_a|$many" "$llama2c/model.bin" loop_a out
for file in config.json model.safetensors tokenizer.json; do
    copy "looped_$file" && ln -sf $file "looped_$file/$file"
    train "a loop of links for $file" "looped_$file" --model "looped_$file"
    generate "a loop of links for $file" "looped_$file" --model "looped_$file"
done
mkfifo pipe.gguf && copy piped && rm piped/model.safetensors && mkfifo piped/model.safetensors
refused "import: a pipe for a file" "pipe.gguf|regular file" timeout 20 "$bin/export" import \
    --from gguf --model pipe.gguf --output_dir out
refused "export: a pipe for the weights" "piped/model.safetensors|regular file" timeout 20 \
    "$bin/export" convert --model piped --output_dir out --dtype bf16

# ---- read-only file systems ---------------------------------------------------------------------
if mkdir sealed && mount -t tmpfs -o ro tmpfs "$work/sealed" 2>/dev/null; then
    mounts+=("$work/sealed")
    train "a read-only file system" "--output_dir|sealed" --output_dir sealed/out
    convert "a read-only file system" "sealed/out" --output_dir sealed/out
    tokenize "a read-only file system" "sealed/out" --train_bpe train.txt --vocab_size 300 \
        --output_dir sealed/out
    eval_with "a read-only file system" "sealed/e.json" --output sealed/e.json
    import "a read-only file system" "sealed/out" "$gguf" sealed/out
    import_llama2c "a read-only file system" "sealed/out" "$llama2c/model.bin" \
        "$llama2c/tokenizer.bin" sealed/out
    cp -r model kept_run && mkdir bound && mount --bind kept_run bound &&
        mounts+=("$work/bound") && mount -o remount,bind,ro "$work/bound"
    train "a run on a read-only file system, to be overwritten" "--output_dir|bound" \
        --output_dir bound --overwrite_output_dir
    refused "train: a run on a read-only file system, to be resumed" "--output_dir|bound" \
        "$bin/train" --init config.json --tokenizer tokenizer --train_data train.txt \
        --max_length 32 --max_steps 4 --save_steps 1 --threads 1 --output_dir bound \
        --resume_from_checkpoint latest
else
    skip "read-only file systems: mounting is not allowed here"
fi
long_name=$(printf 'x%.0s' {1..256})
train "a name that is too long" "too long" --output_dir "$long_name"
train "a file that repeats without end" "--train_data|1000000" --train_data train.txt:1000000000

# ---- a full disk -------------------------------------------------------------------------------
# full NAME TEXTS KILOBYTES COMMAND...: runs in a folder of that size; the last line names the file
# and nothing half-written stays.
full() {
    local name=$1 texts=$2 size=$3 message status problem= text
    shift 3
    mount -t tmpfs -o size="${size}k" tmpfs "$work/small" || return
    message=$("$@" 2>&1 >/dev/null)
    status=$?
    [ $status -eq 2 ] || problem="exit code $status, expected 2"
    local IFS='|'
    for text in $texts; do
        case $(tail -1 <<<"$message") in *"$text"*) ;; *) problem="$problem
no \"$text\" in the last line" ;; esac
    done
    [ -z "$(find small -name '*.partial')" ] || problem="$problem
$(find small -name '*.partial')"
    umount "$work/small"
    if [ -z "$problem" ]; then ok "$name"; else not_ok "$name" "$(tail -1 <<<"$message")
$problem"; fi
}
mkdir small
if mount -t tmpfs -o size=64k tmpfs "$work/small" 2>/dev/null; then
    umount "$work/small"
    mounts+=("$work/small")
    run=("$bin/train" --model model --train_data train.txt --output_dir small/out --max_length 32
        --max_steps 20 --threads 1)
    full "train: a disk too small for the model" "small/out/model.safetensors|No space left" 64 \
        "${run[@]}"
    full "train: a disk too small for a checkpoint" "small/out/checkpoint-10|No space left" 300 \
        "${run[@]}" --save_steps 10
    full "train: a disk too small for the log" "small/out/|No space left" 8 "${run[@]}"
    full "export: a disk too small" "small/out|No space left" 64 \
        "$bin/export" convert --model model --dtype fp32 --output_dir small/out
    full "import: a disk too small for a GGUF file's model" "small/out|No space left" 8 \
        "$bin/export" import --from gguf --model "$gguf" --output_dir small/out
    full "import: a disk too small for a tokenizer" "small/out|No space left" 4 \
        "$bin/export" import --from llama2c --model "$llama2c/model.bin" \
        --tokenizer "$llama2c/tokenizer.bin" --output_dir small/out
    full "tokenize: a disk too small" "small/out|tokenizer.json|No space left" 4 \
        "$bin/tokenize" --train_bpe train.txt --vocab_size 300 --output_dir small/out
    head -c 3000 /dev/zero | tr '\0' x >filler
    full "eval: a disk too small" "small/e.json|No space left" 4 bash -c '
        cp filler small/ && "$0" --model model --suite perplexity=eval.txt --threads 1 \
            --output small/e.json' "$bin/eval"
else
    skip "full disks: mounting is not allowed here"
fi
hostile_is_unchanged

refused_output() {
    local message
    message=$("$@" 2>&1 >/dev/full)
    [ $? -eq 2 ] && case $message in *"standard output"*) true ;; *) false ;; esac
}
check "tokenize: a standard output that is full" refused_output "$bin/tokenize" \
    --tokenizer tokenizer train.txt
check "generate: a standard output that is full" refused_output "$bin/generate" --model model \
    --prompt x --max_new_tokens 4 --threads 1
check "eval: a standard output that is full" refused_output "$bin/eval" --model model \
    --suite perplexity=eval.txt --threads 1
finish

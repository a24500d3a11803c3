#!/usr/bin/env bash
# Checkpoints that a run cannot go on from.
#   tests/end_to_end/bad_input_checkpoints.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_inputs
make_model

# ---- resuming ----------------------------------------------------------------------------------
copy_run() { rm -rf run && cp -r model run; }
copy_run
# what a folder holds besides this run is not lost to a resume
copy only_model
train "resuming into a folder that holds only a model" "--output_dir|only_model" \
    --output_dir only_model --resume_from_checkpoint latest
resume() {  # resume NAME TEXTS FLAGS...: the run in `run` was of 2 steps
    refused "resume: $1" "$2" "$bin/train" --init config.json --tokenizer tokenizer \
        --train_data train.txt --max_length 32 --max_steps 2 --save_steps 1 --threads 1 \
        --output_dir run --resume_from_checkpoint latest "${@:3}"
}
cp -r model other_run
resume "into the folder of another run" "--output_dir|other_run" --output_dir other_run \
    --resume_from_checkpoint run/checkpoint-1
mkdir fed && cp train.txt fed/
feed() { rm -rf fed_run; "$bin/train" --init config.json --tokenizer tokenizer --train_data fed \
    --max_length 32 --max_steps 2 --save_steps 1 --threads 1 --output_dir fed_run 2>fed.err; }
feed && cp eval.txt fed/more.txt
resume "a file was added to the data" "more.txt|new input" --train_data fed --output_dir fed_run
rm fed/more.txt && mv fed/train.txt fed/other.txt
resume "a file was taken from the data" "fed/train.txt|input" --train_data fed --output_dir fed_run
resume "another learning rate" "checkpoint-2|--learning_rate|0.5|5e-05" --learning_rate 0.5
resume "another seed and another length" "--seed|43|42|--max_length|16" --seed 43 --max_length 16
resume "fewer steps" "--max_steps|2|1" --max_steps 1
resume "another precision" "--precision|bf16" --precision bf16
resume "more data" "--train_data|eval.txt" --train_data eval.txt
resume "an absent checkpoint" "absent" --resume_from_checkpoint absent
resume "a checkpoint without its state" "nothing|state.json" --resume_from_checkpoint nothing
cp train.txt kept.txt && echo "the sea." >>train.txt
resume "data whose contents changed" "checkpoint-2|train.txt|changed"
cp kept.txt train.txt
cp config.json kept.json && echo >>config.json
resume "a config whose contents changed" "checkpoint-2|config.json|changed"
cp kept.json config.json
cp tokenizer/tokenizer.json kept.json
sed -i '/"merges": \[/{n;N;N;N;d}' tokenizer/tokenizer.json
resume "a tokenizer whose contents changed" "checkpoint-2|tokenizer/tokenizer.json|changed"
cp kept.json tokenizer/tokenizer.json
copy_run && truncate -s -8 run/checkpoint-2/optimizer.safetensors
resume "truncated moments" "checkpoint-2/optimizer.safetensors"
copy_run && truncate -s 20 run/checkpoint-2/state.json
resume "a truncated state" "checkpoint-2/state.json"
copy_run && truncate -s -8 run/checkpoint-2/$weights
resume "a truncated model" "checkpoint-2/$weights"
copy_run && sed -i 's/moment1\.transformer\.wte/moment3.transformer.wte/' \
    run/checkpoint-2/optimizer.safetensors
resume "moments that are missing" "checkpoint-2/optimizer.safetensors|moment1.transformer.wte"


# ---- files that are missing, cut off or another model's ----------------------------------------
for file in config.json $weights optimizer.safetensors state.json; do
    copy_run && rm run/checkpoint-2/$file
    if [ $file = state.json ]; then  # it does not count, and checkpoint-1 does
        resume "without $file" "run/checkpoint-2|state.json" \
            --resume_from_checkpoint run/checkpoint-2
    else
        resume "without $file" "checkpoint-2"
    fi
    copy_run && : >run/checkpoint-2/$file
    resume "with an empty $file" "checkpoint-2/$file"
    copy_run && truncate -s "$(($(stat -c %s run/checkpoint-2/$file) / 2))" run/checkpoint-2/$file
    resume "with half of $file" "checkpoint-2/$file"
    copy_run && ln -sf $file run/checkpoint-2/$file
    resume "with a loop of links for $file" "checkpoint-2" \
        --resume_from_checkpoint run/checkpoint-2
done
sed 's/"n_embd": 32/"n_embd": 64/' config.json >wide.json
"$bin/train" --init wide.json --tokenizer tokenizer --train_data train.txt --max_length 32 \
    --max_steps 2 --save_steps 1 --threads 1 --output_dir wide 2>/dev/null
for file in config.json $weights optimizer.safetensors; do
    copy_run && cp wide/checkpoint-2/$file run/checkpoint-2/
    resume "with another model's $file" "checkpoint-2"
done
copy_run && cp wide/checkpoint-2/* run/checkpoint-2/
resume "of another model" "checkpoint-2"
for file in $weights optimizer.safetensors; do
    copy_run && overwrite run/checkpoint-2/$file \
        $(($(stat -c %s run/checkpoint-2/$file) - 4)) '\000\000\300\177'
    resume "with a number that is none in $file" "checkpoint-2/$file|nan|finite"
done

# ---- a state that lies -------------------------------------------------------------------------
state() {  # state NAME TEXTS SED_SCRIPT
    copy_run && sed -i "$3" run/checkpoint-2/state.json
    cmp -s run/checkpoint-2/state.json model/checkpoint-2/state.json &&
        not_ok "$1: the script changes nothing"
    resume "$1" "checkpoint-2|$2"
}
for key in step tokens loss_count tokens_since_log evaluations_since_best; do
    state "a state of $key -1" "state.json: $key|-1" "s/\"$key\": [0-9]*/\"$key\": -1/"
    state "a state of $key in words" "state.json: $key|two" "s/\"$key\": [0-9]*/\"$key\": \"two\"/"
    state "a state of $key 2^63" "state.json: $key|9223372036854775808" \
        "s/\"$key\": [0-9]*/\"$key\": 9223372036854775808/"
    state "a state without $key" "state.json: $key|missing" "/\"$key\":/d"
done
for key in loss_sum seconds seconds_since_log; do
    state "a state of $key in words" "state.json: $key|two" "s/\"$key\": [^,]*/\"$key\": \"two\"/"
    state "a state of $key beyond double" "state.json" "s/\"$key\": [^,]*/\"$key\": 1e999/"
    state "a state without $key" "state.json: $key|missing" "/\"$key\":/d"
done
state "a state of another step" "state.json: step|1|2" 's/"step": 2/"step": 1/'
state "a state beyond the run" "step" 's/"step": 2/"step": 1000000000/'
state "a state of negative seconds" "state.json: seconds|-1" 's/"seconds": [^,]*/"seconds": -1/'
state "a state of another format" "state.json: format|fettle-checkpoint-9" \
    's/fettle-checkpoint-1/fettle-checkpoint-9/'
state "settings that are a number" "state.json: settings|7|string" 's/"settings": .*/"settings": 7,/'
state "settings that are no JSON" "checkpoint-2" 's/"settings": .*/"settings": "{",/'
state "settings of an unknown flag" "checkpoint-2" 's/learning_rate/lerning_rate/'
state "settings of a number in words" "checkpoint-2" \
    's/\(learning_rate[\\]*": *\)[^,]*/\1[1]/'
state "no hashes" "state.json: input_hashes|object" 's/"input_hashes"/"input_hash"/'
copy_run && head -c 100000 /dev/zero | tr '\0' '[' \
    >run/checkpoint-2/state.json
resume "a state of brackets" "checkpoint-2/state.json|deep"
copy_run && echo 'no metrics' >run/metrics.jsonl
resume "a log that is none" "run/metrics.jsonl"
finish

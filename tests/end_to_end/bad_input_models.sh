#!/usr/bin/env bash
# Model folders that no program may believe; hostile/configs.cpp has most of the configurations.
#   tests/end_to_end/bad_input_models.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_inputs
make_model
make_hostile

mkdir nothing
train "an absent model" "--model|absent_folder/x/y" --model absent_folder/x/y
train "a model's name that is not in the cache" "--model|some_org/some_model" \
    --model some_org/some_model
train "a folder that is no model" "nothing|config.json" --model nothing
train "a file for a model" "train.txt" --model ./train.txt
init "an absent config" "--init|absent.json|gpt2" --init absent.json
init "a folder for a config" "--init|model" --init model

# ---- config.json -------------------------------------------------------------------------------
hostile_config() { init "$1" "$2" --init "$3"; }  # hostile_config NAME TEXTS FILE
right() { "$bin/train" --init "$3" --tokenizer tokenizer --train_data train.txt --output_dir out --dry_run; }
right_config() { check "train: the $1 config that the cases spoil" right "$@"; }
for_each_hostile right_config right_config
for_each_hostile config hostile_config

# ---- what the weights hold ---------------------------------------------------------------------
damaged wide 's/"n_embd": 32/"n_embd": 64/' config.json
train "tensors of another shape" "wide/$weights|shape|96|192" --model wide
damaged deep 's/"n_layer": 2/"n_layer": 3/' config.json
train "missing tensors" "deep/$weights|h.2.|missing" --model deep
damaged shallow 's/"n_layer": 2/"n_layer": 1/' config.json
train "tensors that the config does not know" "shallow/$weights|h.1." --model shallow
damaged renamed 's/h\.0\.ln_1\.weight/h.0.ln_9.weight/' $weights
train "a tensor of an unknown name" "renamed/$weights|ln_9" --model renamed
damaged typed 's/"F32"/"I32"/' $weights
train "tensors of whole numbers" "typed/$weights|I32|F32" --model typed
damaged shifted 's/"data_offsets":\[0,/"data_offsets":[4,/' $weights
train "offsets that do not fit" "shifted/$weights" --model shifted
copy short && truncate -s -100 short/$weights
train "truncated weights" "short/$weights" --model short
copy none && : >none/$weights
train "an empty weights file" "none/$weights" --model none
copy nan && overwrite nan/$weights $(($(stat -c %s nan/$weights) - 8)) '\377\377\377\377'
train "a weight that is no number" "nan/$weights|nan|finite" --model nan
copy inf && overwrite inf/$weights $(($(stat -c %s inf/$weights) - 4)) '\000\000\200\177'
train "an infinite weight" "inf/$weights|inf|finite" --model inf
copy absent_weights && rm absent_weights/$weights
train "a folder without weights" "absent_weights|safetensors" --model absent_weights
copy indexed && mv indexed/$weights indexed/part.safetensors
echo '{"weight_map": {"transformer.wte.weight": "other.safetensors"}}' \
    >indexed/$weights.index.json
train "an index that names an absent file" "indexed|other.safetensors" --model indexed
echo '{"weight_map": {"transformer.wte.weight": "../model/model.safetensors"}}' \
    >indexed/$weights.index.json
train "an index that leaves its folder" "indexed|../model" --model indexed
copy pickled && mv pickled/$weights pickled/pytorch_model.bin
train "weights that only Python reads" "pickled|pytorch_model.bin|safetensors" --model pickled

# A config of sizes that the weights next to it do not have is refused before memory is asked for.
damaged vast 's/"n_layer": 2/"n_layer": 4096/; s/"n_embd": 32/"n_embd": 4096/; s/"n_head": 2/"n_head": 64/' \
    config.json
damaged broad 's/"n_positions": 64/"n_positions": 200000000/' config.json
for folder in vast broad; do
    train "a model that $folder/config.json makes too large" "$folder/$weights|shape" --model $folder
    generate "a model that $folder/config.json makes too large" "$folder/$weights|shape" \
        --model $folder
    eval_with "a model that $folder/config.json makes too large" "$folder/$weights|shape" \
        --model $folder
    convert "a model that $folder/config.json makes too large" "$folder/$weights|shape" \
        --model $folder
done
init "a model larger than the memory" "memory|MiB|available" --init vast/config.json

# A model that allows more positions than anyone uses takes no memory for them.
cp -r hostile/llama patient &&
    sed -i 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 268435456/' \
        patient/config.json
check "generate: a model of 2^28 positions takes the memory of those in use" within_limits \
    "$bin/generate" --model patient --prompt "the sea" --max_new_tokens 40 --threads 1

# ---- programs but bin/train --------------------------------------------------------------------
generate "an absent model" "--model|./absent" --model ./absent
generate "weights that are no numbers" "nan/$weights|nan" --model nan
generate "missing tensors" "deep/$weights|missing" --model deep
eval_with "missing tensors" "deep/$weights|missing" --model deep
convert "missing tensors" "deep/$weights|missing" --model deep
convert "weights that are no numbers" "nan/$weights|nan" --model nan
convert "an absent model" "--model|./absent" --model ./absent
copy big && overwrite big/$weights $(($(stat -c %s big/$weights) - 4)) '\000\000\200\112'
convert "a weight beyond fp16" "4194304|float16" --model big --dtype fp16
hostile_is_unchanged
finish

#!/usr/bin/env bash
# What a program cannot use it refuses: exit code 2, one line on stderr that names the file or the
# flag, what was found and what was expected, nothing on stdout, and no file made or changed.
#   tests/end_to_end/bad_input.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
make_inputs

# Each program with flags that would do, so that a case adds one thing that does not.
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
make_model
copy() { cp -r model "$1" && rm -rf "$1"/checkpoint-* "$1"/run.json "$1"/metrics.jsonl; }
# damaged FOLDER SED_SCRIPT FILE...: a copy of the model, its files edited as bytes.
damaged() {
    local folder=$1 script=$2 file
    shift 2
    copy "$folder"
    for file in "$@"; do
        sed -i "$script" "$folder/$file"
        cmp -s "$folder/$file" "model/$file" && echo "# $folder/$file is not damaged" >&2
    done
}
overwrite() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# ---- flags -------------------------------------------------------------------------------------
bare "an unknown flag" "--lernin_rate|--learning_rate" --lernin_rate 1
bare "an unknown flag that resembles nothing" "--zzzzzzzzzz|--help" --zzzzzzzzzz 1
bare "a flag with one dash" "-model|two dashes" -model x
bare "a word without a flag" "model|--" model
bare "a flag without its value" "--model|no value" --model
bare "no model" "--model|missing" --train_data train.txt --output_dir out
bare "both --model and --init" "--init|--model" --model model --init config.json \
    --train_data train.txt --output_dir out
bare "--init without --tokenizer" "--tokenizer|missing" --init config.json \
    --train_data train.txt --output_dir out
bare "no data" "--train_data|missing" --model model --output_dir out
bare "no output folder" "--output_dir|missing" --model model --train_data train.txt
train "a negative learning rate" "--learning_rate|at least 0|-1" --learning_rate -1
train "a learning rate that is no number" "--learning_rate|number|fast" --learning_rate fast
train "a learning rate of nan" "--learning_rate|nan" --learning_rate nan
train "a number with a tail" "--learning_rate|1e-3x" --learning_rate 1e-3x
train "a batch of 0 rows" "--per_device_train_batch_size|from 1 to 1000000|0" \
    --per_device_train_batch_size 0
train "a batch of 2.5 rows" "--per_device_train_batch_size|whole|2.5" \
    --per_device_train_batch_size 2.5
train "a batch beyond 64 bits" "--per_device_train_batch_size|99999999999999999999" \
    --per_device_train_batch_size 99999999999999999999
train "no accumulation" "--gradient_accumulation_steps|0" --gradient_accumulation_steps 0
train "a dropout of 1" "--dropout|below 1" --dropout 1
train "a beta of 1" "--adam_beta2|below 1" --adam_beta2 1
train "0 epochs" "--num_train_epochs|0" --max_steps -1 --num_train_epochs 0
train "a length of 1" "--max_length|at least 2|1" --max_length 1
train "a length above the positions" "--max_length|65|64" --max_length 65
train "a split that leaves nothing" "--eval_split|1" --eval_split 1
train "an unknown schedule" "--lr_scheduler_type|linear|sawtooth" --lr_scheduler_type sawtooth
train "an argument that the schedule has not" "--lr_scheduler_kwargs|min_lr" \
    --lr_scheduler_kwargs '{"min_lr": 1e-6}'
train "schedule arguments that are no JSON" "--lr_scheduler_kwargs" \
    --lr_scheduler_type cosine_with_min_lr --lr_scheduler_kwargs '{min_lr'
train "an unknown precision" "--precision|fp32|int8" --precision int8
train "a boolean that is none" "--packing|true|maybe" --packing=maybe
train "--fp16" "--fp16|bf16" --fp16
train "--warmup_ratio" "--warmup_ratio|--warmup_steps" --warmup_ratio 0.1
train "--eval_steps without data" "--eval_steps|--eval_data" --eval_steps 5
train "--eval_strategy steps without data" "--eval_strategy|--eval_data" --eval_strategy steps
train "an epsilon of 0" "--adam_epsilon|0" --adam_epsilon 0
train "a batch beyond counting" "--per_device_train_batch_size|1000000" \
    --per_device_train_batch_size 9223372036854775807
train "epochs beyond counting" "--num_train_epochs|1000000" --num_train_epochs 1e300
cp eval.txt split.txt
train "a domain of the name of --eval_split's" "--eval_data|split" --eval_data split.txt \
    --eval_split 0.1
sed 's/"n_head": *[0-9]*/"n_head": 1/; s/"n_embd": *[0-9]*/"n_embd": 512/' config.json >wide.json
init "heads wider than attention's tiles" "wide.json|head_dim|512|256" --init wide.json
train "the best model without evaluations" "--load_best_model_at_end|--eval_data" \
    --load_best_model_at_end
train "a metric that is never measured" "--metric_for_best_model|eval_lost" \
    --eval_data eval.txt --load_best_model_at_end --metric_for_best_model eval_lost
train "overwriting and resuming" "--overwrite_output_dir|--resume_from_checkpoint" \
    --overwrite_output_dir --resume_from_checkpoint latest
train "--device cuda" "--device|cuda" --device cuda
train "--device simt" "--device|simt|cpu" --device simt
train "an unknown device" "--device|tpu|cpu" --device tpu
train "too many threads" "--threads|1024" --threads 5000
train "a negative seed" "--seed|-3" --seed -3

# ---- files of flags ----------------------------------------------------------------------------
yaml() {  # yaml NAME TEXTS CONTENT
    printf "$3" >flags.yaml
    train "$1" "$2" --config flags.yaml
}
yaml "an unknown key in YAML" "flags.yaml:2|lerning_rate|learning_rate" \
    "max_length: 32\nlerning_rate: 1\n"
yaml "a key twice in YAML" "flags.yaml:3|max_length|line 1" \
    "max_length: 32\nseed: 1\nmax_length: 16\n"
yaml "a word for a number in YAML" "flags.yaml:1|learning_rate|fast" "learning_rate: fast\n"
yaml "a list for a number in YAML" "flags.yaml:1|learning_rate|list" "learning_rate: [1, 2]\n"
yaml "a mapping in YAML" "flags.yaml:1|mapping" "lr_scheduler_kwargs: {min_lr: 1}\n"
yaml "text that is no YAML" "flags.yaml:2|YAML" "max_length: 32\n]\n"
yaml "YAML that is a list" "flags.yaml|flag: value" "[a, b]\n"
yaml "a number out of range in YAML" "flags.yaml:1|dropout|below 1" "dropout: 1.5\n"
yaml "YAML that names another file" "flags.yaml:1|config" "config: other.yaml\n"
train "an absent file of flags" "absent.yaml" --config absent.yaml

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
    train "$1" "$2" --train_data rows.jsonl
}
rows "a JSONL row that is no JSON" "rows.jsonl line 2" '{"text": "the sea"}\n{"text": \n'
rows "a JSONL row without text" "rows.jsonl line 3|\"text\"" \
    '{"text": "the sea"}\n\n{"txt": "the sea"}\n'
rows "a JSONL row whose text is a number" "rows.jsonl line 1|\"text\"|7" '{"text": 7}\n'
rows "a JSONL row that is a list" "rows.jsonl line 1|object" '["the sea"]\n'
printf '{"text": "the sea"}' >rows.json
train "JSON that is no list" "rows.json|list" --train_data rows.json

# ---- model folders -----------------------------------------------------------------------------
train "an absent model" "--model|absent_folder/x/y" --model absent_folder/x/y
train "a model's name that is not in the cache" "--model|some_org/some_model" \
    --model some_org/some_model
train "a folder that is no model" "nothing|config.json" --model nothing
train "a file for a model" "train.txt" --model ./train.txt
init "an absent config" "--init|absent.json|gpt2" --init absent.json
init "a folder for a config" "--init|model" --init model
config() {  # config NAME TEXTS SED_SCRIPT: --init with that change to config.json
    sed "$3" config.json >changed.json
    cmp -s config.json changed.json && not_ok "$1: the script changes nothing"
    init "$1" "$2" --init changed.json
}
config "a config that is no JSON" "JSON" 's/"n_layer": 2,/"n_layer" 2,/'
config "an unknown model_type" "model_type|bert|gpt2" 's/"gpt2"/"bert"/'
config "no model_type" "model_type" 's/"model_type": "gpt2",//'
config "an unknown activation" "activation_function|relu|gelu_new" 's/gelu_new/relu/'
config "a number as text" "n_layer|\"2\"" 's/"n_layer": 2/"n_layer": "2"/'
config "heads that do not divide the width" "n_head|3|32" 's/"n_head": 2/"n_head": 3/'
config "a vocabulary of 0" "vocab_size|0" 's/"vocab_size": 300/"vocab_size": 0/'
config "a negative width" "n_embd|-32" 's/"n_embd": 32/"n_embd": -32/'
config "a width beyond belief" "n_embd" 's/"n_embd": 32/"n_embd": 3200000000/'
config "no number of layers" "n_layer" 's/"n_layer": 2,//'
config "a quantised model" "quantization_config" 's/{/{"quantization_config": {"bits": 4}, /'
config "a vocabulary smaller than the tokenizer's" "tokenizer|300|299" \
    's/"vocab_size": 300/"vocab_size": 299/'
cat >llama.json <<'JSON'
{"model_type": "llama", "hidden_act": "silu", "vocab_size": 300, "hidden_size": 32,
 "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
 "max_position_embeddings": 64, "rope_theta": 10000.0}
JSON
llama() {  # llama NAME TEXTS SED_SCRIPT
    sed "$3" llama.json >changed.json
    init "$1" "changed.json|$2" --init changed.json
}
llama "an unknown RoPE type" "rope_type|yarn|llama3" \
    's/10000.0/10000.0, "rope_scaling": {"rope_type": "yarn", "factor": 2}/'
llama "RoPE scaling without its factor" "factor" \
    's/10000.0/10000.0, "rope_scaling": {"rope_type": "linear"}/'
llama "RoPE on part of a head" "partial_rotary_factor|0.5" \
    's/10000.0/10000.0, "partial_rotary_factor": 0.5/'
llama "a sliding window" "sliding_window|16|null" 's/"llama"/"mistral", "sliding_window": 16/'
llama "Mistral's own window" "sliding_window|null|max_position_embeddings" \
    's/"llama"/"mistral"/; s/positions": 64/positions": 8192/; s/embeddings": 64/embeddings": 8192/'
llama "layers with a window" "layer_types|sliding_attention" \
    's/"llama"/"qwen3", "layer_types": ["sliding_attention"]/'
llama "key heads that do not divide" "num_key_value_heads|3" \
    's/"llama"/"llama", "num_key_value_heads": 3/'
llama "another activation" "hidden_act|gelu|silu" 's/silu/gelu/'

weights=model.safetensors
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
copy cut && truncate -s 40 cut/$weights
train "a truncated header" "cut/$weights" --model cut
copy none && : >none/$weights
train "an empty weights file" "none/$weights" --model none
copy long && echo tail >>long/$weights
train "bytes behind the weights" "long/$weights" --model long
copy huge && overwrite huge/$weights 0 '\377\377\377\377\377\377\377\177'
train "a header of an absurd length" "huge/$weights" --model huge
copy scrambled && overwrite scrambled/$weights 8 'xxxx'
train "a header that is no JSON" "scrambled/$weights" --model scrambled
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

# ---- tokenizers --------------------------------------------------------------------------------
init "an absent tokenizer" "absent_tokenizer" --tokenizer absent_tokenizer
init "a folder without a tokenizer" "nothing|tokenizer.json" --tokenizer nothing
broken() {  # broken NAME TEXTS SED_SCRIPT
    rm -rf broken && cp -r tokenizer broken && sed -i "$3" broken/tokenizer.json
    cmp -s broken/tokenizer.json tokenizer/tokenizer.json && not_ok "$1: nothing is broken"
    init "$1" "broken/tokenizer.json|$2" --tokenizer broken
}
broken "a tokenizer that is no JSON" "" '1s/{//'
broken "a tokenizer of another kind" "WordPiece|BPE" 's/"type": *"BPE"/"type": "WordPiece"/'
broken "an unknown pre-tokenizer" "pre_tokenizer|Whitespace|ByteLevel" \
    '/"pre_tokenizer"/,/}/s/"ByteLevel"/"Whitespace"/'
broken "a merge of unknown tokens" "merge 0|qqq|vocabulary" 's/"merges": *\[/"merges": ["qqq zzz",/'
broken "a merge that is no pair" "merge 0|qqq|two tokens" 's/"merges": *\[/"merges": ["qqq",/'

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
train "a bad model does not cost the old run" "nan/$weights|nan" --model nan --output_dir run \
    --overwrite_output_dir
if mkdir sealed && mount -t tmpfs -o ro tmpfs "$work/sealed" 2>/dev/null; then
    mounts+=("$work/sealed")
    train "a read-only file system" "--output_dir|sealed" --output_dir sealed/out
    convert "a read-only file system" "sealed/out" --output_dir sealed/out
    tokenize "a read-only file system" "sealed/out" --train_bpe train.txt --vocab_size 300 \
        --output_dir sealed/out
    eval_with "a read-only file system" "sealed/e.json" --output sealed/e.json
else
    skip "read-only file systems: mounting is not allowed here"
fi

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
ln -s loop_b loop_a && ln -s loop_a loop_b
train "a loop of links for data" "loop_a" --train_data loop_a
train "a loop of links for a model" "loop_a" --model loop_a
train "a loop of links for the output" "loop_a" --output_dir loop_a/out
long_name=$(printf 'x%.0s' {1..256})
train "a name that is too long" "too long" --output_dir "$long_name"
train "a file that repeats without end" "--train_data|1000000" --train_data train.txt:1000000000

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

# ---- the other programs ------------------------------------------------------------------------
generate "an unknown flag" "--temprature|--temperature" --temprature 1
generate "a negative temperature" "--temperature|at least 0|-1" --temperature -1
generate "a top_p of 0" "--top_p|0" --top_p 0
generate "a top_p above 1" "--top_p|1.5" --top_p 1.5
generate "a negative top_k" "--top_k|-1" --top_k -1
generate "no tokens" "--max_new_tokens|0" --max_new_tokens 0
generate "no sequences" "--num_return_sequences|0" --num_return_sequences 0
generate "a repetition penalty of 0" "--repetition_penalty|0" --repetition_penalty 0
generate "an unknown output" "--output|json|xml" --output xml
generate "a prompt twice" "--prompt|--prompt_file" --prompt_file train.txt
generate "an absent model" "--model|./absent" --model ./absent
generate "weights that are no numbers" "nan/$weights|nan" --model nan
generate "missing tensors" "deep/$weights|missing" --model deep
long_prompt=$(printf 'the sea %.0s' {1..80})
generate "a prompt beyond the positions" "--prompt|64" --prompt "$long_prompt"
generate "a device that it has not" "--device|simt" --device simt
refused "generate: no model" "--model|required" "$bin/generate" --prompt x
refused "generate: no prompt" "--prompt" "$bin/generate" --model model
refused "generate: an absent prompt file" "absent.txt" "$bin/generate" --model model \
    --prompt_file absent.txt

eval_with "an unknown suite" "--suite|sagacity|perplexity" --suite sagacity=eval.txt
eval_with "a suite without data" "--suite|perplexity|NAME=PATH" --suite perplexity
eval_with "absent data" "--suite|absent.txt" --suite perplexity=absent.txt
eval_with "empty data" "empty.txt|empty" --suite perplexity=empty.txt
eval_with "a length above the positions" "--max_length|65|64" --max_length 65
eval_with "a batch of 0 tokens" "--batch_tokens|0" --batch_tokens 0
eval_with "an absent folder to write to" "absent/e.json" --output absent/e.json
eval_with "missing tensors" "deep/$weights|missing" --model deep
eval_with "a device that it has not" "--device|simt" --device simt
refused "eval: no suite" "--suite|required" "$bin/eval" --model model
refused "eval: no model" "--model|required" "$bin/eval" --suite perplexity=eval.txt

tokenize "no tokenizer" "--tokenizer|missing"
tokenize "an absent tokenizer" "absent" --tokenizer absent train.txt
tokenize "an absent file" "absent.txt" --tokenizer tokenizer absent.txt
tokenize "a folder for a file" "model" --tokenizer tokenizer model
tokenize "two files" "2 files|one" --tokenizer tokenizer train.txt eval.txt
printf '1 2\n3 x4\n' >ids.txt
tokenize "an id that is no number" "ids.txt: line 2|x4" --tokenizer tokenizer --decode --count \
    ids.txt
printf '1 300\n' >ids.txt
tokenize "an id beyond the vocabulary" "300" --tokenizer tokenizer --decode ids.txt
printf -- '-1\n' >ids.txt
tokenize "a negative id" "-1" --tokenizer tokenizer --decode ids.txt
tokenize "a vocabulary below the bytes" "vocab_size|100" --train_bpe train.txt --vocab_size 100 \
    --output_dir out
tokenize "no size" "vocab_size" --train_bpe train.txt --output_dir out
tokenize "no output folder" "--output_dir|missing" --train_bpe train.txt --vocab_size 300
tokenize "absent text" "absent.txt" --train_bpe absent.txt --vocab_size 300 --output_dir out
tokenize "empty text" "empty.txt" --train_bpe empty.txt --vocab_size 300 --output_dir out
tokenize "a folder that holds a tokenizer" "tokenizer" --train_bpe train.txt --vocab_size 300 \
    --output_dir tokenizer
tokenize "a file for a folder" "train.txt" --train_bpe train.txt --vocab_size 300 \
    --output_dir train.txt

refused "export: no command" "convert" "$bin/export"
refused "export: an unknown command" "convert|transmute" "$bin/export" transmute
convert "an unknown type" "--dtype|int8|bf16" --dtype int8
convert "the model's own folder" "--output_dir|model" --output_dir model
convert "a folder in the model's" "--output_dir|model" --output_dir model/out
convert "a folder that holds something" "data" --output_dir data
convert "a file for a folder" "train.txt" --output_dir train.txt
convert "missing tensors" "deep/$weights|missing" --model deep
convert "weights that are no numbers" "nan/$weights|nan" --model nan
convert "an absent model" "--model|./absent" --model ./absent
copy big && overwrite big/$weights $(($(stat -c %s big/$weights) - 4)) '\000\000\200\112'
convert "a weight beyond fp16" "4194304|float16" --model big --dtype fp16

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
    full "tokenize: a disk too small" "small/out/tokenizer.json|No space left" 4 \
        "$bin/tokenize" --train_bpe train.txt --vocab_size 300 --output_dir small/out
    head -c 3000 /dev/zero | tr '\0' x >filler
    full "eval: a disk too small" "small/e.json|No space left" 4 bash -c '
        cp filler small/ && "$0" --model model --suite perplexity=eval.txt --threads 1 \
            --output small/e.json' "$bin/eval"
else
    skip "full disks: mounting is not allowed here"
fi
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

#!/usr/bin/env bash
# Flags and files of flags that no program can use: exit code 2, one line on stderr that names the
# flag, what was found and what was expected, nothing on stdout, and no file made or changed.
#   tests/end_to_end/bad_input_flags.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_inputs
make_model

has_gpu() { ls /dev/nvidia[0-9]* >/dev/null 2>&1; }

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
has_gpu || train "--device cuda" "--device|cuda" --device cuda
train "an unknown device" "--device|tpu|cpu" --device tpu
train "steps beyond counting" "--max_steps" --max_steps 9223372036854775808
train "a warmup beyond counting" "--warmup_steps" --warmup_steps 1e300
train "a rate beyond any" "--learning_rate|inf" --learning_rate inf
train "a decay below 0" "--weight_decay|-1" --weight_decay -1
train "threads in words" "--threads|two" --threads two
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
train "a folder for a file of flags" "model|folder|file" --config model
yaml "an empty name in YAML" "flags.yaml:1" ": 3\n"
yaml "a list for a name in YAML" "flags.yaml:1|name of a flag" "[a, b]: 3\n"
yaml "a tab that indents in YAML" "flags.yaml:2|YAML" "max_length:\n\t- 32\n"
yaml "two documents in YAML" "flags.yaml:2|expected one document" "seed: 1\n---\nseed: 2\n"
yaml "a list in a list in YAML" "flags.yaml:1|train_data|list" "train_data: [[a]]\n"
yaml "an anchor that is not there in YAML" "flags.yaml:1|YAML" "seed: *there\n"
yaml "an anchor in itself in YAML" "flags.yaml:1" "train_data: &a [*a]\n"
yaml "a number beyond 64 bits in YAML" "flags.yaml:1|seed|99999999999999999999" \
    "seed: 99999999999999999999\n"
yaml "a number beyond double in YAML" "flags.yaml:1|learning_rate|1e999" "learning_rate: 1e999\n"
yaml "no number in YAML" "flags.yaml:1|learning_rate|.nan" "learning_rate: .nan\n"
yaml "a zero byte in YAML" "flags.yaml" "seed: 1\0\n"
yaml "bytes that are no text in YAML" "flags.yaml" "\377\376seed: 1\n"
made_yaml() {  # made_yaml NAME TEXTS COMMAND...: what the command prints
    "${@:3}" >flags.yaml
    train "$1" "$2" --config flags.yaml
}
repeat() { head -c "$1" /dev/zero | tr '\0' "$2"; }
brackets() { printf 'train_data: '; repeat 100000 '['; }
braces() { printf 'train_data: '; repeat 100000 '{'; }
dashes() { local i; for ((i = 0; i < 20000; ++i)); do printf -- '- '; done; }
laughs() {  # each line is ten of the one before: 10^9 in all
    local i ten
    echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
    for i in {1..9}; do
        ten=$(printf "*a$((i - 1)), %.0s" {1..10})
        echo "a$i: &a$i [${ten%, }]"
    done
    echo 'train_data: *a9'
}
made_yaml "100000 brackets in YAML" "flags.yaml" brackets
made_yaml "100000 braces in YAML" "flags.yaml" braces
made_yaml "20000 lists in lists in YAML" "flags.yaml" dashes
made_yaml "a billion laughs in YAML" "flags.yaml" laughs
made_yaml "a file of flags of 20 MB" "flags.yaml|1048576 bytes" repeat 20000000 'x'
made_yaml "a comment of 20 MB" "flags.yaml|1048576 bytes" repeat 20000000 '#'

# ---- the other programs ------------------------------------------------------------------------
generate "an unknown flag" "--temprature|--temperature" --temprature 1
generate "a negative temperature" "--temperature|at least 0|-1" --temperature -1
generate "a top_p of 0" "--top_p|0" --top_p 0
generate "a top_p above 1" "--top_p|1.5" --top_p 1.5
generate "a negative top_k" "--top_k|-1" --top_k -1
generate "no tokens" "--max_new_tokens|0" --max_new_tokens 0
generate "more tokens than may be" "--max_new_tokens|1000000000|9223372036854775807" \
    --max_new_tokens 9223372036854775807
generate "tokens beyond 64 bits" "--max_new_tokens" --max_new_tokens 9223372036854775808
generate "a top_k beyond counting" "--top_k|4294967296" --top_k 4294967296
generate "a temperature that is no number" "--temperature|nan" --temperature nan
generate "a million sequences" "--num_return_sequences|1024" --num_return_sequences 1000000
generate "no sequences" "--num_return_sequences|0" --num_return_sequences 0
generate "a repetition penalty of 0" "--repetition_penalty|0" --repetition_penalty 0
generate "an unknown output" "--output|json|xml" --output xml
generate "a prompt twice" "--prompt|--prompt_file" --prompt_file train.txt
long_prompt=$(printf 'the sea %.0s' {1..80})
generate "a prompt beyond the positions" "--prompt|64" --prompt "$long_prompt"
has_gpu || generate "a device that it has not" "--device|cuda" --device cuda
refused "generate: no model" "--model|required" "$bin/generate" --prompt x
refused "generate: no prompt" "--prompt" "$bin/generate" --model model
refused "generate: an absent prompt file" "absent.txt" "$bin/generate" --model model \
    --prompt_file absent.txt

: >empty.txt
eval_with "an unknown suite" "--suite|sagacity|perplexity" --suite sagacity=eval.txt
eval_with "a suite without data" "--suite|perplexity|NAME=PATH" --suite perplexity
eval_with "absent data" "--suite|absent.txt" --suite perplexity=absent.txt
eval_with "empty data" "empty.txt|empty" --suite perplexity=empty.txt
eval_with "a length above the positions" "--max_length|65|64" --max_length 65
eval_with "a batch that no memory holds" "--batch_tokens" --batch_tokens 9223372036854775807
eval_with "a batch of a billion tokens" "--batch_tokens" --batch_tokens 1000000000
eval_with "a length below 2" "--max_length|1" --max_length 1
eval_with "a batch of 0 tokens" "--batch_tokens|0" --batch_tokens 0
eval_with "an absent folder to write to" "absent/e.json" --output absent/e.json
has_gpu || eval_with "a device that it has not" "--device|cuda" --device cuda
refused "eval: no suite" "--suite|required" "$bin/eval" --model model
refused "eval: no model" "--model|required" "$bin/eval" --suite perplexity=eval.txt

refused "export: no command" "convert" "$bin/export"
refused "export: an unknown command" "convert|transmute" "$bin/export" transmute
import() {  # import NAME TEXTS FLAGS...
    refused "import: $1" "$2" "$bin/export" import "${@:3}"
}
import "nothing" "--from|required"
import "no file" "--model|required" --from gguf --output_dir out
import "no output folder" "--output_dir|required" --from gguf --model config.json
import "an unknown kind" "--from|gguf|onnx" --from onnx --model config.json --output_dir out
import "an absent file" "absent.gguf|opened" --from gguf --model absent.gguf --output_dir out
import "a folder for a file" "tokenizer|regular file" --from gguf --model tokenizer --output_dir out
import "a GGUF file's tokenizer" "--tokenizer|none" --from gguf --model config.json \
    --tokenizer tokenizer --output_dir out
import "a model of llama2.c without tokenizer" "--tokenizer|required" --from llama2c \
    --model config.json --output_dir out
import "an absent tokenizer" "absent.bin|opened" --from llama2c --model config.json \
    --tokenizer absent.bin --output_dir out
import "an unknown type" "--dtype|int8" --from gguf --model config.json --dtype int8 \
    --output_dir out
import "text for a GGUF file" "config.json|GGUF" --from gguf --model config.json --output_dir out
import "text for a llama2.c file" "config.json|expected" --from llama2c --model config.json \
    --tokenizer train.txt --output_dir out
convert "an unknown type" "--dtype|int8|bf16" --dtype int8
convert "the model's own folder" "--output_dir|model" --output_dir model
convert "a folder in the model's" "--output_dir|model" --output_dir model/out
convert "a folder that holds something" "tokenizer" --output_dir tokenizer
convert "a file for a folder" "train.txt" --output_dir train.txt
finish

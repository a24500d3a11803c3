#!/usr/bin/env bash
# Trains the demo's base model (train/demo/base) from public-domain text, on a CPU.
#   scripts/train_demo_base.sh DATA_DIR WORK_DIR
# DATA_DIR holds gutenberg/*.txt, moby_dick/data.txt and sotu/sotu_all.txt (their sources are in
# train/demo/base/README.md). WORK_DIR receives corpus, tokenizer, run and the finished folder
# base/. About half an hour on two cores; a stopped run goes on where it was.
set -euo pipefail
data=$1 work=$2
cd "$(dirname "$0")/.."

[ -d "$work/corpus" ] || scripts/make_demo_corpus.sh "$data" "$work/corpus"
train=$work/corpus/train valid=$work/corpus/valid
[ -f "$work/tokenizer/tokenizer.json" ] ||
    bin/tokenize --train_bpe "$train"/*.txt --vocab_size 2048 --output_dir "$work/tokenizer"

cat >"$work/config.json" <<'JSON'
{
  "architectures": ["GPT2LMHeadModel"],
  "model_type": "gpt2",
  "activation_function": "gelu_new",
  "vocab_size": 2048,
  "n_positions": 256,
  "n_embd": 160,
  "n_layer": 5,
  "n_head": 5,
  "n_inner": null,
  "layer_norm_epsilon": 1e-05,
  "initializer_range": 0.02,
  "tie_word_embeddings": true,
  "embd_pdrop": 0.0,
  "attn_pdrop": 0.0,
  "resid_pdrop": 0.0,
  "bos_token_id": 0,
  "eos_token_id": 0
}
JSON

# Two stages: the learning rate falls slowly while the model sees most of its text, then to zero.
# The novels count three times: the addresses alone are three quarters of the bytes.
stage() {
    local folder=$1
    shift
    bin/train "$@" --save_dtype bf16 \
        --train_data "$train/sotu.txt,$train/alice.txt:3,$train/frankenstein.txt:3" \
        --train_data "$train/moby_dick.txt:3,$train/pride_and_prejudice.txt:3" \
        --train_data "$train/sherlock_holmes.txt:3" \
        --eval_data "$valid/novels.txt,$valid/sotu.txt" --eval_steps 250 \
        --max_length 256 --per_device_train_batch_size 32 --weight_decay 0.1 --adam_beta2 0.98 \
        --logging_steps 50 --save_steps 250 --report_to none \
        --output_dir "$folder" --resume_from_checkpoint latest
}
stage "$work/first" --init "$work/config.json" --tokenizer "$work/tokenizer" --max_steps 1354 \
    --learning_rate 3e-3 --lr_scheduler_type polynomial --lr_scheduler_kwargs '{"lr_end": 1.7e-3}' \
    --warmup_steps 100
stage "$work/second" --model "$work/first" --max_steps 600 --learning_rate 1.7e-3 \
    --lr_scheduler_type linear --warmup_steps 20 --seed 43

mkdir -p "$work/base"
cp "$work/second"/{config.json,model.safetensors,tokenizer.json,tokenizer_config.json} "$work/base/"
bin/eval --model "$work/base" --max_length 256 \
    --suite "perplexity=$valid/novels.txt" --suite "perplexity=$valid/sotu.txt" \
    --output "$work/base_eval.json"

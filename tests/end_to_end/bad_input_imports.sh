#!/usr/bin/env bash
# Model files of other programs that lie, and model folders whose weights do: see hostile/.
#   tests/end_to_end/bad_input_imports.sh BIN_FOLDER
. "$(dirname "$0")/lib.sh"
. "$root/tests/end_to_end/lib_bad_input.sh"
make_hostile

gguf() {  # gguf NAME TEXTS FILE
    refused "gguf: $1" "$2" "$bin/export" import --from gguf --model "$3" --output_dir out
}
llama2c() {  # llama2c NAME TEXTS FOLDER
    refused "llama2c: $1" "$2" "$bin/export" import --from llama2c --model "$3/model.bin" \
        --tokenizer "$3/tokenizer.bin" --output_dir out
}
folder() {  # folder NAME TEXTS FOLDER
    refused "weights: $1" "$2" "$bin/export" convert --model "$3" --output_dir out --dtype bf16
}

# What is spoilt below is right before.
works() { "$bin/export" "$@" --output_dir out 2>&1; local status=$?; rm -rf out; return $status; }
right() { awk -F'\t' -v kind="$1" '$1 == kind { print $3 }' hostile/table.tsv; }
check "gguf: the file that the cases spoil is imported" \
    works import --from gguf --model "$(right right_gguf)"
check "llama2c: the files that the cases spoil are imported" works import --from llama2c \
    --model "$(right right_llama2c)/model.bin" --tokenizer "$(right right_llama2c)/tokenizer.bin"
check "weights: the folder that the cases spoil is converted" \
    works convert --model "$(right right_weights)" --dtype bf16

for_each_hostile gguf gguf
for_each_hostile llama2c llama2c
for_each_hostile weights folder
hostile_is_unchanged
finish

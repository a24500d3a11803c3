#!/usr/bin/env python3
"""Whether the pre-tokenizers that GGUF files name cut as Fettle takes them to: llama.cpp's own word.

    python scripts/check_gguf_names.py

Each small golden vocabulary (tests/golden/tokenizer) is written as a GGUF file under each of the
names that model/text/foreign_tokenizer.cpp knows for its cut, and llama.cpp tokenizes the golden
strings with it. Its ids must equal Hugging Face's, which the tests hold Fettle to. Left out are
strings with what llama.cpp lacks: NFC, and added tokens that take the space around them. Exit code
1 if any differ.

Needs: pip install gguf llama-cpp-python.
"""

import json
import pathlib
import sys
import tempfile
import unicodedata

import gguf
from llama_cpp import Llama

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/tokenizer"
NAMES = {
    "small_gpt2": ["gpt-2", "phi-2"],
    "small_smollm": ["smollm", "starcoder", "refact"],
    "small_llama3": ["llama-bpe", "llama3", "llama-v3"],
    "small_qwen": ["qwen2", "deepseek-r1-qwen"],
}
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def golden_ids(folder):
    lines = (GOLDEN / f"{folder}.ids").read_text().splitlines()
    return [[DIGITS.index(line[i]) * 64 + DIGITS.index(line[i + 1])
             for i in range(0, len(line), 2)] for line in lines]


def write_gguf(path, folder, name):
    tokenizer = json.loads((GOLDEN / folder / "tokenizer.json").read_text())
    added = {token["id"]: token for token in tokenizer["added_tokens"]}
    tokens = {id_: token for token, id_ in tokenizer["model"]["vocab"].items()}
    tokens.update({id_: token["content"] for id_, token in added.items()})
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list([tokens[i] for i in range(len(tokens))])
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    for id_, token in added.items():
        kinds[id_] = (gguf.TokenType.CONTROL if token["special"] else
                      gguf.TokenType.USER_DEFINED)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return tokenizer


def differences(path, tokenizer, strings, expected):
    llama = Llama(str(path), vocab_only=True, verbose=False)
    normalizes = tokenizer["normalizer"] is not None
    greedy = [t["content"] for t in tokenizer["added_tokens"] if t["lstrip"] or t["rstrip"]]
    compared, differ = 0, []
    for text, ids in zip(strings, expected):
        if normalizes and unicodedata.normalize("NFC", text) != text:
            continue
        if any(token in text for token in greedy):
            continue
        compared += 1
        found = llama.tokenize(text.encode(), add_bos=False, special=True)
        if found != ids:
            differ.append((text, ids, found))
    return compared, differ


def main():
    strings = [json.loads(line) for line in (GOLDEN / "strings.jsonl").read_text().splitlines()]
    failed = False
    for folder, names in NAMES.items():
        expected = golden_ids(folder)
        for name in names:
            with tempfile.TemporaryDirectory() as temporary:
                path = pathlib.Path(temporary) / "vocabulary.gguf"
                tokenizer = write_gguf(path, folder, name)
                compared, differ = differences(path, tokenizer, strings, expected)
            print(f"{name}: {compared - len(differ)} of {compared} strings as {folder}")
            for text, ids, found in differ[:3]:
                print(f"  {text!r}: expected {ids}, found {found}")
            failed |= bool(differ) or compared < 250
    sys.exit(failed)


if __name__ == "__main__":
    main()

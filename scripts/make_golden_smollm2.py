#!/usr/bin/env python3
"""Golden token ids of SmolLM2, agreed by llama.cpp and Hugging Face, for tests/model/text.

Writes tests/golden/tokenizer/smollm2/:
  cases.jsonl      120 strings and their ids, the same from both
  vocabulary.json  of the GGUF file's vocabulary (Apache-2.0) the part that these strings can touch:
                   id to token, and the merges whose result occurs in one of their pieces
Strings with a byte that the vocabulary lacks are left out.

Needs: pip install gguf llama-cpp-python tokenizers, and what make_golden_tokenizer.py imports.
Usage: scripts/make_golden_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf
"""

import json
import pathlib
import random
import sys

import gguf
from llama_cpp import Llama
from make_golden_tokenizer import random_string
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

kCases = 120
kControl = 3  # GGUF's type of special tokens
MIXED = [
    "Hello, world!", "def f(x):\n    return x**2 + 1\n", "   leading", "trailing   ", "\n\n\n\n",
    "for (int i = 0; i < 10; ++i) {\n\tsum += a[i];\n}\n", "\t\t x \t", "1234567890 3.14159 1e-10",
    "😀👍🏽👩‍👩‍👧‍👦", "你好，世界！今天天气很好。", "こんにちは世界", "안녕하세요", "Привет, мир",
    "مرحبا بالعالم", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|>",
    "a<|im_end|>b", "<repo_name>x<filename>y", "I'm you're we've he'll she'd it's DON'T",
    "    four\n        eight\n", "x = {'a': [1, 2, 3]}", "https://example.com/a?b=c&d=e#f",
    "e\u0301 café naïve", "\u00a0nbsp\u3000wide", "\r\n\r\n", "½ ² Ⅷ ٣٤", "A", "  ",
    "a  b   c    d", "#include <stdio.h>\nint main(void) { return 0; }\n",
    "SELECT * FROM t WHERE id = 42;", "∑∫√∞≠≤", "zero\u200bwidth", "ﬁ ligature ǅ", "\x00\x01\x02",
    "\ufffd", "𝕳𝖊𝖑𝖑𝖔", "🇩🇪🏳️‍🌈", "--- === *** ___", "C:\\path\\to",
    "one\ntwo\r\nthree\rfour"]


def byte_alphabet():
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printing]
    return ({byte: chr(byte) for byte in printing} |
            {byte: chr(256 + i) for i, byte in enumerate(others)})


def main():
    reader = gguf.GGUFReader(sys.argv[1])
    tokens, types, merges = (reader.fields[f"tokenizer.ggml.{name}"].contents()
                             for name in ("tokens", "token_type", "merges"))
    ids = {token: i for i, token in enumerate(tokens)}
    cut = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                   pre_tokenizers.ByteLevel(add_prefix_space=False)])
    hugging_face = Tokenizer(models.BPE(vocab=ids, merges=[tuple(m.split(" ")) for m in merges]))
    hugging_face.pre_tokenizer = cut
    hugging_face.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types) if kind == kControl]
    hugging_face.add_special_tokens(special)
    llama = Llama(sys.argv[1], vocab_only=True, verbose=False)

    alphabet = byte_alphabet()
    bytes_there = {byte for byte, character in alphabet.items() if character in ids}
    rng = random.Random(5)
    cases, pieces = [], set()
    while len(cases) < kCases:
        text = MIXED[len(cases)] if len(cases) < len(MIXED) else random_string(rng)
        if not set(text.encode()) <= bytes_there:
            continue
        expected = llama.tokenize(text.encode(), add_bos=False, special=True)
        assert expected == hugging_face.encode(text, add_special_tokens=False).ids, repr(text)
        cases.append({"text": text, "ids": expected})
        pieces.update(piece for piece, _ in cut.pre_tokenize_str(text))

    parts = {piece[i:j] for piece in pieces for i in range(len(piece))
             for j in range(i + 1, len(piece) + 1)}
    merges = [merge for merge in merges if merge.replace(" ", "") in parts]
    kept = {alphabet[byte] for byte in bytes_there} | set(special)
    for merge in merges:
        kept.update([*merge.split(" "), merge.replace(" ", "")])
    out = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/tokenizer/smollm2"
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = {"size": len(tokens), "special": [ids[token] for token in special],
                  "tokens": {str(ids[t]): t for t in sorted(kept, key=ids.get)}, "merges": merges}
    (out / "vocabulary.json").write_text(
        json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")) + "\n")
    with open(out / "cases.jsonl", "w") as file:
        for case in cases:
            file.write(json.dumps(case, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

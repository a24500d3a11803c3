#!/usr/bin/env python3
"""What SmolLM2 is to llama.cpp, Hugging Face and PyTorch, for tests/model.

Writes tests/golden/tokenizer/smollm2/:
  cases.jsonl      120 strings and their ids, the same from llama.cpp and Hugging Face
  vocabulary.json  of the GGUF file's vocabulary (Apache-2.0) the part that these strings can touch:
                   id to token, and the merges whose result occurs in one of their pieces
  missing.jsonl    strings with bytes that the vocabulary lacks, and Hugging Face's ids
and tests/golden/smollm2/, from transformers reading the GGUF file in fp32:
  prompts.json     five prompts and the text of 48 greedy tokens after each
  golden.safetensors
    tokens [N], row_starts [6], prompt_tokens [5]    prompts and what follows them
    gaps [5, 48]    by how much the token taken was ahead of the second: a token that differs where
                    this is less than the tolerance of the logits is a tie
    places [64]     indices into tokens; of each the next token's logits at 128 ids (the 16 largest
    ids, logits     and 112 drawn at random) and the log of the sum of all exponentials
    logsumexp [64]

Needs: pip install -r scripts/requirements.txt, and llama-cpp-python.
Usage: scripts/make_golden_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf
"""

import json
import pathlib
import random
import sys

import gguf
import torch
from llama_cpp import Llama
from make_golden_tokenizer import random_string
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

kCases = 120
kNewTokens = 48
kPlaces, kIds, kLargest = 64, 128, 16
kGolden = pathlib.Path(__file__).resolve().parent.parent / "tests/golden"
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


# Prose, code, a conversation, numbers, another language.
PROMPTS = [
    "The lighthouse keeper climbed the stairs every evening, and when he reached the lamp he",
    "def quicksort(items):\n    if len(items) <= 1:\n        return items\n",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\nName three planets and say one thing about each.<|im_end|>\n"
    "<|im_start|>assistant\n",
    "2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,",
    "La Révolution française a commencé en 1789 à Paris, où le peuple",
]
MISSING = [
    "\x04", "a\x04b", "un\x04der\x06stand\x13ing", "!\x14!\x04!", " \x04 \x04 x", "\x04\x06\x13\x14",
    "<|im_start|>\x16user", "1\x1d2\x1d3", "\U00045678", "x\U000a0000y \U000bffff.", "é\x06è\x06",
    "the\x04re \x04there", "...\x04...", "\n\x06\n", "  \x16  ", "a\x00\x04\x01b'\x04s"]


def byte_alphabet():
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printing]
    return ({byte: chr(byte) for byte in printing} |
            {byte: chr(256 + i) for i, byte in enumerate(others)})


def write_greedy(path, tokenizer):
    path = pathlib.Path(path)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(1)
    rows, gaps, prompts, logits = [], [], [], []
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        row, cache = list(ids), None
        gaps.append([])
        for _ in range(kNewTokens):
            with torch.no_grad():
                out = model(torch.tensor([row if cache is None else row[-1:]]),
                            past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            top = out.logits[0, -1].topk(2)
            row.append(top.indices[0].item())
            gaps[-1].append((top.values[0] - top.values[1]).item())
        with torch.no_grad():
            logits.append(model(torch.tensor([row])).logits[0])
        rows.append(row)
        prompts.append({"prompt": prompt,
                        "continuation": tokenizer.decode(row[len(ids):], skip_special_tokens=False)})
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row))
    logits = torch.cat(logits)
    places = torch.linspace(0, len(logits) - 1, kPlaces).round().long()
    ids = torch.stack([torch.cat([logits[place].topk(kLargest).indices,
                                  torch.randint(logits.shape[1], (kIds - kLargest,),
                                                generator=generator)]) for place in places])
    out = kGolden / "smollm2"
    out.mkdir(parents=True, exist_ok=True)
    (out / "prompts.json").write_text(json.dumps(prompts, ensure_ascii=False, indent=1) + "\n")
    save_file({"tokens": torch.tensor(sum(rows, [])).int(), "row_starts": torch.tensor(starts).int(),
               "prompt_tokens": torch.tensor([len(row) - kNewTokens for row in rows]).int(),
               "gaps": torch.tensor(gaps), "places": places.int(), "ids": ids.int(),
               "logits": logits[places].gather(1, ids),
               "logsumexp": logits[places].double().logsumexp(1).float()},
              out / "golden.safetensors")
    print(f"{kPlaces} of {len(logits)} places, largest logit {logits.abs().max():.1f}; smallest gap "
          f"of a greedy token {min(map(min, gaps)):.4f}")


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

    for text in MISSING:
        pieces.update("".join(character for character in piece if character in ids)
                      for piece, _ in cut.pre_tokenize_str(text))

    parts = {piece[i:j] for piece in pieces for i in range(len(piece))
             for j in range(i + 1, len(piece) + 1)}
    merges = [merge for merge in merges if merge.replace(" ", "") in parts]
    kept = {alphabet[byte] for byte in bytes_there} | set(special)
    for merge in merges:
        kept.update([*merge.split(" "), merge.replace(" ", "")])
    out = kGolden / "tokenizer/smollm2"
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = {"size": len(tokens), "special": [ids[token] for token in special],
                  "tokens": {str(ids[t]): t for t in sorted(kept, key=ids.get)}, "merges": merges}
    (out / "vocabulary.json").write_text(
        json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")) + "\n")
    with open(out / "cases.jsonl", "w") as file:
        for case in cases:
            file.write(json.dumps(case, separators=(",", ":")) + "\n")
    with open(out / "missing.jsonl", "w") as file:
        for text in MISSING:
            found = hugging_face.encode(text, add_special_tokens=False).ids
            lacking = sum(byte not in bytes_there for byte in text.encode())
            file.write(json.dumps({"text": text, "ids": found, "dropped": lacking},
                                  separators=(",", ":")) + "\n")
    write_greedy(sys.argv[1], hugging_face)


if __name__ == "__main__":
    main()

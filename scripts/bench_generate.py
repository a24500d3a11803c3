#!/usr/bin/env python3
"""Generation speed of SmolLM2-135M, Fettle beside llama.cpp and transformers, in turn.

Every round reads prompts of 128 and 512 tokens and then continues a short one for 128 tokens, with
each of them, so that a busy machine disturbs all alike; the table shows medians. Fettle runs the
imported folder in fp32 and bf16 and the quantised one (bin/export import --keep_quantized) as it
is; llama.cpp the GGUF file; transformers the imported folder in fp32 and bf16. Each round also
measures how fast the machine reads memory: a decoded token reads every weight once.

Needs bin/generate, bin/export and: pip install torch transformers llama-cpp-python.
Usage: scripts/bench_generate.py --gguf FILE [--rounds 5] [--threads 2] [--no_transformers]
                                 [--output docs/benchmarks/generate.md]
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
START = "Once upon a time, in a land far away, there was a"
NEW = 128
PROMPTS = [128, 512]


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


class Fettle:
    """A process a measurement; the time to load is not in it."""

    def __init__(self, folder, precision, threads):
        self.flags = ["--model", folder, "--precision", precision, "--threads", threads,
                      "--temperature", 0, "--output", "json"]

    def generate(self, text, new):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            return json.loads(run(ROOT / "bin/generate", *self.flags, "--prompt_file", file.name,
                                  "--max_new_tokens", new, "--repetition_penalty", 1.3))

    def read(self, text, tokens):
        result = self.generate(text, 1)
        assert result["prompt_tokens"] == tokens, result
        return tokens / result["first_token_seconds"]

    def decode(self):
        result = self.generate(START, NEW)
        return (result["tokens"] - 1) / (result["seconds"] - result["first_token_seconds"])


class LlamaCpp:
    def __init__(self, gguf, threads):
        from llama_cpp import Llama
        self.model = Llama(str(gguf), n_ctx=1024, n_threads=threads, n_threads_batch=threads, verbose=False)

    def ids(self, text):
        return self.model.tokenize(text.encode())

    def read(self, text, tokens):
        ids = self.ids(text)
        assert len(ids) == tokens, (len(ids), tokens)
        self.model.reset()
        start = time.perf_counter()
        self.model.eval(ids)
        return tokens / (time.perf_counter() - start)

    def decode(self):
        self.model.reset()
        self.model.eval(self.ids(START))
        token = self.model.sample(temp=0)
        start = time.perf_counter()
        for _ in range(NEW - 1):
            self.model.eval([token])
            token = self.model.sample(temp=0)
        return (NEW - 1) / (time.perf_counter() - start)


class Transformers:
    def __init__(self, folder, precision, threads):
        import torch
        import transformers
        torch.set_num_threads(threads)
        self.torch = torch
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    def step(self, ids, past=None):
        with self.torch.inference_mode():
            out = self.model(input_ids=self.torch.tensor([ids]), past_key_values=past, logits_to_keep=1)
        return out.past_key_values, int(out.logits[0, -1].argmax())

    def read(self, text, tokens):
        ids = self.tokenizer(text)["input_ids"]
        assert len(ids) == tokens, (len(ids), tokens)
        start = time.perf_counter()
        self.step(ids)
        return tokens / (time.perf_counter() - start)

    def decode(self):
        past, token = self.step(self.tokenizer(START)["input_ids"])
        start = time.perf_counter()
        for _ in range(NEW - 1):
            past, token = self.step([token], past)
        return (NEW - 1) / (time.perf_counter() - start)


def read_rate(threads):
    """GB/s of a sum over more memory than any cache holds: the best of three."""
    import torch
    torch.set_num_threads(threads)
    values = torch.ones(134_515_008)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        values.sum()
        best = min(best, time.perf_counter() - start)
    return values.numel() * 4 / best / 1e9


def prompt_of(tokenizer, tokens):
    """Words whose count of tokens is exactly this."""
    words = "the old captain looked at the white sea and said that no ship would come".split()
    text = ""
    while len(tokenizer.ids(text)) < tokens:
        text += (" " if text else "") + words[len(text) % len(words)]
    assert len(tokenizer.ids(text)) == tokens, "a word of two tokens"
    return text


def weight_bytes(folder):
    return sum(f.stat().st_size for f in pathlib.Path(folder).glob("*.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no_transformers", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/benchmarks/generate.md")
    args = parser.parse_args()
    work = tempfile.TemporaryDirectory()
    floats, blocks = pathlib.Path(work.name) / "fp32", pathlib.Path(work.name) / "blocks"
    for folder, more in [(floats, []), (blocks, ["--keep_quantized"])]:
        run(ROOT / "bin/export", "import", "--from", "gguf", "--model", args.gguf, "--output_dir", folder, *more)
    size = weight_bytes(floats)
    llama = LlamaCpp(args.gguf, args.threads)
    programs = {
        ("Fettle", "fp32"): (Fettle(floats, "fp32", args.threads), size),
        ("Fettle", "bf16"): (Fettle(floats, "bf16", args.threads), size / 2),
        ("Fettle", "Q4_1, Q8_0 as stored"): (Fettle(blocks, "fp32", args.threads), weight_bytes(blocks)),
        ("llama.cpp", "Q4_1, Q8_0"): (llama, weight_bytes(blocks)),
    }
    if not args.no_transformers:
        programs[("transformers", "fp32")] = (Transformers(floats, "fp32", args.threads), size)
        programs[("transformers", "bf16")] = (Transformers(floats, "bf16", args.threads), size / 2)
    texts = {tokens: prompt_of(llama, tokens) for tokens in PROMPTS}
    rates, results = [], {name: {"decode": [], **{tokens: [] for tokens in PROMPTS}} for name in programs}
    load_before = os.getloadavg()[0]
    for number in range(args.rounds):
        rates.append(read_rate(args.threads))
        for name, (program, _) in programs.items():
            for tokens in PROMPTS:
                results[name][tokens].append(program.read(texts[tokens], tokens))
            results[name]["decode"].append(program.decode())
            print(f"round {number + 1}/{args.rounds}  {' '.join(name)}  "
                  + "  ".join(f"{key}: {values[-1]:.1f}" for key, values in results[name].items()),
                  file=sys.stderr, flush=True)
    rates.append(read_rate(args.threads))
    rate = statistics.median(rates)
    rows = []
    for (program, form), (_, nbytes) in programs.items():
        found = results[(program, form)]
        decode = statistics.median(found["decode"])
        limit = rate * 1e9 / nbytes
        rows.append(f"| {program} | {form} | {nbytes / 1e6:.0f} | {decode:.1f} | {decode / limit:.2f} | "
                    + " | ".join(f"{statistics.median(found[tokens]):.0f}" for tokens in PROMPTS)
                    + " | " + ", ".join(f"{value:.0f}" for value in found["decode"]) + " |")
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "unknown")
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    text = f"""# Generation speed

SmolLM2-135M-Instruct, one sequence, greedy, {args.threads} threads; medians of {args.rounds} rounds, tokens a second. The limit of decoding is the rate at which the machine reads memory, {rate:.1f} GB/s (between {min(rates):.1f} and {max(rates):.1f} in this run), divided by the bytes of the weights.

| program | weights | MB | decode | of the limit | prompt of {PROMPTS[0]} | of {PROMPTS[1]} | decode, each round |
|---|---|---|---|---|---|---|---|
""" + "\n".join(rows) + f"""

llama.cpp rounds activations to 8 bits; Fettle does not. Fettle's time to load the model is not in these figures.

- Machine: {cpu}, {os.cpu_count()} cores; load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after.
- Command: `scripts/bench_generate.py --gguf {args.gguf.name} --rounds {args.rounds}`, Fettle at {commit}, {datetime.date.today()}.
"""
    args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Models through bin/export and back: what `transformers` computes with what it wrote.

    python scripts/check_round_trip.py [--bin bin] [--gguf FILE.gguf] [--stories FOLDER]

For each tiny model of tests/golden/models, for SmolLM2 (--gguf: the demo's file) and for stories260K
(--stories: its .bin, tok512.bin and golden_*), imported:
  fp32     `bin/export convert` to fp32, loaded by transformers: logits against the golden ones
           (float64) or against transformers' own reading of the GGUF file
  shards   the model written by transformers in shards, converted: the same bytes as from one file
  bf16, fp16    every tensor has the bits of torch's conversion; and of torch's way back to fp32
Prints a row each; exit code 1 if logits differ by more than 1e-5 of the largest (--bound), a bit
differs, or `transformers` finds a tensor missing or unexpected.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
import transformers
from model_checks import dumped, fail, load_model, logits_of, quiet
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden/models"
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SHARDS = 3  # at least


class Checks:
    def __init__(self, arguments, work):
        self.binary, self.work, self.bound = arguments.bin / "export", work, arguments.bound
        self.rows = []

    def export(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")

    def convert(self, folder, kind):
        out = self.work / f"{folder.name}_{kind}_{len(list(self.work.iterdir()))}"
        self.export("convert", "--model", folder, "--output_dir", out, "--dtype", kind)
        return out

    def logits(self, name, folder, rows, expected):
        """Of the folder written as fp32, against expected ones; the model, for what follows."""
        converted = self.convert(folder, "fp32")
        model = load_model(converted)
        found = logits_of(model, rows)
        if found.shape != expected.shape:
            fail(f"{name}: logits of shape {list(found.shape)}, expected {list(expected.shape)}")
        share = ((found - expected).abs().max() / expected.abs().max()).item()
        if not share <= self.bound:
            fail(f"{name}: the logits differ by {share:.1e} of the largest")
        return converted, model, f"{share:.1e} ({len(found)} positions)"

    def shards(self, name, converted, model):
        whole = sum(p.numel() for p in model.parameters()) * 4
        folder = self.work / f"{converted.name}_shards"
        model.save_pretrained(folder, max_shard_size=whole // SHARDS)
        parts = len(list(folder.glob("model-*.safetensors")))
        if parts < 2:
            fail(f"{name}: transformers wrote {parts} shards, expected several")
        again = self.convert(folder, "fp32")
        if (again / "model.safetensors").read_bytes() != \
                (converted / "model.safetensors").read_bytes():
            fail(f"{name}: {parts} shards make another file than one")
        return f"{parts} files, same bytes"

    def halves(self, name, converted, kind):
        exact = load_file(converted / "model.safetensors")
        half = self.convert(converted, kind)
        again = self.convert(half, "fp32")
        narrow = load_file(half / "model.safetensors")
        wide = load_file(again / "model.safetensors")
        if not set(exact) == set(narrow) == set(wide):
            fail(f"{name}: {kind} has other tensors")
        for tensor, value in exact.items():
            rounded = value.to(HALVES[kind])
            if narrow[tensor].dtype != HALVES[kind] or not bits_equal(narrow[tensor], rounded) or \
                    not bits_equal(wide[tensor], rounded.float()):
                fail(f"{name}: {tensor} as {kind} differs from torch's")
        load_model(half)
        return f"{sum(v.numel() for v in exact.values()):,} values, same bits"

    def all(self, name, folder, rows, expected):
        converted, model, logits = self.logits(name, folder, rows, expected)
        self.rows.append([name, logits, self.shards(name, converted, model),
                          *(self.halves(name, converted, kind) for kind in HALVES)])
        print("\t".join(self.rows[-1]), file=sys.stderr, flush=True)


def bits_equal(a, b):
    integers = torch.int16 if a.element_size() == 2 else torch.int32
    return torch.equal(a.view(integers), b.view(integers))


def check_golden(checks):
    for folder in sorted(path.parent for path in GOLDEN.glob("*/golden.safetensors")):
        rows, expected = dumped(folder / "golden.safetensors")
        checks.all(folder.name, folder, rows, expected)


def check_stories(checks, folder):
    out = checks.work / "stories260k"
    checks.export("import", "--from", "llama2c", "--model", folder / "stories260K.bin",
                  "--tokenizer", folder / "tok512.bin", "--output_dir", out)
    tokens = torch.from_numpy(numpy.fromfile(folder / "golden_tokens.i32", "<i4")).long()
    expected = torch.from_numpy(numpy.fromfile(folder / "golden_logits.f32", "<f4")).double()
    checks.all("stories260K", out, [tokens], expected.view(len(tokens), -1))


def check_gguf(checks, gguf):
    out = checks.work / "smollm2"
    checks.export("import", "--from", "gguf", "--model", gguf, "--output_dir", out)
    reference = load_model(gguf.parent, gguf_file=gguf.name)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(reference.config.vocab_size, (64,), generator=generator)
    checks.all("SmolLM2-135M", out, [tokens], logits_of(reference, [tokens]))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "bin", help="folder of the programs")
    parser.add_argument("--gguf", type=Path, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--stories", type=Path, help="folder of stories260K")
    parser.add_argument("--bound", type=float, default=1e-5,
                        help="largest difference allowed, as a share of the largest logit")
    arguments = parser.parse_args()
    for path in (arguments.bin / "export", arguments.gguf, arguments.stories):
        if path is not None and not path.exists():
            parser.error(f"{path}: does not exist")
    return arguments


def main():
    arguments = parse()
    quiet()
    with tempfile.TemporaryDirectory() as work:
        checks = Checks(arguments, Path(work))
        check_golden(checks)
        if arguments.stories:
            check_stories(checks, arguments.stories)
        if arguments.gguf:
            check_gguf(checks, arguments.gguf)
    print("| model | logits: largest difference, share of the largest | from shards | bf16 | fp16 |\n"
          "|---|---|---|---|---|")
    for row in checks.rows:
        print(f"| {' | '.join(row)} |")
    print(f"\ntransformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()

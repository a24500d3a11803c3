#!/usr/bin/env python3
"""Compares an imported model folder with what `transformers` itself reads of the GGUF file.

    bin/export import --from gguf --model FILE.gguf --output_dir FOLDER
    python scripts/check_import.py FILE.gguf FOLDER

Both are loaded in fp32. Every weight must be equal bit for bit (unless the folder's type is another
than fp32), and the logits of 64 random tokens within --bound. Exit code 1 if anything differs by
more, 2 for bad arguments.
"""

import argparse
from pathlib import Path

import torch
from model_checks import fail, load_model, logits_of, quiet
from transformers import AutoConfig

POSITIONS = 64


def compare_weights(reference, imported):
    weights, found = reference.state_dict(), imported.state_dict()
    if set(weights) != set(found):
        fail(f"tensors differ: {sorted(set(weights) ^ set(found))}")
    different = [name for name in weights if not torch.equal(weights[name], found[name])]
    print(f"{len(weights) - len(different)} of {len(weights)} tensors are equal bit for bit")
    return different


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bound", type=float, default=2e-3, help="largest difference of a logit")
    arguments = parser.parse_args()
    for path in (arguments.gguf, arguments.folder):
        if not path.exists():
            parser.error(f"{path}: does not exist")
    return arguments


def main():
    arguments = parse()
    quiet()
    reference = load_model(arguments.gguf.parent, gguf_file=arguments.gguf.name)
    imported = load_model(arguments.folder)
    different = compare_weights(reference, imported)
    whole = AutoConfig.from_pretrained(arguments.folder).dtype == torch.float32
    if different and whole:
        fail(f"{different[0]} and {len(different) - 1} other tensors differ")
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(reference.config.vocab_size, (POSITIONS,), generator=generator)
    expected = logits_of(reference, [tokens])
    difference = (logits_of(imported, [tokens]) - expected).abs().max().item()
    print(f"{POSITIONS} positions, largest difference of a logit {difference:.2e} "
          f"(bound {arguments.bound:.0e}, largest logit {expected.abs().max().item():.1f})")
    if not difference <= arguments.bound:
        fail("the logits differ by more than the bound")


if __name__ == "__main__":
    main()

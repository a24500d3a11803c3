#!/usr/bin/env python3
"""Compares an imported model folder with what `transformers` itself reads of the GGUF file.

    bin/export import --from gguf --model FILE.gguf --output_dir FOLDER
    python scripts/check_import.py FILE.gguf FOLDER [--dump logits.safetensors]

Both are loaded in fp32. Every weight must be equal bit for bit (unless the folder's type is another
than fp32), and the logits of 64 random tokens within --bound. --dump writes those tokens and the
GGUF's logits as scripts/check_export.py --logits and tests/model/io/import_gguf_test.cpp read them.
Exit code 1 if anything differs by more, 2 for bad arguments.
"""

import argparse
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

POSITIONS = 64


def fail(message):
    print(f"check_import.py: {message}", file=sys.stderr)
    sys.exit(1)


def load(*where, **options):
    model, info = AutoModelForCausalLM.from_pretrained(
        *where, dtype=torch.float32, attn_implementation="eager", output_loading_info=True,
        **options)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info.get(kind):
            fail(f"{where[0]}: {kind} {sorted(map(str, info[kind]))}")
    return model.eval()


def compare_weights(reference, imported):
    weights, found = reference.state_dict(), imported.state_dict()
    if set(weights) != set(found):
        fail(f"tensors differ: {sorted(set(weights) ^ set(found))}")
    different = [name for name in weights if not torch.equal(weights[name], found[name])]
    print(f"{len(weights) - len(different)} of {len(weights)} tensors are equal bit for bit")
    return different


def logits_of(model, tokens):
    with torch.no_grad():
        return model(tokens[None]).logits[0]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bound", type=float, default=2e-3, help="largest difference of a logit")
    parser.add_argument("--dump", type=Path, help="write tokens and logits to this file")
    arguments = parser.parse_args()
    for path in (arguments.gguf, arguments.folder):
        if not path.exists():
            parser.error(f"{path}: does not exist")
    return arguments


def main():
    arguments = parse()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    reference = load(arguments.gguf.parent, gguf_file=arguments.gguf.name)
    imported = load(arguments.folder)
    different = compare_weights(reference, imported)
    whole = transformers.AutoConfig.from_pretrained(arguments.folder).dtype == torch.float32
    if different and whole:
        fail(f"{different[0]} and {len(different) - 1} other tensors differ")
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(reference.config.vocab_size, (POSITIONS,), generator=generator)
    expected = logits_of(reference, tokens)
    difference = (logits_of(imported, tokens) - expected).abs().max().item()
    print(f"{POSITIONS} positions, largest difference of a logit {difference:.2e} "
          f"(bound {arguments.bound:.0e}, largest logit {expected.abs().max().item():.1f})")
    if arguments.dump:
        save_file({"tokens": tokens.int(), "row_starts": torch.tensor([0, POSITIONS]).int(),
                   "logits": expected.contiguous()}, arguments.dump)
    if not difference <= arguments.bound:
        fail("the logits differ by more than the bound")


if __name__ == "__main__":
    main()

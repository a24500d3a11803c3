#!/usr/bin/env python3
"""Loads a model folder with `transformers` and compares its logits with a dump or another folder.

    python scripts/check_export.py DIR --logits golden.safetensors
    python scripts/check_export.py DIR --against OTHER_DIR [--text "…"]

A dump holds `tokens` [N], `row_starts` [R+1] and `logits` [N, V]. With --against, the same token
rows run through both models and the tokenizers of both must give the same ids. Prints the largest
difference; exit code 1 if it exceeds --bound times the largest reference logit, if a tensor is
missing or unexpected, or if the tokenizer does not decode what it encoded; 2 for bad arguments.
"""

import argparse
from pathlib import Path

import torch
from model_checks import dumped, fail, load_model, logits_of, quiet
from transformers import AutoTokenizer

TEXT = "He said: 'It isn't 1,234.5', and left.\n\n  Naïve café, 東京 🙂 <|x|>\t_end_"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")


def load_tokenizer(folder):
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        print(f"{folder}: no tokenizer files, tokenizer not checked")
        return None
    return AutoTokenizer.from_pretrained(folder)


def check_tokenizers(tokenizer, other, text):
    if tokenizer is None:
        return
    ids = tokenizer(text)["input_ids"]
    back = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    if back != text:
        fail(f"tokenizer: {text!r} came back as {back!r}")
    if other is not None and other(text)["input_ids"] != ids:
        fail(f"tokenizers differ on {text!r}: {ids} and {other(text)['input_ids']}")
    print(f"tokenizer: {len(ids)} tokens round-trip" + (", same ids" if other else ""))


def reference_rows(model, tokenizer, text, seed=1):
    """The text's ids and two random rows, no longer than the model's positions."""
    generator = torch.Generator().manual_seed(seed)
    vocab_size, longest = model.config.vocab_size, model.config.max_position_embeddings
    rows = [torch.randint(vocab_size, (n,), generator=generator) for n in (1, min(31, longest))]
    ids = tokenizer(text)["input_ids"] if tokenizer else []
    if ids and max(ids) >= vocab_size:
        fail(f"tokenizer: gives id {max(ids)}, the model has {vocab_size} embeddings")
    return rows + ([torch.tensor(ids[:longest])] if ids else [])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--logits", type=Path, help="a safetensors dump")
    source.add_argument("--against", type=Path, help="another model folder")
    parser.add_argument("--text", default=TEXT, help="what the tokenizers are tried on")
    parser.add_argument("--bound", type=float, default=1e-5,
                        help="largest difference allowed, as a share of the largest logit")
    arguments = parser.parse_args()
    for path in (arguments.folder, arguments.logits, arguments.against):
        if path is not None and not path.exists():
            parser.error(f"{path}: does not exist")
    return arguments


def main():
    arguments = parse()
    quiet()
    model, tokenizer = load_model(arguments.folder), load_tokenizer(arguments.folder)
    if arguments.logits:
        check_tokenizers(tokenizer, None, arguments.text)
        rows, reference = dumped(arguments.logits)
    else:
        other = load_model(arguments.against)
        check_tokenizers(tokenizer, load_tokenizer(arguments.against), arguments.text)
        rows = reference_rows(other, tokenizer, arguments.text)
        reference = logits_of(other, rows)
    logits = logits_of(model, rows)
    if logits.shape != reference.shape:
        fail(f"logits: expected {list(reference.shape)}, found {list(logits.shape)}")
    difference = (logits - reference).abs().max().item()
    share = difference / reference.abs().max().item()
    print(f"{arguments.folder}: {len(rows)} rows, {len(logits)} tokens, largest difference "
          f"{difference:.2e} = {share:.2e} of the largest logit (bound {arguments.bound:.0e})")
    if not share <= arguments.bound:
        fail("the logits differ by more than the bound")


if __name__ == "__main__":
    main()

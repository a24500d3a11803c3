"""What the check_*.py scripts share: models loaded strictly, their logits, dumps, complaints."""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def fail(message):
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(1)


def quiet():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def load_model(folder, **options):
    """In fp32. A missing, unexpected or misshapen tensor ends the program."""
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True,
        **options)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info.get(kind):
            fail(f"{folder}: {kind} {sorted(map(str, info[kind]))}")
    return model.eval()


def logits_of(model, rows):
    with torch.no_grad():
        return torch.cat([model(row[None]).logits[0] for row in rows]).double()


def dumped(path):
    """Token rows and logits of a dump: `tokens` [N], `row_starts` [R+1] and `logits` [N, V]."""
    tensors = load_file(path)
    for name in ("tokens", "row_starts", "logits"):
        if name not in tensors:
            fail(f"{path}: no tensor '{name}'")
    tokens, ends = tensors["tokens"].long(), tensors["row_starts"].tolist()
    return [tokens[a:b] for a, b in zip(ends, ends[1:])], tensors["logits"].double()

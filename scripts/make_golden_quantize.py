#!/usr/bin/env python3
"""Writes tests/golden/quantize.safetensors: blocks of every quantised format and their weights.

    python scripts/make_golden_quantize.py --output tests/golden/quantize.safetensors

The blocks are random bytes, so that every bit of a format matters, except that halves which scale a
block are finite; the first block of each format has the largest scale, the second a subnormal one.
The weights are those of the `gguf` package. Seeded: run again, it writes the same bytes.
"""

import argparse

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from safetensors.numpy import save_file

# Format: number of blocks, byte offsets of the halves in a block.
FORMATS = {"Q8_0": (6, [0]), "Q4_0": (6, [0]), "Q4_1": (6, [0, 2]), "Q5_0": (6, [0]),
           "Q5_1": (6, [0, 2]), "Q4_K": (3, [0, 2]), "Q5_K": (3, [0, 2]), "Q6_K": (3, [208]),
           "F16": (64, [0]), "BF16": (64, [])}


def random_blocks(name, random):
    """Blocks [N, bytes] as they lie in a file."""
    count, halves = FORMATS[name]
    kind = GGMLQuantizationType[name]
    _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (count, block_bytes), dtype=np.uint8)
    for offset in halves:
        scales = (random.standard_normal(count) * 0.01).astype(np.float16)
        scales[0], scales[1] = np.float16(65504.0), np.float16(-3e-7)
        blocks[:, offset:offset + 2] = scales.view(np.uint8).reshape(count, 2)
    if name == "BF16":
        blocks[:, 1] = 0x3c | (blocks[:, 1] & 0x83)  # finite
    return blocks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    random = np.random.default_rng(1)
    tensors = {}
    for name in FORMATS:
        blocks = random_blocks(name, random)
        weights = gguf.dequantize(blocks, GGMLQuantizationType[name]).astype(np.float32)
        assert np.isfinite(weights).all(), name
        tensors[name + ".blocks"] = blocks.reshape(-1)
        tensors[name + ".weights"] = weights.reshape(-1)
    save_file(tensors, arguments.output)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Training speed of PyTorch on the CPU: the baseline of scripts/bench_train.sh and bench_finetune.py.

    python scripts/bench_torch.py --config gpt2_small.json [--compile] [--threads 2] [--steps 12]
    python scripts/bench_torch.py --model DIR ...

Trains transformers' GPT2LMHeadModel (sdpa attention, no dropout) from random weights, or the model of
a folder, in fp32 or under autocast in bf16, with AdamW and clipping at 1.0 on random tokens, and prints one JSON line: tokens per second (median over
steps, the first ones left out), peak resident memory of the process, and the rate of a 2048-cube
matrix product measured in the same process, so that runs on differently busy machines compare.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import transformers
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel


def sgemm_gflops(size=2048, repeats=8):
    """Best of several: what the machine can do at this moment."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        torch.matmul(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def peak_rss_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def train_steps(model, arguments):
    """Seconds of each step, and the loss of the last."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0)
    forward = torch.compile(model) if arguments.compile else model
    generator = torch.Generator().manual_seed(arguments.seed)
    shape = (arguments.batch_size, arguments.max_length)
    seconds = []
    for _ in range(arguments.warmup_steps + arguments.steps):
        tokens = torch.randint(model.config.vocab_size, shape, generator=generator)
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            loss = forward(input_ids=tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
    return seconds, loss.item()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", help="a GPT-2 config.json: random weights")
    source.add_argument("--model", help="a model folder")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--bf16", action="store_true", help="autocast to bf16, weights in fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=4, help="rows a step")
    parser.add_argument("--max_length", type=int, default=256, help="tokens a row")
    parser.add_argument("--steps", type=int, default=12, help="timed steps")
    parser.add_argument("--warmup_steps", type=int, default=3, help="steps before them")
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


def load(arguments):
    if arguments.model:
        return AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32,
                                                    attn_implementation="sdpa")
    config = GPT2Config.from_json_file(arguments.config)
    config.resid_pdrop = config.embd_pdrop = config.attn_pdrop = 0.0
    config._attn_implementation = "sdpa"
    return GPT2LMHeadModel(config)


def main():
    arguments = parse()
    imported = peak_rss_bytes()  # the libraries alone
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    model = load(arguments).train()
    seconds, loss = train_steps(model, arguments)
    timed = seconds[arguments.warmup_steps:]
    peak = peak_rss_bytes()  # before the sgemm's own buffers
    median = statistics.median(timed)
    print(json.dumps(dict(
        mode=("compiled" if arguments.compile else "eager") + (" bf16" if arguments.bf16 else ""),
        tokens_per_second=round(arguments.batch_size * arguments.max_length / median, 1),
        median_ms=round(1e3 * median, 1), fastest_ms=round(1e3 * min(timed), 1),
        slowest_ms=round(1e3 * max(timed), 1), first_step_ms=round(1e3 * seconds[0], 1),
        peak_rss_bytes=peak, import_rss_bytes=imported,
        sgemm_gflops=round(sgemm_gflops(), 1), loss=round(loss, 4),
        parameters=sum(p.numel() for p in model.parameters()), threads=arguments.threads,
        torch=torch.__version__, transformers=transformers.__version__)))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Full fine-tuning of a real model on the CPU in fp32: speed and peak memory beside transformers.

Every round trains transformers (eager, a plain loop with AdamW and clipping) and Fettle on steps of
the same shape, so that a busy machine disturbs both alike. Figures are medians over a run's steps
without the first three, then over the rounds; peaks are resident memory of the whole process.

Needs bin/train, GNU time and: pip install torch transformers.
Usage: scripts/bench_finetune.py --model DIR --train_data FILE.txt [--rounds 3] [--steps 8]
                                 [--rows 8] [--tokens 60] [--threads 2]
                                 [--output docs/benchmarks/finetune_cpu.md]
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARMUP = 3


def peer(args):
    """tokens/s, peak bytes, bytes of the libraries alone"""
    command = [sys.executable, ROOT / "scripts/bench_torch.py", "--model", args.model, "--batch_size", args.rows,
               "--max_length", args.tokens, "--steps", args.steps, "--warmup_steps", WARMUP, "--threads", args.threads]
    out = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout
    line = json.loads(out.splitlines()[-1])
    return line["tokens_per_second"], line["peak_rss_bytes"], line["import_rss_bytes"]


def ours(args):
    """tokens/s, peak bytes, planned bytes"""
    with tempfile.TemporaryDirectory() as work:
        run = pathlib.Path(work) / "run"
        command = ["/usr/bin/time", "-f", "%M", "-o", f"{work}/peak", ROOT / "bin/train", "--model", args.model,
                   "--train_data", args.train_data, "--max_length", args.tokens, "--per_device_train_batch_size",
                   args.rows, "--max_steps", args.steps + WARMUP, "--learning_rate", "1e-5", "--logging_steps", 1,
                   "--save_strategy", "no", "--report_to", "none", "--threads", args.threads, "--output_dir", run]
        subprocess.run([str(c) for c in command], check=True, capture_output=True)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        rates = [line["tokens_per_second"] for line in lines if "tokens_per_second" in line][WARMUP:]
        plan = json.loads((run / "plan.json").read_text())
        return statistics.median(rates), int(open(f"{work}/peak").read().split()[-1]) * 1024, plan["total_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train_data", required=True)
    for name, default in [("rounds", 3), ("steps", 8), ("rows", 8), ("tokens", 60), ("threads", 2)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/benchmarks/finetune_cpu.md")
    args = parser.parse_args()
    found = {"transformers, eager": [], "Fettle": []}
    for number in range(args.rounds):
        for name, measure in zip(found, (peer, ours)):
            found[name].append(measure(args))
            print(f"round {number + 1}/{args.rounds}  {name}: {found[name][-1][0]:.1f} tokens/s, "
                  f"{found[name][-1][1] / 1e6:.0f} MB", file=sys.stderr, flush=True)
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}
    base, mine = median["transformers, eager"], median["Fettle"]
    rows = "\n".join(
        f"| {name} | {speed:.1f} | {speed / base[0]:.2f} | {peak / 1e6:.0f} | {peak / base[1]:.2f} | "
        + ", ".join(f"{row[0]:.0f}" for row in found[name]) + " |" for name, (speed, peak, _) in median.items())
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "unknown")
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True,
                            text=True).stdout.strip()
    text = f"""# Full fine-tuning on the CPU

{pathlib.Path(args.model).name}, every weight in fp32, AdamW, clipping at 1.0, {args.rows} rows of {args.tokens} tokens a step, {args.threads} threads; medians of {args.rounds} alternating rounds of {args.steps} timed steps.

| | tokens/s | × transformers | peak MB | × transformers | rounds, tokens/s |
|---|---|---|---|---|---|
{rows}

- transformers' peak contains {base[2] / 1e6:.0f} MB of libraries; Fettle's plan was {mine[2] / 1e6:.0f} MB.
- Machine: {cpu}, {os.cpu_count()} cores; load average {os.getloadavg()[0]:.1f} after.
- Command: `scripts/bench_finetune.py --model {pathlib.Path(args.model).name} --train_data {pathlib.Path(args.train_data).name} --rounds {args.rounds} --steps {args.steps}`, Fettle at {commit}, {datetime.date.today()}.
"""
    args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

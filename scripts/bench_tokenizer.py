#!/usr/bin/env python3
"""Tokenizing speed on one core: Fettle beside tiktoken and Hugging Face's tokenizers, in turn.

Every round encodes the whole text once with each of them, so that a busy machine disturbs all
alike; the table shows each one's best round and its median. Then text without a single place to
cut, at 2.5, 5 and 10 MB, shows how time grows. Where two of them disagree about the ids the script
stops.

Needs bin/bench_tokenizer and: pip install tiktoken tokenizers. A folder holds tokenizer.json, or
encoder.json and vocab.bpe (GPT-2's; tiktoken then takes part).
Usage: scripts/bench_tokenizer.py --text FILE --tokenizer NAME=DIR [--tokenizer NAME=DIR ...]
                                  [--rounds 5] [--output docs/benchmarks/tokenizer.md]
"""

import argparse
import datetime
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tiktoken  # noqa: E402
import tokenizers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = {"`a`": "a", "spaces": " ", "emoji": "\U0001F600"}
SIZES = [2_500_000, 5_000_000, 10_000_000]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def fettle(folder, text_file, rounds):
    """[(tokens, seconds)] of each round, in one process."""
    command = [ROOT / "bin/bench_tokenizer", "--tokenizer", folder, "--rounds", str(rounds),
               text_file]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [(int(line.split()[1]), float(line.split()[2])) for line in lines]


def timed(encode, text):
    start = time.perf_counter()
    count = len(encode(text))
    return count, time.perf_counter() - start


def hugging_face(folder):
    if (folder / "tokenizer.json").exists():
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(
            str(folder / "encoder.json"), str(folder / "vocab.bpe")))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def open_ai(folder):
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks
    ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    encoding = tiktoken.Encoding("gpt2", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary


def compare(name, folder, text_file, rounds):
    """Rows (name, tokenizer, tokens, [seconds])."""
    text = text_file.read_bytes().decode()
    others = {"Hugging Face tokenizers": hugging_face(folder)}
    if not (folder / "tokenizer.json").exists():
        others = {"tiktoken": open_ai(folder), **others}
    times = {"Fettle": [], **{other: [] for other in others}}
    counts = set()
    for _ in range(rounds):
        results = {"Fettle": fettle(folder, text_file, 1)[0]}  # a process of its own each round
        results.update((other, timed(encode, text)) for other, encode in others.items())
        for who, (count, seconds) in results.items():
            times[who].append(seconds)
            counts.add(count)
    if len(counts) != 1:
        sys.exit(f"bench_tokenizer.py: {name}: token counts differ: {sorted(counts)}")
    return [(name, who, counts.copy().pop(), seconds) for who, seconds in times.items()]


def growth(folder, work):
    """{unit: [seconds for each of SIZES]}, the best of three."""
    seconds = {}
    for name, unit in UNITS.items():
        seconds[name] = []
        for size in SIZES:
            file = work / "unit.txt"
            file.write_text(unit * (size // len(unit.encode())))
            seconds[name].append(min(s for _, s in fettle(folder, file, 3)))
    return seconds


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line]
    return f"{model[0]}, {len(model)} cores"


def commit():
    return subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                          capture_output=True, text=True).stdout.strip()


def report(text_file, rows, growths, load):
    size = text_file.stat().st_size
    lines = ["# Tokenizing speed", "",
             f"{text_file.name}, {size / 1e6:.2f} MB of English as one text, on one core; every round "
             "encodes it once with each. MB/s of the best round and of the median one.", "",
             "| vocabulary | tokenizer | tokens | best MB/s | median MB/s | rounds, MB/s |",
             "|---|---|---|---|---|---|"]
    for name, who, count, seconds in rows:
        rates = [size / 1e6 / s for s in seconds]
        lines.append(f"| {name} | {who} | {count:,} | {max(rates):.1f} | "
                     f"{statistics.median(rates):.1f} | {', '.join(f'{r:.1f}' for r in rates)} |")
    lines += ["", "Text without a place to cut, seconds (best of three):", "",
              "| vocabulary | text | 2.5 MB | 5 MB | 10 MB | 10 MB ÷ 2.5 MB |", "|---|---|---|---|---|---|"]
    for name, seconds in growths.items():
        for unit, times in seconds.items():
            cells = " | ".join(f"{t:.3f}" for t in times)
            lines.append(f"| {name} | {unit} | {cells} | {times[-1] / times[0]:.1f} |")
    versions = f"tiktoken {tiktoken.__version__}, tokenizers {tokenizers.__version__}"
    command = "scripts/bench_tokenizer.py " + " ".join(sys.argv[1:])
    lines += ["", f"- Machine: {machine()}; load average {load[0]:.1f} before, "
              f"{os.getloadavg()[0]:.1f} after.",
              f"- Versions: {versions}, Fettle at {commit()}, {datetime.date.today()}.",
              f"- Command: `{command}`"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=pathlib.Path, required=True)
    parser.add_argument("--tokenizer", action="append", required=True, metavar="NAME=DIR")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/benchmarks/tokenizer.md")
    options = parser.parse_args()
    load = os.getloadavg()
    rows, growths = [], {}
    with tempfile.TemporaryDirectory() as work:
        for argument in options.tokenizer:
            name, folder = argument.split("=", 1)
            rows += compare(name, pathlib.Path(folder), options.text, options.rounds)
            growths[name] = growth(pathlib.Path(folder), pathlib.Path(work))
    options.output.write_text(report(options.text, rows, growths, load))
    print(options.output.read_text())


if __name__ == "__main__":
    main()

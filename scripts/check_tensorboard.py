"""Reads a run's event files with TensorBoard's own reader and compares them to metrics.jsonl.

usage: python scripts/check_tensorboard.py RUN_DIR    (needs the package tensorboard)

Exits with 1 if a scalar is missing, superfluous or differs from the log by more than its rounding
to 32 bits.
"""
import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing import event_accumulator


def tag_of(name):
    return "eval/" + name[len("eval_"):] if name.startswith("eval_") else "train/" + name


def as_float32(value):
    return math.nan if value is None else struct.unpack("<f", struct.pack("<f", value))[0]


def logged(run):
    scalars = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if name not in ("step", "epoch"):
                scalars[tag_of(name), record["step"]] = as_float32(value)
    return scalars


def shown(run):
    reader = event_accumulator.EventAccumulator(str(run), size_guidance={"scalars": 0})
    reader.Reload()
    return {(tag, event.step): event.value
            for tag in reader.Tags()["scalars"] for event in reader.Scalars(tag)}


def main():
    run = pathlib.Path(sys.argv[1])
    expected, found = logged(run), shown(run)
    wrong = [f"{key}: log {expected.get(key)}, TensorBoard {found.get(key)}"
             for key in sorted({*expected, *found})
             if key not in expected or key not in found or
             (expected[key] != found[key] and not (math.isnan(expected[key]) and math.isnan(found[key])))]
    print("\n".join(wrong[:20]))
    print(f"{len(expected)} scalars in the log, {len(found)} in TensorBoard, {len(wrong)} differ")
    return 1 if wrong or not expected else 0


if __name__ == "__main__":
    sys.exit(main())

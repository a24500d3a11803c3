"""Writes tests/golden/schedules.json: learning-rate factors computed by Hugging Face transformers.

usage: python scripts/make_golden_schedule.py    (needs torch and transformers)
"""
import json
import math
import pathlib

import torch
import transformers

# name, kwargs, warmup_steps as --warmup_steps takes it, learning rate, total steps
CASES = [
    ("linear", {}, 0, 5e-5, 1),
    ("linear", {}, 0, 5e-5, 7),
    ("linear", {}, 10, 5e-5, 100),
    ("linear", {}, 20, 5e-5, 10),
    ("linear", {}, 0.03, 5e-5, 101),
    ("cosine", {}, 0, 1e-3, 50),
    ("cosine", {}, 5, 1e-3, 333),
    ("cosine", {"num_cycles": 1.5}, 0.1, 1e-3, 95),
    ("cosine_with_min_lr", {"min_lr": 1e-5}, 3, 3e-4, 60),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1, "num_cycles": 1.0}, 0, 3e-4, 61),
    ("constant", {}, 10, 1e-4, 30),
    ("constant_with_warmup", {}, 7, 1e-4, 30),
    ("constant_with_warmup", {}, 0.5, 1e-4, 31),
    ("inverse_sqrt", {}, 0, 1e-3, 500),
    ("inverse_sqrt", {}, 40, 1e-3, 500),
    ("inverse_sqrt", {"timescale": 100}, 40, 1e-3, 500),
    ("polynomial", {}, 0, 1e-4, 40),
    ("polynomial", {"power": 2.0, "lr_end": 1e-6}, 6, 1e-4, 77),
    ("polynomial", {"power": 0.5, "lr_end": 0.0}, 0.25, 1e-4, 77),
    ("warmup_stable_decay", {"num_decay_steps": 20}, 10, 1e-3, 100),
    ("warmup_stable_decay", {"num_decay_steps": 30, "decay_type": "linear", "warmup_type": "cosine",
                             "min_lr_ratio": 0.1}, 0.12, 1e-3, 99),
    ("warmup_stable_decay", {"num_decay_steps": 30, "decay_type": "1-sqrt",
                             "warmup_type": "1-sqrt", "num_stable_steps": 15}, 8, 1e-3, 99),
    ("warmup_stable_decay", {"num_decay_steps": 40, "num_cycles": 1.5}, 0, 1e-3, 64),
]
SAMPLES = 24


def factors(name, kwargs, warmup_steps, learning_rate, total_steps):
    warmup = int(warmup_steps) if warmup_steps >= 1 else math.ceil(total_steps * warmup_steps)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=learning_rate)
    scheduler = transformers.get_scheduler(name, optimizer, warmup, total_steps, dict(kwargs))
    stride = max(1, total_steps // SAMPLES)
    steps = sorted({*range(0, total_steps, stride), total_steps - 1, total_steps, total_steps + 3,
                    max(0, warmup - 1), warmup, warmup + 1})
    return [[step, float(scheduler.lr_lambdas[0](step))] for step in steps]


def main():
    cases = []
    for name, kwargs, warmup_steps, learning_rate, total_steps in CASES:
        cases.append({"type": name, "kwargs": kwargs, "warmup_steps": warmup_steps,
                      "learning_rate": learning_rate, "total_steps": total_steps,
                      "factors": factors(name, kwargs, warmup_steps, learning_rate, total_steps)})
    path = pathlib.Path(__file__).parent.parent / "tests/golden/schedules.json"
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{{"made_by": "scripts/make_golden_schedule.py, transformers '
                    f'{transformers.__version__}",\n"cases": [\n{lines}\n]}}\n')
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes eight tiny random models with `transformers` and the golden values they are tested against.

    python scripts/make_golden.py --output_dir tests/golden/models

Each folder gets config.json and model.safetensors as save_pretrained writes them (fp32),
golden.safetensors (tensors, i32 and f32 only) and golden.json (doubles, settings, errors).
tests/golden/models/README.md describes every tensor and key. Same versions, same bytes.

The golden values come from a float64 run, so that the reference adds no noise of its own. A plain
model.double() would not do: transformers computes softmax and RMSNorm in fp32 whatever the dtype.
`InFloat64` lifts those to float64 and fails if any fp32 tensor appears elsewhere. The one exception
is the RoPE table: its frequencies, angles, cosines and sines stay fp32 as transformers computes
them, because that table is part of what has to be matched. The fp32 run is compared and recorded.
"""

import argparse
import json
import platform
from contextlib import nullcontext
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode
from transformers import (AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config,
                          Qwen3Config, get_linear_schedule_with_warmup)
from transformers.trainer_pt_utils import get_parameter_names

SEED = 20240
WEIGHT_STD = 0.2  # with ~36 channels: attention scores of std ~1, so no softmax is near uniform
ROW_LENGTHS = [13, 1, 21, 2, 17, 11]
LONG_ROW_LENGTHS = [13, 1, 97, 2, 70]  # tensor cores take 64 keys at a time
BF16_BATCHES = 16  # on one batch an error of bf16 may be small by luck
# beta2 and epsilon differ from the defaults, so that ignoring them or misplacing epsilon shows.
TRAIN = dict(steps=20, learning_rate=1e-3, warmup_steps=5, beta1=0.9, beta2=0.98, epsilon=1e-5,
             weight_decay=0.1, accumulation=2)
NO_DECAY = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
GENERATE_TOKENS = 24
MIN_GAP = 0.02  # of the two largest logits: far above fp32 noise at every greedy step
IDS = dict(bos_token_id=0, eos_token_id=1)


def configs():
    """name -> (config, max_grad_norm). Each clips on some of the 20 steps and not on others."""
    llama3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0,
                  high_freq_factor=4.0, original_max_position_embeddings=32)
    def rope(theta):
        return dict(rope_type="default", rope_theta=theta)
    return {
        "gpt2": (GPT2Config(
            vocab_size=97, n_positions=37, n_embd=30, n_layer=2, n_head=3, n_inner=61,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **IDS), 2.5),
        "llama": (LlamaConfig(
            vocab_size=97, hidden_size=30, intermediate_size=43, num_hidden_layers=2,
            num_attention_heads=3, num_key_value_heads=3, max_position_embeddings=256,
            rms_norm_eps=1e-5, rope_parameters=llama3, tie_word_embeddings=False, **IDS), 4.5),
        "smollm": (LlamaConfig(
            vocab_size=113, hidden_size=36, intermediate_size=47, num_hidden_layers=2,
            num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=64,
            rms_norm_eps=1e-5, rope_parameters=rope(1e4), tie_word_embeddings=True, **IDS), 5.0),
        "qwen2": (Qwen2Config(
            vocab_size=97, hidden_size=42, intermediate_size=37, num_hidden_layers=2,
            num_attention_heads=7, num_key_value_heads=1, max_position_embeddings=64,
            rope_parameters=rope(100.0), tie_word_embeddings=True, **IDS), 5.0),
        "qwen3": (Qwen3Config(
            vocab_size=101, hidden_size=30, intermediate_size=41, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=12, max_position_embeddings=64,
            rope_parameters=rope(1e6), tie_word_embeddings=True, **IDS), 4.3),
        "mistral": (MistralConfig(
            vocab_size=97, hidden_size=36, intermediate_size=39, num_hidden_layers=2,
            num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=64,
            rms_norm_eps=1e-5, rope_parameters=rope(1e4), sliding_window=None,
            tie_word_embeddings=False, **IDS), 5.5),
        "llama_biased": (LlamaConfig(
            vocab_size=97, hidden_size=30, intermediate_size=37, num_hidden_layers=2,
            num_attention_heads=5, num_key_value_heads=5, max_position_embeddings=64,
            attention_bias=True, mlp_bias=True, rope_parameters=rope(1e4),
            tie_word_embeddings=True, **IDS), 3.9),
        "llama_head64": (LlamaConfig(
            vocab_size=97, hidden_size=30, intermediate_size=37, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, head_dim=64, max_position_embeddings=128,
            rms_norm_eps=1e-5, rope_parameters=rope(1e4), tie_word_embeddings=True, **IDS), 4.0),
    }


def row_lengths(config):
    return LONG_ROW_LENGTHS if getattr(config, "head_dim", 0) == 64 else ROW_LENGTHS


class InFloat64(TorchFunctionMode):
    """Turns every request for float32 into float64, except inside a rotary embedding's forward."""

    def __init__(self):
        super().__init__()
        self.in_rotary = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.in_rotary:
            return func(*args, **kwargs)
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        lift = lambda value: torch.float64 if value is torch.float32 else value
        result = func(*[lift(a) for a in args], **{k: lift(v) for k, v in kwargs.items()})
        if isinstance(result, torch.Tensor) and result.dtype == torch.float32:
            raise RuntimeError(f"{func}: an fp32 tensor in the float64 run")
        return result


def save(model, folder):
    """Writes the model; for llama3 RoPE also the config in the spelling of transformers 4."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    if config.get("rope_parameters", {}).get("rope_type") != "llama3":
        return
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = scaling
    config["torch_dtype"] = config.pop("dtype")
    old = folder / "config_transformers_4.json"
    old.write_text(json.dumps(config, indent=2) + "\n")
    read = LlamaConfig.from_json_file(old)
    assert read.rope_parameters == model.config.rope_parameters, read.rope_parameters


def double_copy(model):
    """A float64 copy of the model and the mode to run it under."""
    mode = InFloat64()
    copy = clone(model, torch.float64)
    for module in copy.modules():
        if type(module).__name__.endswith("RotaryEmbedding"):
            def forward(*args, inner=module.forward, **kwargs):
                mode.in_rotary = True
                try:
                    return inner(*args, **kwargs)
                finally:
                    mode.in_rotary = False
            module.forward = forward
    return copy, mode


def clone(model, dtype):
    """The model in dtype; buffers (RoPE frequencies) stay fp32, as from_pretrained(dtype=) does."""
    copy = AutoModelForCausalLM.from_config(model.config, attn_implementation="eager")
    copy.load_state_dict(model.state_dict())
    for parameter in copy.parameters():
        parameter.data = parameter.data.to(dtype)
    return copy.eval()


def random_model(config, generator):
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() > 1:
            parameter.data = WEIGHT_STD * noise
        elif name.endswith("bias"):
            parameter.data = 0.3 * noise
        else:  # the weight of a norm
            parameter.data = 1.0 + 0.3 * noise
    return model.eval()


def ragged(lengths, vocab_size, generator):
    """Token rows of which a row's next token is predictable three times out of four."""
    rows = []
    for length in lengths:
        row = torch.randint(2, vocab_size, (length,), generator=generator)
        guess = torch.rand(length, generator=generator)
        for i in range(1, length):
            if guess[i] < 0.75:
                row[i] = 2 + (5 * row[i - 1] + 3) % (vocab_size - 2)
        rows.append(row)
    return rows


def starts(rows):
    return torch.tensor([0] + [len(row) for row in rows]).cumsum(0).to(torch.int32)


def row_logprobs(model, row):
    """Logits [T, V] and the log-probability of each token given its prefix [T], 0 for the first."""
    logits = model(row[None], use_cache=False).logits[0]
    wide = logits if logits.dtype == torch.float64 else logits.float()
    logprob = torch.log_softmax(wide[:-1], dim=-1).gather(1, row[1:, None])[:, 0]
    return logits, torch.cat([wide.new_zeros(1), logprob])


def run(model, rows, weights, mode=None):
    """One forward and backward over the rows, one by one: everything as float64."""
    model.zero_grad()
    with mode or nullcontext():
        pairs = [row_logprobs(model, row) for row in rows]
        logprob = torch.cat([pair[1] for pair in pairs]).double()
        loss = -(weights * logprob).sum() / weights.sum()
        loss.backward()
    return dict(
        logits=torch.cat([pair[0] for pair in pairs]).detach().double(),
        logprob=logprob.detach(), loss=loss.item(),
        grad={n: p.grad.double().clone() for n, p in model.named_parameters()})


def relative(value, reference):
    return float((value.double() - reference.double()).norm() / reference.double().norm())


def errors(result, reference):
    return dict(
        logits=relative(result["logits"], reference["logits"]),
        logprob=relative(result["logprob"], reference["logprob"]),
        loss=abs(result["loss"] / reference["loss"] - 1),
        grad={n: relative(g, reference["grad"][n]) for n, g in result["grad"].items()})


def loss_error_rms(model, reference, batches):
    squares = []
    for rows in batches:
        with torch.no_grad():
            pair = [sum(row_logprobs(m, row)[1].double().sum().item() for row in rows)
                    for m in (model, reference)]
        squares.append((pair[0] / pair[1] - 1) ** 2)
    return root_mean(squares)


def root_mean(squares):
    return (sum(squares) / len(squares)) ** 0.5


def error_rms(model, exact_model, mode, batches):
    """Root mean squares over the batches of the relative errors of logits, loss and gradients."""
    found = []
    for rows in batches:
        weights = torch.ones(sum(map(len, rows)), dtype=torch.float64)
        weights[starts(rows)[:-1].long()] = 0.0
        found.append(errors(run(model, rows, weights), run(exact_model, rows, weights, mode)))
    return dict(
        {key: root_mean([e[key] ** 2 for e in found]) for key in ("logits", "loss")},
        grad={n: root_mean([e["grad"][n] ** 2 for e in found]) for n in found[0]["grad"]})


def training_rows(vocab_size, generator):
    """The rows of all steps, and the row at which each micro-batch starts."""
    lengths, micro_starts = [], [0]
    for micro in range(TRAIN["steps"] * TRAIN["accumulation"]):
        count = int(torch.randint(1, 5, (1,), generator=generator))
        new = torch.randint(2, 14, (count,), generator=generator).tolist()
        if micro % TRAIN["accumulation"] == 0:
            new.append(11)  # every step has at least these ten targets
        if micro % 5 == 1:
            new[0] = 1  # a row of one token has no target
        if micro == 13:
            new = [1]  # a micro-batch without any target
        lengths += new
        micro_starts.append(len(lengths))
    return ragged(lengths, vocab_size, generator), micro_starts


def optimizer_for(model):
    decays = set(get_parameter_names(model, [torch.nn.LayerNorm], NO_DECAY))
    groups = [[p for n, p in model.named_parameters() if (n in decays) == keep]
              for keep in (True, False)]
    return torch.optim.AdamW(
        [dict(params=groups[0], weight_decay=TRAIN["weight_decay"]),
         dict(params=groups[1], weight_decay=0.0)],
        lr=TRAIN["learning_rate"], betas=(TRAIN["beta1"], TRAIN["beta2"]), eps=TRAIN["epsilon"],
        foreach=False), sorted(n for n, _ in model.named_parameters() if n not in decays)


def train(model, rows, micro_starts, max_grad_norm, mode=None):
    """20 steps of AdamW in a plain loop. Changes the model."""
    optimizer, no_decay = optimizer_for(model)
    schedule = get_linear_schedule_with_warmup(optimizer, TRAIN["warmup_steps"], TRAIN["steps"])
    log = dict(loss=[], grad_norm=[], learning_rates=[])
    for step in range(TRAIN["steps"]):
        micros = range(step * TRAIN["accumulation"], (step + 1) * TRAIN["accumulation"])
        chunks = [rows[micro_starts[m]:micro_starts[m + 1]] for m in micros]
        targets = sum(len(row) - 1 for chunk in chunks for row in chunk)
        optimizer.zero_grad()
        total = 0.0
        for chunk in chunks:
            with mode or nullcontext():
                loss = -torch.cat([row_logprobs(model, row)[1] for row in chunk]).sum() / targets
                loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm, foreach=False)
        log["loss"].append(total)
        log["grad_norm"].append(norm.item())
        log["learning_rates"].append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return log, {n: p.detach().clone() for n, p in model.named_parameters()}, no_decay


def greedy(model, vocab_size, generator):
    """A prompt whose greedy continuation has no near-tie, no EOS and ten different tokens."""
    for _ in range(2000):
        prompt = torch.randint(2, vocab_size, (5,), generator=generator)
        with torch.no_grad():
            tokens = model.generate(
                prompt[None], attention_mask=torch.ones(1, 5, dtype=torch.long), do_sample=False,
                max_new_tokens=GENERATE_TOKENS, eos_token_id=None, pad_token_id=0)[0]
            top = model(tokens[None]).logits[0, 4:-1].topk(2).values
        new = tokens[5:]
        gap = float((top[:, 0] - top[:, 1]).min())
        if gap > MIN_GAP and 1 not in new and len(set(new.tolist())) >= 10:
            return prompt, new, gap
    raise RuntimeError("no prompt without a near-tie was found")


def i32(values):
    return torch.as_tensor(values).to(torch.int32).contiguous()


def f32(tensor):
    return tensor.detach().float().clone().contiguous()


def key_bias_slices(config):
    """GPT-2's key biases shift every score of a query alike: their exact gradient is zero."""
    if config.model_type != "gpt2":
        return {}
    c = config.n_embd
    return {f"transformer.h.{i}.attn.c_attn.bias": [c, 2 * c] for i in range(config.n_layer)}


def update_errors(after, reference, before, skip):
    """‖w - w_ref‖ / ‖w_ref - w_0‖ of each tensor, without the slices in skip."""
    result = {}
    for name, value in reference.items():
        keep = torch.ones_like(value, dtype=torch.bool)
        if name in skip:
            keep[skip[name][0]:skip[name][1]] = False
        start = before[name].detach().double()[keep]
        result[name] = relative(after[name].double()[keep] - start, value[keep] - start)
    return result


def batch_golden(model, exact_model, mode, generator):
    """Tensors and errors of one forward and backward over a ragged batch with uneven weights."""
    vocab_size = model.config.vocab_size
    lengths = row_lengths(model.config)
    rows = ragged(lengths, vocab_size, generator)
    weights = torch.ones(sum(lengths), dtype=torch.float64)
    draw = torch.rand(weights.shape, generator=generator)
    weights[draw < 0.15] = 0.0
    weights[(draw >= 0.15) & (draw < 0.3)] = 0.5
    weights[starts(rows)[:-1].long()] = 0.0

    exact = run(exact_model, rows, weights, mode)
    single = run(model, rows, weights)
    half_model = clone(model, torch.bfloat16)
    bf16_error = errors(run(half_model, rows, weights), single)
    batches = [ragged(lengths, vocab_size, generator) for _ in range(BF16_BATCHES)]
    bf16_error["loss_rms"] = loss_error_rms(half_model, model, batches)
    bf16_error["rms"] = error_rms(half_model, exact_model, mode, batches)
    tensors = {"tokens": i32(torch.cat(rows)), "row_starts": starts(rows),
               "loss_weight": f32(weights), "logits": f32(exact["logits"]),
               "logprob": f32(exact["logprob"])}
    tensors |= {f"grad.{n}": f32(g) for n, g in exact["grad"].items()}
    bf16_rows = [row for batch in batches for row in batch]
    tensors |= {"bf16.tokens": i32(torch.cat(bf16_rows)), "bf16.row_starts": starts(bf16_rows),
                "bf16.batch_starts": starts(batches)}
    return tensors, dict(loss=exact["loss"], fp32_error=errors(single, exact),
                         bf16_error=bf16_error)


def train_golden(model, exact_model, mode, max_grad_norm, generator):
    """Tensors and log of 20 optimiser steps, and how far PyTorch's own fp32 run is from them."""
    rows, micro_starts = training_rows(model.config.vocab_size, generator)
    log, after, no_decay = train(exact_model, rows, micro_starts, max_grad_norm, mode)
    single_log, single_after, _ = train(clone(model, torch.float32), rows, micro_starts,
                                        max_grad_norm)
    before = dict(model.named_parameters())
    tensors = {"train.tokens": i32(torch.cat(rows)), "train.row_starts": starts(rows),
               "train.micro_starts": i32(micro_starts),
               "train.loss": f32(torch.tensor(log["loss"])),
               "train.grad_norm": f32(torch.tensor(log["grad_norm"]))}
    tensors |= {f"after20.{n}": f32(w) for n, w in after.items()}
    fp32_error = dict(
        train_loss=max(abs(a / b - 1) for a, b in zip(single_log["loss"], log["loss"])),
        update=update_errors(single_after, after, before, key_bias_slices(model.config)))
    clipped = sum(norm > max_grad_norm for norm in log["grad_norm"])
    settings = TRAIN | dict(lr_scheduler_type="linear", max_grad_norm=max_grad_norm,
                            clipped_steps=clipped, no_decay=no_decay)
    return tensors, settings | log, fp32_error


def make(name, config, max_grad_norm, folder, seed):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = random_model(config, generator)
    save(model, folder)
    exact_model, mode = double_copy(model)
    batch, summary = batch_golden(model, exact_model, mode, generator)
    steps, log, train_error = train_golden(model, exact_model, mode, max_grad_norm, generator)
    prompt, new_tokens, gap = greedy(model, config.vocab_size, generator)
    save_file(batch | steps | {"generate.prompt": i32(prompt), "generate.tokens": i32(new_tokens)},
              folder / "golden.safetensors")
    summary["fp32_error"] |= train_error
    summary = dict(model=name, seed=seed) | summary | dict(
        zero_gradient=key_bias_slices(config), train=log,
        generate=dict(max_new_tokens=GENERATE_TOKENS, smallest_gap=gap),
        versions=dict(torch=torch.__version__, transformers=transformers.__version__,
                      python=platform.python_version()))
    (folder / "golden.json").write_text(json.dumps(summary, indent=1) + "\n")
    report(name, summary, sum(p.numel() for p in model.parameters()), folder)


def report(name, s, parameters, folder):
    fp32, bf16, log = s["fp32_error"], s["bf16_error"], s["train"]
    rms = bf16["rms"]
    worst = max(fp32["update"], key=fp32["update"].get)
    print(f"{name}: {parameters} parameters, loss {s['loss']:.6f}, "
          f"{sum(f.stat().st_size for f in folder.iterdir())} bytes\n"
          f"  fp32 error: logits {fp32['logits']:.1e} loss {fp32['loss']:.1e} "
          f"worst gradient {max(fp32['grad'].values()):.1e} train loss {fp32['train_loss']:.1e} "
          f"worst update {fp32['update'][worst]:.1e} ({worst})\n"
          f"  bf16 error: logits {bf16['logits']:.1e} loss {bf16['loss']:.1e} "
          f"gradients {min(bf16['grad'].values()):.1e} to {max(bf16['grad'].values()):.1e}\n"
          f"  over {BF16_BATCHES} batches: logits {rms['logits']:.1e} loss {rms['loss']:.1e} "
          f"gradients {min(rms['grad'].values()):.1e} to {max(rms['grad'].values()):.1e}\n"
          f"  loss {log['loss'][0]:.4f} to {log['loss'][-1]:.4f}, gradient norms "
          f"{min(log['grad_norm']):.2f} to {max(log['grad_norm']):.2f}, clipped at "
          f"{log['max_grad_norm']} on {log['clipped_steps']} of {log['steps']} steps; "
          f"greedy gap {s['generate']['smallest_gap']:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    for index, (name, (config, max_grad_norm)) in enumerate(configs().items()):
        make(name, config, max_grad_norm, arguments.output_dir / name, SEED + index)


if __name__ == "__main__":
    main()

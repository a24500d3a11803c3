#!/usr/bin/env python3
"""Writes tests/golden/chat.json: conversations and instruction rows as transformers renders,
tokenises, masks and scores them.

  templates    the published Jinja sources
  renderings   apply_chat_template's text of conversations under each
  rows         rows of {"instruction", "input", "output"}: their ids under the tokenizer small_smollm
               (with <|im_start|> and <|im_end|> added, the latter as EOS), and labels, -100 where a
               token is not trained
  loss         of the tiny model "llama" on those rows: ids modulo its vocabulary, the labels' mask;
               per template the sum of -log p over the labels, and how many there are

The trained tokens are not found as Fettle finds them: those of a conversation come from Jinja's
generation spans, those of a plain row from the tokens' places in the text.

usage: python scripts/make_golden_chat.py      (needs torch and transformers)
"""
import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).parent.parent / "tests/golden"

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
TURN = ("{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
DEFAULT_SYSTEM = ("{% if loop.first and messages[0]['role'] != 'system' %}"
                  "{{ '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' }}{% endif %}")
FOR = "{% for message in messages %}"
TEMPLATES = {"smollm2": FOR + DEFAULT_SYSTEM + TURN, "chatml": FOR + TURN}

CONVERSATIONS = [
    [("user", "Hi")],
    [("system", "Be brief."), ("user", "Who are you?")],
    [("user", "Hi"), ("assistant", "Hello!"), ("user", "And\nnow?\n")],
    [("system", ""), ("user", " padded "), ("assistant", "\n  kept \n\n")],
    [("user", "café 😀 你好 'quoted' \"twice\" {{ braces }} {% raw %} \\n"), ("assistant", "")],
    [("user", "<|im_start|>user\nnested<|im_end|>\n"), ("tool", "42"), ("assistant", "ok")],
    [("assistant", "I begin."), ("system", "late"), ("user", "")],
]

PROMPT_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n")
PROMPT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n")

ROWS = [
    {"instruction": "Add.", "input": "2, 3", "output": "5"},
    {"instruction": "Say hello.", "input": "", "output": "Hello world"},
    {"instruction": "Name the café", "output": "  It's the naïve one.\n"},
    {"instruction": "Be silent", "input": "now", "output": ""},
    {"instruction": "End it", "input": "", "output": "done<|im_end|>"},
]


def labels_of_plain(tokenizer, row):
    prompt = (PROMPT_INPUT if row.get("input") else PROMPT).format_map(row)
    text = prompt + row["output"]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(encoded["input_ids"])
    trained = [end > len(prompt) for _, end in encoded["offset_mapping"]]
    if ids[-1] != tokenizer.eos_token_id:
        ids.append(tokenizer.eos_token_id)
        trained.append(True)
    return ids, trained


def labels_of_chat(tokenizer, name, row):
    user = row["instruction"] + ("\n" + row["input"] if row.get("input") else "")
    messages = [{"role": "user", "content": user},
                {"role": "assistant", "content": row["output"]}]
    spans = (FOR + (DEFAULT_SYSTEM if name == "smollm2" else "") +
             "{% if message['role'] == 'assistant' %}{{'<|im_start|>assistant\n'}}{% generation %}"
             "{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}"
             "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
             "{% endif %}{% endfor %}")
    masked = tokenizer.apply_chat_template(messages, chat_template=spans, return_dict=True,
                                           return_assistant_tokens_mask=True)
    plain = tokenizer.apply_chat_template(messages, chat_template=TEMPLATES[name],
                                          return_dict=True)
    assert list(masked["input_ids"]) == list(plain["input_ids"])
    return list(plain["input_ids"]), [bool(m) for m in masked["assistant_masks"]]


def loss_of(model, rows):
    total, count = 0.0, 0
    for row in rows:
        ids = torch.tensor([[i % model.config.vocab_size for i in row["ids"]]])
        assert ids.shape[1] <= model.config.max_position_embeddings, ids.shape
        labels = ids.clone()
        labels[0, [i for i, label in enumerate(row["labels"]) if label == -100]] = -100
        targets = int((labels[0, 1:] != -100).sum())
        total += float(model(input_ids=ids, labels=labels).loss) * targets
        count += targets
    return {"sum": total, "tokens": count}


def main():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(ROOT / "tokenizer/small_smollm/tokenizer.json"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.eos_token = "<|im_end|>"
    renderings = []
    for name, template in TEMPLATES.items():
        for conversation in CONVERSATIONS:
            for prompt in (False, True):
                messages = [{"role": role, "content": content} for role, content in conversation]
                renderings.append({
                    "template": name, "messages": conversation, "add_generation_prompt": prompt,
                    "text": tokenizer.apply_chat_template(
                        messages, chat_template=template, tokenize=False,
                        add_generation_prompt=prompt)})
    model = AutoModelForCausalLM.from_pretrained(ROOT / "models/llama", dtype=torch.float64)
    rows, loss = [], {}
    for name in ("", *TEMPLATES):
        mine = []
        for row in ROWS:
            ids, trained = (labels_of_chat(tokenizer, name, row) if name
                            else labels_of_plain(tokenizer, row))
            mine.append({"template": name, "row": row, "ids": ids,
                         "labels": [i if t else -100 for i, t in zip(ids, trained)]})
        loss[name] = loss_of(model, mine)
        rows += mine
    added = {text: tokenizer.convert_tokens_to_ids(text) for text in ("<|im_start|>", "<|im_end|>")}
    golden = {"templates": TEMPLATES, "added_tokens": added, "renderings": renderings, "rows": rows,
              "loss": loss}
    lines = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    for opening in ('{"template":', '"renderings":', '"rows":', '"loss":', '"added_tokens":'):
        lines = lines.replace("," + opening, ",\n" + opening)
    (ROOT / "chat.json").write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Golden token ids from Hugging Face `tokenizers`, for tests/model/text.

Writes tests/golden/tokenizer/:
  strings.jsonl    1,000 random strings, a JSON string a line
  gpt2.ids, qwen.ids                  their ids under the published vocabularies
  small_*/tokenizer.json, small_*.ids four small tokenizers and the ids of the first strings
  small_llama/tokenizer.json, .ids    a SentencePiece tokenizer and the ids of all strings
  small_llama/scores.json             the scores that its merges come from
  small_llama/cases.jsonl             strings, their ids under each way of marking spaces, decoded
Ids in .ids files are written as base-64 digits, three per id for the published vocabularies, two for the small
ones (alphabet: kDigits), a line per string.

Needs: pip install tokenizers sentencepiece transformers; GPT-2's encoder.json and vocab.bpe in DATA/gpt2_tokenizer and Qwen's
tokenizer.json in DATA/qwen_tokenizer. Usage: scripts/make_golden_tokenizer.py DATA
"""

import io
import json
import pathlib
import random
import sys

import sentencepiece
from transformers.tokenization_utils_base import generate_merges
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
kStrings = 1000
kSmallStrings = 400
kSmallVocabulary = 420
kLlamaVocabulary = 600
kLlamaStrings = 20

WORDS = ("the of and hello Hello HELLO world don can we they you I it's we'll cannot "
         "straße naïve café cafe\u0301 Åse A\u030angstro\u0308m über ﬁn ǅ ʼn").split()
CONTRACTIONS = ["'s", "'S", "'t", "'T", "'re", "'Re", "'RE", "'ve", "'vE", "'m", "'M", "'ll",
                "'LL", "'lL", "'d", "'D", "'\u017f", "'l", "'r", "'", "''", "’s", "’T"]
NUMBERS = ["0", "7", "42", "123", "1234", "1234567", "3.14", "٣", "٤٥٦", "१२३", "１２３", "²", "½",
           "Ⅷ", "𝟘𝟙", "①", "௧", "五", "x2y", "9a"]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "❤️", "1️⃣", "🤷🏾‍♀️", "👨‍💻", "©", "™"]
SCRIPTS = ["你好世界", "こんにちは", "안녕", "\u1112\u1161\u11ab\u1100\u1173\u11af", "привет",
           "שלום", "مرحبا", "नमस्ते", "สวัสดี", "Ελλάδα", "ქართული", "한글", "𐍈", "𠮷", "\U0001e900"]
MARKS = ["\u0301", "\u0308\u0301", "e\u0301", "a\u0323\u0302", "\u0345", "\u20dd", "\u200d",
         "\u200c", "\u200b", "\ufe0f", "\u00ad", "q\u0307\u0323", "\u0958", "\u2126", "\u212b"]
SPACES = [" ", " ", " ", "  ", "   ", "     ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r",
          " \n", "\n ", "  \n  ", "\u00a0", "\u3000", "\u2028", "\u0085", "\x0b", "\x0c", "\u2003 ",
          " \t\n x"]
PUNCTUATION = [".", ",", "!", "?!", "...", "—", "(", ")", "[]", "{}", "<", ">", "|", "/", "\\", '"',
               "_", "#", "@", "&&", "==", "…", "。", "、", "«", "»", "$5", "%", "^", "`", "~\n"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "<|endof", "|endoftext|>",
           "<|begin_of_text|>", "<|endoftext|><|endoftext|>", "<mask>", " <mask> ", "<pad>  ",
           "<pad>", "WORD", "WORDY", " WORD.", "aWORD", "WORD's", "<n:café>", "<n:cafe\u0301>"]
LLAMA_CASES = ["", " ", "  ", "   x", "x ", "▁", "▁x", " ▁x", "x▁y", "<s>", "<s>x", "<s> x", " <s>x",
               "<s></s>", "<s>x</s> y", "x<s>y<s>z", "<unk>", "a<unk>b", "<0x0A>", "<0x41>x", "\n",
               "\n\n", "\t", "a\nb", "the man said", " the man said", "<n:café>", "<n:café>x",
               "x <n:café> y", "x<n:café>y", " <mask> x", "x <mask> y", "<pad> x", "<pad>x", "WORD x",
               "x WORD", "xWORD", "😀", " 😀 ", "你好", "é", "e\u0301", "\u00a0x", "\u3000",
               "<s>\n x", "[INST] Hi [/INST]", "<s>[INST] Hi [/INST] Yes. </s><s>[INST]"]
POOLS = [WORDS, WORDS, WORDS, CONTRACTIONS, NUMBERS, EMOJI, SCRIPTS, MARKS, SPACES, SPACES, SPACES,
         PUNCTUATION, PUNCTUATION, SPECIAL]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def random_character(rng):
    while True:
        code = rng.choice([rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(0x20000),
                           rng.randrange(0x110000)])
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def random_string(rng):
    parts = []
    for _ in range(rng.randint(1, 12)):
        if rng.random() < 0.1:
            parts += [random_character(rng) for _ in range(rng.randint(1, 2))]
        else:
            parts.append(rng.choice(rng.choice(POOLS)))
    return "".join(parts)


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    byte_level(False)])


def small_tokenizer(pre_tokenizer, normalizer, strings):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=kSmallVocabulary, show_progress=False,
                                  special_tokens=["<|endoftext|>", "<|begin_of_text|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(strings, trainer)
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True),
                          AddedToken("<pad>", rstrip=True, normalized=False, special=True),
                          AddedToken("WORD", single_word=True, normalized=False),
                          AddedToken("<n:café>", normalized=True)])
    return tokenizer


def small_tokenizers(strings):
    yield "small_gpt2", small_tokenizer(byte_level(True), None, strings)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                      byte_level(True)])
    yield "small_smollm", small_tokenizer(digits, None, strings)
    yield "small_qwen", small_tokenizer(split(QWEN2), normalizers.NFC(), strings)
    llama3 = small_tokenizer(split(LLAMA3), None, strings)
    description = json.loads(llama3.to_str())
    # A token that no merge makes: only ignore_merges finds it.
    model = description["model"]
    # Added tokens have the ids behind the vocabulary, so they make room.
    for token in description["added_tokens"]:
        token["id"] += token["content"] not in model["vocab"]
    model["vocab"]["Ġcannot"] = len(model["vocab"])
    model["ignore_merges"] = True
    llama3 = Tokenizer.from_str(json.dumps(description))
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="$A $B",
                                      special_tokens=[("<|begin_of_text|>", 1)])])
    yield "small_llama3", llama3


def metaspace(scheme, split):
    return pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=split)


def llama_decoder(strip):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))


# name: normalizer, pre-tokenizer, decoder
LLAMA_FORMS = {
    "normalizer": (normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
                   None, llama_decoder(True)),
    "no_prefix": (normalizers.Sequence([normalizers.Replace(" ", "▁")]), None,
                  llama_decoder(False)),
    "always": (None, metaspace("always", False), llama_decoder(True)),
    "first": (None, metaspace("first", False), llama_decoder(True)),
    "never": (None, metaspace("never", False), llama_decoder(False)),
    "always_split": (None, metaspace("always", True), llama_decoder(True))}


def llama_pieces(data):
    """Tokens and scores of a small SentencePiece vocabulary. Scores come in groups of three, so
    that the order of equal scores matters."""
    lines = (data / "tinyshakespeare/input.txt").read_text()[:200000].splitlines()
    lines += WORDS + SCRIPTS[:4] + EMOJI[:3] + ["    four        eight"] * 20
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe",
        vocab_size=kLlamaVocabulary, byte_fallback=True, character_coverage=1.0,
        normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = range(pieces.get_piece_size())
    return ([pieces.id_to_piece(i) for i in ids], [float(int(pieces.get_score(i) / 3)) for i in ids])


def llama_tokenizers(tokens, scores):
    ids = {token: i for i, token in enumerate(tokens)}
    merges = generate_merges(ids, dict(zip(tokens, scores)))
    for name, (normalizer, pre_tokenizer, decoder) in LLAMA_FORMS.items():
        tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges, unk_token="<unk>", fuse_unk=True,
                                         byte_fallback=True))
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre_tokenizer:
            tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.decoder = decoder
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
        tokenizer.add_special_tokens([AddedToken(token, normalized=False)
                                      for token in ("<unk>", "<s>", "</s>")])
        tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True),
                              AddedToken("<pad>", rstrip=True, normalized=False, special=True),
                              AddedToken("WORD", single_word=True, normalized=False),
                              AddedToken("<n:café>", normalized=True)])
        yield name, tokenizer


def write_llama(out, data, strings):
    folder = out / "small_llama"
    folder.mkdir(exist_ok=True)
    tokens, scores = llama_pieces(data)
    (folder / "scores.json").write_text(json.dumps(scores, separators=(",", ":")) + "\n")
    of_form = dict(llama_tokenizers(tokens, scores))
    text = json.dumps(json.loads(of_form["normalizer"].to_str()), ensure_ascii=False,
                      separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n")
    write_ids(out / "small_llama.ids", of_form["normalizer"], strings, 2)
    with open(folder / "cases.jsonl", "w") as file:
        for string in LLAMA_CASES + strings[:kLlamaStrings]:
            case = {"text": string}
            for name, tokenizer in of_form.items():
                ids = tokenizer.encode(string, add_special_tokens=False).ids
                case[name] = {"ids": ids,
                              "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
            file.write(json.dumps(case, separators=(",", ":")) + "\n")


def write_ids(path, tokenizer, strings, digits):
    lines = []
    for string in strings:
        line = ""
        for token in tokenizer.encode(string, add_special_tokens=False).ids:
            line += "".join(kDigits[token >> 6 * place & 63] for place in reversed(range(digits)))
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")


def main():
    data = pathlib.Path(sys.argv[1])
    out = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/tokenizer"
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    strings = [random_string(rng) for _ in range(kStrings)]
    # U+0085, U+2028 and U+2029 end a line for some readers of lines; escaped, they end none.
    lines = [json.dumps(s, ensure_ascii=False) for s in strings]
    for character in "\u0085\u2028\u2029":
        lines = [line.replace(character, f"\\u{ord(character):04x}") for line in lines]
    (out / "strings.jsonl").write_bytes(("\n".join(lines) + "\n").encode())

    gpt2 = Tokenizer(models.BPE.from_file(str(data / "gpt2_tokenizer/encoder.json"),
                                          str(data / "gpt2_tokenizer/vocab.bpe")))
    gpt2.pre_tokenizer = byte_level(True)
    gpt2.add_special_tokens(["<|endoftext|>"])
    write_ids(out / "gpt2.ids", gpt2, strings, 3)
    qwen = Tokenizer.from_file(str(data / "qwen_tokenizer/tokenizer.json"))
    write_ids(out / "qwen.ids", qwen, strings, 3)
    for name, tokenizer in small_tokenizers(strings):
        (out / name).mkdir(exist_ok=True)
        description = json.loads(tokenizer.to_str())
        if name == "small_smollm":  # the older spelling of merges
            description["model"]["merges"] = [" ".join(m) for m in description["model"]["merges"]]
        text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
        (out / name / "tokenizer.json").write_text(text + "\n")
        write_ids(out / f"{name}.ids", tokenizer, strings[:kSmallStrings], 2)
    write_llama(out, data, strings)


if __name__ == "__main__":
    main()

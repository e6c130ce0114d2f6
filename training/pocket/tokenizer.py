"""A byte-pair vocabulary of our own (Sennrich, Haddow and Birch 2016), in the two files that CLIPTokenizer reads."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

END = "</w>"
BEGIN_MARK, END_MARK = "<|startoftext|>", "<|endoftext|>"
_WORDS = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")

Symbols = tuple[str, ...]


def alphabet() -> list[str]:
    """One printable character for each of the 256 bytes, in CLIP's order: printable ones stand for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    of = {byte: chr(byte) for byte in plain} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    return [of[byte] for byte in (*plain, *others)]


def merges(texts: Iterable[str], most: int) -> list[tuple[str, str]]:
    """The pairs to join, most frequent first, ties in alphabetical order; pairs that occur once are left out."""
    bytes_of = dict(zip((*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)), alphabet(), strict=False))
    counted = Counter(word for text in texts for word in _WORDS.findall(text.lower()))
    spelled: dict[Symbols, int] = {}
    for word, count in counted.items():
        letters = [bytes_of.get(byte) for byte in word.encode()]
        known = [letter for letter in letters if letter is not None]
        if len(known) == len(letters):
            spelled[(*known[:-1], known[-1] + END)] = count
    joined: list[tuple[str, str]] = []
    while len(joined) < most:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, count in spelled.items():
            for pair in pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        best, count = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if count < 2:
            break
        joined.append(best)
        spelled = {_join(symbols, best): count for symbols, count in spelled.items()}
    return joined


def _join(symbols: Symbols, pair: tuple[str, str]) -> Symbols:
    made: list[str] = []
    for symbol in symbols:
        if made and (made[-1], symbol) == pair:
            made[-1] += symbol
        else:
            made.append(symbol)
    return tuple(made)


def write(folder: Path, texts: Iterable[str], *, vocabulary: int, length: int) -> int:
    """Learn the vocabulary of texts, write vocab.json, merges.txt and their config; the number of tokens.

    The marks of begin and end are the last two tokens. Files depend on the texts alone.
    """
    letters = alphabet()
    pairs = merges(texts, vocabulary - 2 * len(letters) - 2)
    tokens = [*letters, *(letter + END for letter in letters), *(a + b for a, b in pairs), BEGIN_MARK, END_MARK]
    folder.mkdir(parents=True, exist_ok=True)
    numbered = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(numbered, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs), "utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": BEGIN_MARK,
        "eos_token": END_MARK,
        "pad_token": END_MARK,
        "unk_token": END_MARK,
        "model_max_length": length,
        "do_lower_case": True,
        "add_prefix_space": False,
        "errors": "replace",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    return len(numbered)


def load(folder: Path) -> Any:
    """The CLIPTokenizer of a folder; FileNotFoundError without one."""
    from transformers import CLIPTokenizer

    if not (folder / "vocab.json").is_file():
        raise FileNotFoundError(f"no tokenizer in {folder}: run the stage `tokenizer` first")
    return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)


class Tokens:
    """Token ids of prompts, padded to the full length; each prompt is tokenised once."""

    def __init__(self, tokenizer: Any) -> None:
        """Wrap a CLIPTokenizer."""
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def __call__(self, prompts: list[str]) -> list[list[int]]:
        """n rows of `model_max_length` ids."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._known]
        if new:
            length = self._tokenizer.model_max_length
            read = self._tokenizer(new, padding="max_length", max_length=length, truncation=True).input_ids
            self._known.update(zip(new, read, strict=True))
        return [self._known[prompt] for prompt in prompts]

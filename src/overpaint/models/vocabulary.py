"""CLIP's vocabulary: 49,408 tokens, and the merges that make them.

Its merges (OpenAI, MIT licence: data/clip/LICENSE) come with the package, as single-file checkpoints have none.
Byte-pair encoding: Sennrich et al. 2016; byte level: Radford et al. 2019.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from overpaint.errors import ModelError

SIZE = 49_408
START, END = "<|startoftext|>", "<|endoftext|>"
_MERGES = SIZE - 2 * 256 - 2  # two tokens for each byte, inside and at the end of a word, and the two marks
_OWN = Path(__file__).parent / "data" / "clip" / "merges.txt.gz"
_FILES = ("tokenizer.json", "vocab.json", "bpe_simple_vocab_16e6.txt.gz", "merges.txt.gz")
_LARGEST = 50_000_000  # bytes of a compressed file, and characters in it

_Merges: TypeAlias = tuple[tuple[str, str], ...]
_Parsed: TypeAlias = tuple[Mapping[str, int], _Merges]


@dataclass(frozen=True, slots=True)
class ClipVocabulary:
    """Tokens and merges. Two are equal that have the same ones, wherever they are from.

    Attributes:
        tokens: The number of each token.
        merges: Pairs to join, the first the most urgent.
        source: The file that they are from.
    """

    tokens: Mapping[str, int] = field(hash=False)
    merges: _Merges
    source: Path = field(compare=False)


def find_vocabulary(near: Path | None = None) -> ClipVocabulary:
    """CLIP's vocabulary: a complete one at or beside a path, else the package's own.

    Args:
        near: A checkpoint, or a file or folder that has a vocabulary.
    """
    if near is not None:
        folder = near if near.is_dir() else near.parent
        for place in (near, folder, folder / "tokenizer"):
            try:
                found = read_vocabulary(place)
            except ModelError:
                continue
            if len(found.tokens) >= SIZE:
                return found
    return read_vocabulary(_OWN)


def read_vocabulary(path: Path) -> ClipVocabulary:
    """The vocabulary in a file (`tokenizer.json`, `vocab.json` with `merges.txt`, merges as `.txt.gz`) or a folder.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    if path.is_dir():
        for name in _FILES:
            if (path / name).is_file():
                return read_vocabulary(path / name)
        raise ModelError(f"{path} has no vocabulary ({', '.join(_FILES)})")
    try:
        if path.name.endswith(".gz"):
            with path.open("rb") as file:
                tokens, merges = _compressed(file.read(_LARGEST))
        elif path.name == "tokenizer.json":
            tokens, merges = _whole(path.read_bytes())
        elif path.name == "vocab.json":
            tokens, merges = _two_files(path.read_bytes(), (path.parent / "merges.txt").read_bytes())
        else:
            raise ModelError(f"{path} is no vocabulary: {', '.join(_FILES)} are")
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the vocabulary {path} can't be read: {error}") from error
    if START not in tokens or END not in tokens:
        raise ModelError(f"the vocabulary {path} is not CLIP's: it has no {START} and {END}")
    return ClipVocabulary(tokens, merges, path)


def _pairs(lines: list[str]) -> _Merges:
    pairs = (line.split() for line in lines if line and not line.startswith("#version"))
    return tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2)


# Parsing takes a fifth of a second, and a model has a vocabulary for each text encoder, which are most often the same.


@lru_cache(maxsize=2)
def _two_files(vocabulary: bytes, merges: bytes) -> _Parsed:
    tokens = {str(token): int(number) for token, number in json.loads(vocabulary).items()}
    return tokens, _pairs(merges.decode("utf-8").splitlines())


@lru_cache(maxsize=2)
def _whole(data: bytes) -> _Parsed:
    """One file of Hugging Face's tokenizers; marks may be listed apart from the other tokens."""
    value = json.loads(data)
    tokens = {str(token): int(number) for token, number in value["model"]["vocab"].items()}
    tokens |= {str(one["content"]): int(one["id"]) for one in value.get("added_tokens", ())}
    merges = value["model"]["merges"]
    return tokens, tuple(tuple(one.split() if isinstance(one, str) else one) for one in merges)


@lru_cache(maxsize=2)
def _compressed(data: bytes) -> _Parsed:
    """A list of merges, from which the tokens follow: bytes, bytes at a word's end, merges, marks."""
    from tokenizers.pre_tokenizers import ByteLevel

    with gzip.open(io.BytesIO(data), "rt", encoding="utf-8") as file:
        lines = file.read(_LARGEST).splitlines()
    merges = _pairs([line for line in lines if "#version" not in line][:_MERGES])  # OpenAI's file begins with a title
    letters = sorted(ByteLevel.alphabet())  # of the 256 bytes
    names = [*letters, *(f"{one}</w>" for one in letters), *(left + right for left, right in merges), START, END]
    return {name: number for number, name in enumerate(names)}, merges

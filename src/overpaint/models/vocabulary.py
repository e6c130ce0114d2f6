"""CLIP's vocabulary: 49,408 tokens and the merges that make them. It is not ours to write: it is looked for.

Places, in this order: beside the checkpoint, the model store, the hub's cache, an installed open_clip_torch (its wheel
carries OpenAI's `bpe_simple_vocab_16e6.txt.gz`). Byte-pair encoding: Sennrich et al. 2016; byte level: Radford et al.
2019.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from overpaint.errors import ModelError

from .places import hub_names, hub_snapshot, store_folder

SIZE = 49_408
START, END = "<|startoftext|>", "<|endoftext|>"
_MERGES = SIZE - 2 * 256 - 2  # two tokens for each byte, inside and at the end of a word, and the two marks
_GZ = "bpe_simple_vocab_16e6.txt.gz"
_FILES = ("tokenizer.json", "vocab.json", _GZ)
_LIKELY = ("openai/clip-vit-large-patch14", "stable-diffusion-v1-5/stable-diffusion-inpainting")

ADVICE = (
    "CLIP's vocabulary was not found: 'pip install open_clip_torch' brings it, or put vocab.json and merges.txt "
    "(of openai/clip-vit-large-patch14) beside the checkpoint"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens and merges.

    Attributes:
        tokens: The number of each token.
        merges: Pairs to join, the first the most urgent.
        source: Where it was found.
    """

    tokens: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]
    source: Path


def find_vocabulary(near: Path | None = None) -> Vocabulary:
    """CLIP's vocabulary, from the first place that has it.

    Args:
        near: The checkpoint, or a file or folder that was named for it.

    Raises:
        ModelError: No place has it; the message says what to get.
    """
    for place in _places(near):
        try:
            found = read_vocabulary(place)
        except ModelError:
            continue
        if len(found.tokens) >= SIZE:
            return found
    raise ModelError(ADVICE)


def _places(near: Path | None) -> Iterator[Path]:
    if near is not None:
        yield near
        folder = near if near.is_dir() else near.parent
        yield from (folder, folder / "tokenizer", folder / "clip")
    store = store_folder()
    if store.is_dir():
        yield from (store, store / "clip", store / "tokenizer")
        yield from (one / "tokenizer" for one in sorted(store.iterdir()) if one.is_dir())
    for name in (*_LIKELY, *hub_names()):
        snapshot = hub_snapshot(name)
        if snapshot is not None and snapshot.is_dir():
            yield from (snapshot / "tokenizer", snapshot)
    for package in ("open_clip", "clip"):
        spec = find_spec(package)  # a top-level name: nothing is imported
        for installed in spec.submodule_search_locations or () if spec is not None else ():
            yield Path(installed) / _GZ


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in a file (`tokenizer.json`, `vocab.json` with `merges.txt`, OpenAI's `.txt.gz`) or a folder.

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
            found = _compressed(path)
        elif path.name == "tokenizer.json":
            found = _whole(path)
        elif path.name == "vocab.json":
            tokens = {str(token): int(number) for token, number in json.loads(path.read_text("utf-8")).items()}
            lines = (path.parent / "merges.txt").read_text("utf-8").splitlines()
            found = Vocabulary(tokens, _pairs(lines), path)
        else:
            raise ModelError(f"{path} is no vocabulary: {', '.join(_FILES)} are")
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the vocabulary {path} can't be read: {error}") from error
    if START not in found.tokens or END not in found.tokens:
        raise ModelError(f"the vocabulary {path} is not CLIP's: it has no {START} and {END}")
    return found


def _pairs(lines: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = (line.split() for line in lines if line and not line.startswith("#version"))
    return tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2)


def _whole(path: Path) -> Vocabulary:
    """One file of Hugging Face's tokenizers; marks may be listed apart from the other tokens."""
    value = json.loads(path.read_text("utf-8"))
    tokens = {str(token): int(number) for token, number in value["model"]["vocab"].items()}
    tokens |= {str(one["content"]): int(one["id"]) for one in value.get("added_tokens", ())}
    merges = value["model"]["merges"]
    return Vocabulary(tokens, tuple(tuple(one.split() if isinstance(one, str) else one) for one in merges), path)


def _compressed(path: Path) -> Vocabulary:
    """OpenAI's list of merges, from which the tokens follow: bytes, bytes at a word's end, merges, marks."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read(50_000_000).splitlines()
    merges = _pairs(lines[1 : _MERGES + 1])
    bytes_ = byte_letters()
    names = [*bytes_, *(f"{one}</w>" for one in bytes_), *(left + right for left, right in merges), START, END]
    return Vocabulary({name: number for number, name in enumerate(names)}, merges, path)


def byte_letters() -> tuple[str, ...]:
    """A printable letter for each byte, in the order of their tokens: printable ones as they are, the rest from 256."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = 256 - len(printable)
    return tuple(map(chr, printable)) + tuple(chr(256 + number) for number in range(others))

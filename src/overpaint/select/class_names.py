"""The 150 classes of things and grounds that networks trained on ADE20K know, by their names.

Zhou et al., "Scene parsing through ADE20K dataset", CVPR 2017; the order is that of the scene parsing benchmark.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def class_names() -> tuple[str, ...]:
    """The names, in the order of the networks' outputs."""
    return tuple((Path(__file__).parent / "data" / "ade20k.txt").read_text(encoding="utf-8").split("\n")[:150])


def plain_name(name: str) -> str:
    """A name as it is compared: small letters, and one blank between words."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def class_named(name: str) -> str | None:
    """The class that a name means, or None: "Swimming-Pool" is "swimming pool"."""
    wanted = plain_name(name)
    return wanted if wanted in class_names() else None

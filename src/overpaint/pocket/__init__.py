"""The embedded model: a small text-guided inpainting checkpoint that comes with the package.

It is an ordinary diffusers folder, `checkpoint/`, with a card (MODEL_CARD.md); how it was made is in training/pocket.
This room only says where it lies: it is found, described, verified and loaded as every other model is.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER", "NAME", "folder"]

NAME = "pocket"
"""What it is asked for by."""

FOLDER = Path(__file__).with_name("checkpoint")


def folder() -> Path | None:
    """The checkpoint's folder; None in a package that was built without its weights."""
    return FOLDER if (FOLDER / "model_index.json").is_file() else None

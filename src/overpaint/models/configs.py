"""Published parameters of each family, for single files, which have no configuration. They are package data."""

from __future__ import annotations

from pathlib import Path

_DATA = Path(__file__).parent / "data"


def config_folder(family: str) -> Path:
    """The folder of a family's configurations, in diffusers' layout; "taesd": that of the tiny VAE."""
    return _DATA / family

"""Published parameters of each family, for single files, which have no configuration. They are package data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .detect import read_json
from .values import Kind

_DATA = Path(__file__).parent / "data"


def config_folder(family: str) -> Path:
    """The folder of a family's configurations, in diffusers' layout; "taesd": that of the tiny VAE."""
    return _DATA / family


def unet_config(kind: Kind, folder: Path | None = None) -> dict[str, Any]:
    """The U-Net's parameters for a kind: its family's, with its own number of input channels."""
    assert kind.family is not None
    folder = folder or config_folder(kind.family)
    whole = folder / "unet" / "config.json"
    config = read_json(whole if whole.is_file() else folder / "config.json")  # a U-Net's folder has its own alone
    config["in_channels"] = kind.channels or config.get("in_channels", 4)
    return config


def scheduler_config(kind: Kind, folder: Path | None = None) -> dict[str, Any]:
    """The training schedule for a kind: its family's, with its own prediction type."""
    assert kind.family is not None
    config = read_json((folder or config_folder(kind.family)) / "scheduler" / "scheduler_config.json")
    config["prediction_type"] = "v_prediction" if kind.prediction == "v" else "epsilon"
    return config

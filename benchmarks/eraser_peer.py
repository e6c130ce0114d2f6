"""Runs IOPaint's class of one eraser, in the environment of `benchmarks.erasers`, where Overpaint is not imported.

    python eraser_peer.py NAME IN.npz OUT.npz

IN has `image` (H, W, 3) and `mask` (H, W), uint8, 255 in the hole; OUT gets `image`, RGB. Programs are taken from
TORCH_HOME, as IOPaint does.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

CLASSES = {
    "lama": ("lama", "LaMa"),
    "anime-lama": ("lama", "AnimeLaMa"),
    "migan": ("mi_gan", "MIGAN"),
    "ldm": ("ldm", "LDM"),
    "zits": ("zits", "ZITS"),
    "manga": ("manga", "Manga"),
}
SEED = 42
_PACKAGE = "iopaint"


def main(name: str, given: str, out: str) -> None:
    """Fill one picture's hole as IOPaint's server does, apart from what its server does before and after."""
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    # Its package of models imports all of them, and diffusers of 2024 with them.
    bare = ModuleType(f"{_PACKAGE}.model")
    bare.__path__ = [str(Path(spec.origin).parent / "model")]
    sys.modules[bare.__name__] = bare
    sys.modules.setdefault("imghdr", ModuleType("imghdr"))  # gone since Python 3.13, and not used here
    module, class_name = CLASSES[name]
    eraser = getattr(importlib.import_module(f"{_PACKAGE}.model.{module}"), class_name)(torch.device("cpu"))
    request = importlib.import_module(f"{_PACKAGE}.schema").InpaintRequest(image="", mask="")
    held = np.load(given)
    torch.manual_seed(SEED)
    result = eraser(held["image"], held["mask"], request)
    np.savez(out, image=np.clip(result, 0, 255).astype(np.uint8)[:, :, ::-1])


if __name__ == "__main__":
    main(*sys.argv[1:])

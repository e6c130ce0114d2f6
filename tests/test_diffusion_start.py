"""The first prompted edit of a process: what is loaded for it, when, and what is not.

diffusers' U-Net brings transformers, SciPy and torch's compiler with it, as its packages import all that they have:
half of a command's start. It can't be had without; it can be had only where something is painted.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint import pocket
from overpaint.engines.loading import collector_paused

LATE = ("diffusers", "transformers", "torch._dynamo", "scipy.stats", "sympy", "tokenizers")
"""What only the networks need."""

NEVER = (
    "diffusers.pipelines",
    "diffusers.loaders.single_file",
    "diffusers.models.controlnets",
    "transformers.models.t5",
    "transformers.models.bert",
    "transformers.models.clip.image_processing_clip",
    "transformers.pipelines",
    "transformers.trainer",
    "torchvision",
    "sklearn",
    "accelerate",
    "peft",
)
"""What a model of the families here never needs, though it is one name away from what it does."""

_PROBE = f"""
import gc, json, sys

collected = {{}}


def importing(event, details):
    if event == "import" and details[0] in ("torch", "diffusers", "transformers"):
        collected.setdefault(details[0], gc.isenabled())


sys.addaudithook(importing)
from overpaint.cli import main

loaded = lambda names: [name for name in names if name in sys.modules]
edit = ["replace", "photo.png", "--box", "20,20,44,44", "--prompt", "a red flower", "--model", "pocket"]
refused = main([*edit, "--sampler", "nonsense"])
early = loaded({LATE!r})
painted = main([*edit, "--steps", "1", "--device", "cpu"])
print(json.dumps([refused, early, painted, loaded({LATE!r}), loaded({NEVER!r}), collected, gc.isenabled()]))
"""


@pytest.mark.skipif(pocket.folder() is None, reason="no weights are shipped yet")
def test_a_prompted_edit_loads_the_networks_libraries_late_and_no_more_of_them_than_it_must(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    done = subprocess.run([sys.executable, "-c", _PROBE], cwd=tmp_path, capture_output=True, text=True, check=True)
    refused, early, painted, late, never, collected, collecting = json.loads(done.stdout.splitlines()[-1])
    assert (refused, early) == (2, []), "what is wrong with a request is told before the networks' libraries are loaded"
    assert "nonsense" in done.stderr
    assert painted == 0, done.stderr
    assert late == list(LATE), "a list of names that nothing loads any more would prove nothing"
    assert never == []
    assert collected == {"torch": False, "diffusers": False, "transformers": False}
    assert collecting


def test_the_collector_is_as_it_was_after_a_pause() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), collector_paused():
        raise ImportError("a library that is not there")
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "someone else switched it off"
    finally:
        gc.enable()

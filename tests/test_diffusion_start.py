"""The first prompted edit of a process: what is loaded for it, when, and what is not.

diffusers' U-Net brings transformers, SciPy and torch's compiler with it, as its packages import all that they have:
half of a command's start once. They are had without, and only where something is painted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint import pocket

LATE = ("overpaint_diffusers.models.unets.unet_2d_blocks", "tokenizers")
"""What only the networks need."""

COMPANY = ("diffusers", "diffusers.loaders.peft", "transformers", "torch._dynamo", "scipy.stats", "sympy")
"""What comes along where diffusers' U-Net is imported in the plain way."""

NEVER = (
    *COMPANY,
    "overpaint_diffusers.pipelines",
    "overpaint_diffusers.loaders.single_file",
    "overpaint_diffusers.models.controlnets.controlnet",
    "overpaint_diffusers.models.transformers.transformer_flux",
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
    if event == "import" and details[0] in ("torch", "tokenizers", {LATE[0]!r}):
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
    assert collected == {"torch": False, "tokenizers": False, LATE[0]: False}
    assert collecting


_BOTH = f"""
import json, sys

from overpaint.engines.diffusion.loader import load
from overpaint.models import find

ours = load(find("pocket"))
before = [name for name in {COMPANY!r} if name in sys.modules]
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

pipeline = StableDiffusionInpaintPipeline.from_pretrained(sys.argv[1], safety_checker=None, local_files_only=True)
here, there = ours.network.state_dict(), pipeline.unet.state_dict()
same = here.keys() == there.keys() and all(here[name].float().equal(there[name].float()) for name in here)
after = [name for name in {COMPANY!r} if name in sys.modules]
print(json.dumps([before, after, type(ours.network) is UNet2DConditionModel, same]))
"""


@pytest.mark.skipif(pocket.folder() is None, reason="no weights are shipped yet")
def test_a_later_import_of_diffusers_in_the_same_process_is_complete() -> None:
    run = [sys.executable, "-c", _BOTH, str(pocket.folder())]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    before, after, same_class, same_weights = json.loads(done.stdout.splitlines()[-1])
    assert (before, after) == ([], list(COMPANY))
    assert not same_class
    assert same_weights

"""A new learned eraser is one class and one entry point: weights, a size of its own, no prompt and no steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overpaint import Mask, Studio
from overpaint.engines import Canvas, EngineCard, Monitor, Painted, SizeRules, ThreadedEngine, registry
from overpaint.geometry import Box, Size
from overpaint.record import infotext
from overpaint.request import UsedModel
from test_untouched import picture_of

SIZE = Size(160, 120)
PICTURE = picture_of(SIZE, "rgb", 8)
MASK = Mask.box(SIZE, Box(40, 30, 120, 90))
WEIGHTS = UsedModel(role="checkpoint", name="toy-eraser", sha256="0" * 64, licence="Apache-2.0")


class Eraser(ThreadedEngine):
    """A network of one layer: it predicts everything as the mean of what is known, and keeps a tenth of the canvas."""

    card = EngineCard(
        name="toy-eraser",
        title="Erases with a network",
        edge="narrow",
        sizes=SizeRules(native=64, multiple=8, maximum_area=64 * 64),
        colour_space="srgb",
        digest="toy-eraser-1",
    )

    def models(self, sampling: object, options: object) -> tuple[UsedModel, ...]:
        assert sampling is None, "it accepts none of its settings"
        return (WEIGHTS,)

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        mean = canvas.pixels[canvas.known].mean(axis=0)
        estimate = np.float32(0.9) * mean + np.float32(0.1) * canvas.pixels
        monitor.progress(1, 1)
        return Painted(estimate, evidence=estimate)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine as an installed package declares it."""
    folder = tmp_path / "toy_eraser-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-eraser\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(f"[{registry.GROUP}]\ntoy-eraser = {__name__}:Eraser\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    registry._entries.cache_clear()
    yield
    registry._entries.cache_clear()


def test_it_is_found_by_its_entry_point_and_erases(installed):
    with Studio() as studio:
        edited = studio.edit(PICTURE, mask=MASK, engine="toy-eraser", intent="remove", strength=0.5, seed=1)
    assert edited.regions[0].working == Size(64, 64)
    assert (edited.picture.samples[MASK.core] != PICTURE.samples[MASK.core]).any()
    assert np.array_equal(edited.picture.samples[~edited.touched], PICTURE.samples[~edited.touched])
    assert edited.resolved.models == (WEIGHTS,)
    assert edited.resolved.detail == "full", "it paints below the picture's size"
    claimed = {"steps", "sampler", "guidance_scale", "strength", "prompt"} & edited.record.resolved.to_mapping().keys()
    assert not claimed
    assert not any(word in infotext(edited.record) for word in ("Steps", "Sampler", "CFG", "Denoising"))
    assert edited.notes == ("toy-eraser does not use strength: it continues the surroundings",)

"""A new pixel engine is one class: this file adds one, and nothing else knows of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from overpaint import Mask, Studio
from overpaint.engines import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.record import Record, infotext
from test_untouched import picture_of

SIZE = Size(96, 64)
PICTURE = picture_of(SIZE, "rgb", 16)
MASK = Mask.box(SIZE, Box(30, 20, 50, 36))


class MirrorOptions(EngineOptions):
    axis: Literal["rows", "columns"] = "columns"


class Mirror(ThreadedEngine):
    """Fills the hole from the mirrored canvas, and where that is a hole too, with the mean of what is known."""

    card = EngineCard(name="mirror", title="Mirrors the surroundings", options=MirrorOptions, digest="mirror-1")

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        assert isinstance(canvas.options, MirrorOptions)
        axis = 1 if canvas.options.axis == "columns" else 0
        painted = canvas.pixels.copy()
        painted[canvas.hole] = painted[canvas.known].mean(axis=0)
        mirrored, known = np.flip(canvas.pixels, axis), np.flip(canvas.known, axis)
        there = canvas.hole & known
        painted[there] = mirrored[there]
        monitor.progress(1, 1)
        return Painted(painted)


def test_it_edits_a_picture_with_its_own_options_and_nothing_beyond_the_reach_changes():
    with Studio() as studio:
        studio.add_engine(Mirror())
        ask = {"mask": MASK, "engine": "mirror", "intent": "remove", "seed": 1}
        rows, columns = (studio.edit(PICTURE, **ask, options={"axis": axis}) for axis in ("rows", "columns"))
        with pytest.raises(RequestError, match="axis='diagonal' does not suit the engine 'mirror': it must be"):
            studio.edit(PICTURE, **ask, options={"axis": "diagonal"})
    assert (rows.picture.samples != columns.picture.samples).any()
    for edited in (rows, columns):
        assert (edited.picture.samples[MASK.core] != PICTURE.samples[MASK.core]).any()
        assert np.array_equal(edited.picture.samples[~edited.touched], PICTURE.samples[~edited.touched])
        assert edited.reach == 5, "grow 2 and feather 3, as the surroundings are continued"


def test_its_record_claims_what_it_did_and_a_note_names_what_it_ignored():
    with Studio() as studio:
        studio.add_engine(Mirror())
        edited = studio.edit(PICTURE, mask=MASK, engine="mirror", intent="remove", prompt="grass", steps=9, seed=1)
    record = Record.from_json(edited.record.to_json())
    assert record.resolved.engine_digest == "mirror-1"
    assert (record.resolved.prompt, record.resolved.steps, record.resolved.strength) == (None, None, None)
    assert "Engine: mirror" in infotext(record)
    assert "Steps" not in infotext(record)
    assert edited.notes == ("mirror does not use prompt, steps: it continues the surroundings",)

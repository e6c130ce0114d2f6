"""The painter is chosen once, and rasters are coded when a request is needed, and not before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from overpaint import EditRequest, Mask, Studio
from overpaint.engines import registry
from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.studio import choose, inputs, masks
from overpaint.studio.engine_pool import EnginePool
from stand_ins import LEARNED, echo, flat, noise
from test_untouched import picture_of

SIZE = Size(96, 64)
PICTURE = picture_of(SIZE, "rgb", 8)
MASK = Mask.box(SIZE, Box(30, 20, 50, 36))


def counted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[str]:
    """Every call of a function or method is noted in the list."""
    calls: list[str] = []
    true = getattr(place, name)

    def call(*args: Any, **options: Any) -> Any:
        calls.append(name)
        return true(*args, **options)

    monkeypatch.setattr(place, name, call)
    return calls


@pytest.mark.parametrize("named", [{"engine": "stand-in", "intent": "custom"}, {"intent": "remove"}])
def test_one_edit_looks_for_engine_options_and_intent_once_each(monkeypatch, named):
    looked = [counted(monkeypatch, EnginePool, "get"), counted(monkeypatch, choose, "checked_options")]
    rules: list[str] = []
    rule = EditRequest.rule.fget
    monkeypatch.setattr(EditRequest, "rule", property(lambda self: (rules.append("rule"), rule(self))[1]))
    with Studio() as studio:
        studio.add_engine(flat())
        studio.edit(PICTURE, mask=MASK, seed=1, **named)
    assert [len(calls) for calls in (*looked, rules)] == [1, 1, 1]


def test_a_mask_given_as_a_value_is_not_coded_for_an_edit(monkeypatch):
    coded = [counted(monkeypatch, masks, "blob_of"), counted(monkeypatch, inputs, "picture_blob")]
    given = []
    engine = echo()
    with Studio() as studio:
        studio.add_engine(engine)
        edited = studio.edit(PICTURE, mask=MASK, engine="stand-in", intent="custom")
        list(studio.variations(PICTURE, mask=MASK, engine="stand-in", intent="custom", count=3))
    assert coded == [[], []]
    assert edited.mask is MASK
    given = [edited.request.mask, edited.resolved.mask, edited.record.request.mask]
    assert [len(calls) for calls in coded] == [1, 1], "coded once, however often it is written"
    assert masks.mask_of(given[0], SIZE).equals(MASK)
    assert given[0] == given[1] == given[2]


def test_a_soft_mask_is_painted_as_a_request_keeps_it():
    soft = Mask.ellipse(SIZE, Box(20, 10, 70, 50)).feather(4)
    with Studio() as studio:
        studio.add_engine(noise())
        edited = studio.edit(PICTURE, mask=soft, engine="stand-in", intent="custom", seed=3)
        again = studio.edit(PICTURE, edited.request)
    assert np.array_equal(edited.picture.samples, again.picture.samples)
    assert again.resolved.digest == edited.resolved.digest


def test_an_engine_of_models_is_an_entry_point_like_all_others():
    assert "diffusion" in registry.names()
    assert registry.card("diffusion").accepts >= {"model", "prompt", "strength"}
    with pytest.raises(RequestError, match="needs a model") as caught:
        registry.create("diffusion")
    assert caught.value.code == "model-needed"


def test_a_model_with_an_engine_that_runs_none_is_refused():
    with Studio() as studio, pytest.raises(RequestError, match="'telea' loads no checkpoints") as caught:
        studio.edit(PICTURE, mask=MASK, engine="telea", model="pocket")
    assert (caught.value.code, caught.value.field) == ("engine-without-models", "engine")


def test_an_added_engine_paints_what_names_it_whatever_it_accepts():
    engine = flat(card=LEARNED)
    with Studio() as studio:
        studio.add_engine(engine)
        edited = studio.edit(PICTURE, mask=MASK, engine="stand-in", intent="replace", prompt="x")
    assert edited.resolved.model is None
    assert len(engine.canvases) == 1

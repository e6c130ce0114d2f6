"""Presets: what one word sets, what it leaves; every door takes it, and a record needs it no more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from batches import BOX, Bench
from overpaint import Client, Studio, models
from overpaint.audit import request_again
from overpaint.cli import main
from overpaint.engines import Engine, EngineCard, Painted
from overpaint.engines.diffusion.options import CARD
from overpaint.frame import SizeRules
from overpaint.mask import Mask
from overpaint.picture import from_array
from overpaint.record import read_record
from overpaint.request import EditRequest, Usual
from overpaint.studio import presets
from overpaint.studio.presets import PresetSettings, preset_settings
from servers import running
from stand_ins import DIFFUSION, StandIn

SD15 = replace(CARD, sizes=SizeRules(native=512))
ASKED = EditRequest.of("replace", prompt="a cat", model="sd15", preset="fast")
FEWER = {"size": 256, "steps": 12, "guidance_interval": (0.0, 0.6)}

HERE = (
    ("lcm-lora-pickle", "lora", "sd1", "pickle"),
    ("lcm-lora-sdxl", "lora", "sdxl", "safetensors"),
    ("lcm-lora-sd15", "lora", "sd1", "safetensors"),
    ("taesdxl", "tiny-vae", None, "safetensors"),
    ("taesd", "tiny-vae", None, "safetensors"),
)
TOLD = "preset fast: size 256, steps 12"
"""The note for the engine that `sampling` makes, which has no model."""


def model(name: str, what: Any, family: str | None, form: Any = "safetensors") -> models.ModelEntry:
    return models.ModelEntry(name, Path(name), "store", 1, models.Kind(what, form, family=family))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with checkpoints, named by their family, and nothing beside them."""
    monkeypatch.setattr(presets, "entry", lambda name: model(name, "checkpoint", name.replace("15", "1")))
    monkeypatch.setattr(presets, "entries", lambda wanted: ())


@pytest.fixture
def stocked(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with LCM-LoRAs and tiny VAEs, too."""
    monkeypatch.setattr(presets, "entries", lambda wanted: [model(*one) for one in HERE if wanted(one[0])])


def filled(request: EditRequest, card: EngineCard = SD15, *, files: bool = True) -> PresetSettings:
    found = preset_settings(request, card, request.model, files=files)
    assert found is not None
    return found


def sampling() -> Engine:
    """An engine that samples, and gives its canvas back."""
    return StandIn(lambda canvas, _: Painted(canvas.pixels.copy()), replace(DIFFUSION, name="sampling"))


@pytest.fixture
def picture() -> Any:
    return from_array(np.full((60, 80, 3), 120, np.uint8))


@pytest.mark.usefixtures("bare")
def test_fast_fills_in_what_is_left_open_and_tells_each():
    found = filled(ASKED)
    assert found.changes == {"preset": None, **FEWER, "options": {"cache_interval": 2}}
    assert found.note == (
        "preset fast: size 256, steps 12, guidance_interval 0-0.6, cache_interval 2; it would also use lcm-lora-sd15 "
        "and taesd, which can be downloaded"
    )


@pytest.mark.usefixtures("stocked")
def test_fast_uses_what_is_here_for_the_checkpoints_family():
    few = {"steps": 4, "guidance_scale": 1.0, "sampler": "LCM"}
    found = filled(ASKED)
    told = {"prompt": "a cat <lora:lcm-lora-sd15:1>", "options": {"vae": "taesd"}}
    assert found.changes == {"preset": None, "size": 256, **few, **told}
    assert found.note == (
        "preset fast: LoRA lcm-lora-sd15, size 256, steps 4, guidance_scale 1.0, sampler LCM, vae taesd"
    )
    large = filled(ASKED.merged(model="sdxl"), replace(SD15, sizes=SizeRules(native=1024)))
    assert (large.changes["size"], large.changes["options"]) == (512, {"vae": "taesdxl"})
    assert "<lora:lcm-lora-sdxl:1>" in large.changes["prompt"]


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    ("given", "absent"),
    [
        ({"size": 128}, "size"),
        ({"steps": 30}, "LoRA"),
        ({"guidance_scale": 7.5}, "LoRA"),
        ({"sampler": "Euler"}, "LoRA"),
        ({"prompt": "a cat <lora:lcm-lora-sd15:0>"}, "LoRA"),
        ({"options": {"vae": "sd15"}}, "vae taesd"),
        ({"options": {"cache_interval": 1}, "steps": 20}, "cache_interval"),
        ({"guidance_interval": (0.0, 1.0), "steps": 20}, "guidance_interval"),
    ],
)
def test_each_of_them_is_undone_by_its_name(given, absent):
    asked = ASKED.merged(**given)
    found = filled(asked)
    assert absent not in found.note
    assert found.changes.keys() & given.keys() <= {"options"}
    assert given.get("options", {}).items() <= (found.changes.get("options") or given.get("options", {})).items()


@pytest.mark.usefixtures("stocked")
def test_what_the_request_gives_few_steps_with_needs_no_fewer():
    own = filled(ASKED.merged(prompt="a cat <lora:hyper-4step:0.8>"))
    assert own.changes.keys() == {"preset", "size", "options"}
    turbo = filled(ASKED, replace(SD15, usual=Usual(steps=4, guidance_scale=1.0)))
    assert turbo.changes.keys() == {"preset", "size", "options"}


@pytest.mark.usefixtures("stocked")
def test_a_vae_is_named_only_where_options_may_name_files():
    assert "vae" not in filled(ASKED, files=False).note


@pytest.mark.usefixtures("bare")
def test_exact_pixels_come_of_the_whole_network():
    assert "cache_interval" not in filled(ASKED.merged(exact=True)).note


def test_without_a_model_the_one_that_would_paint_gets_the_settings():
    with Studio() as studio:
        asked = EditRequest.of("replace", prompt="a red rose", preset="fast")
        resolved = studio.resolved(asked, seed=1)
        assert (resolved.model, resolved.steps, resolved.options) == ("pocket", 12, {"cache_interval": 2})
        assert "preset fast: steps 12, guidance_interval 0-0.6, cache_interval 2" in studio.notes_before(asked)
        assert studio.resolved(asked.merged(steps=20), seed=1).steps == 20


@pytest.mark.parametrize("settings", [{}, {"engine": "telea"}])
def test_an_engine_without_steps_paints_and_a_note_says_that_it_has_no_effect(settings, picture):
    with Studio() as studio:
        plain, fast = (
            studio.edit(picture, mask=Mask.box(picture.size, (20, 20, 40, 40)), intent="remove", seed=1, **how)
            for how in (settings, {**settings, "preset": "fast"})
        )
    assert fast.resolved == plain.resolved
    assert any(note.startswith("preset fast had no effect") for note in fast.notes)


def test_a_record_has_all_that_was_set_and_no_preset(picture):
    with Studio() as studio:
        studio.add_engine(sampling())
        asked = {"mask": Mask.box(picture.size, (20, 20, 40, 40)), "intent": "replace", "engine": "sampling"}
        edited = studio.edit(picture, prompt="a cat", preset="fast", seed=1, **asked)
        found = edited.resolved
        assert (edited.request.preset, found.size, found.steps) == (None, 256, 12)
        assert TOLD in edited.notes
        again = studio.resolved(request_again(found).merged(image=None), seed=0)
        assert again.model_copy(update={"image": found.image}).digest == found.digest


def test_a_server_fills_a_preset_in_for_its_clients(tmp_path, picture):
    how = {"mask": Mask.box(picture.size, (20, 20, 40, 40)), "intent": "replace", "engine": "sampling", "prompt": "a"}
    with Studio() as studio:
        studio.add_engine(sampling())
        with running(tmp_path, studio) as server, Client(server.url) as client:
            there = client.edit(picture, preset="fast", **how)
            assert TOLD in there.notes
            with client.studio() as near:
                edited = near.edit(picture, preset="fast", **how)
    assert (edited.resolved.size, edited.resolved.steps, edited.request.preset) == (256, 12, None)
    assert TOLD in edited.notes


def test_rows_of_a_batch_have_presets_of_their_own(tmp_path):
    bench = Bench(tmp_path, sampling)
    Image.new("RGB", (64, 48), (90, 120, 60)).save(tmp_path / "a.png")
    row = {"image": "a.png", "box": BOX, "intent": "replace", "engine": "sampling", "prompt": "a cat"}
    bench.run([{**row, "id": "one", "output": "one.png", "preset": "fast"}, {**row, "id": "two", "output": "two.png"}])
    one, two = (read_record(bench.out / f"{name}.png").record for name in ("one", "two"))
    assert (one.resolved.size, one.resolved.steps) == (256, 12)
    assert (two.resolved.size, two.resolved.steps) == (None, 25)


def test_the_command_tells_what_a_preset_set_and_refuses_one_that_it_does_not_know(tmp_path, capsys):
    Image.new("RGB", (64, 48), (90, 120, 60)).save(tmp_path / "a.png")
    call = ["remove", str(tmp_path / "a.png"), "--box", BOX, "--json"]
    assert main([*call, "--preset", "fast"]) == 0
    (table,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("preset fast had no effect" in note for note in table["notes"])
    assert main([*call, "--preset", "quick", "--overwrite"]) == 2
    assert "--preset must be one of fast, not 'quick'" in capsys.readouterr().err


@pytest.mark.parametrize(("stock", "family", "says"), [
    ("bare", "sd1", "'overpaint models get' brings lcm-lora-sd15 and taesd, with which --preset fast is faster."),
    ("bare", "sd2", "'overpaint models get' brings taesd, with"),
    ("stocked", "sd1", ""),
    ("stocked", "sd2", ""),
])  # fmt: skip
def test_the_list_of_models_says_what_would_make_the_preset_faster(stock, family, says, request, capsys, monkeypatch):
    request.getfixturevalue(stock)
    monkeypatch.setattr(models, "entries", lambda: [model("some", "checkpoint", family), model("a", "vae", None)])
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert says in out
    assert ("--preset fast" in out) == bool(says)

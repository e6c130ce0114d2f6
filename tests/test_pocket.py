"""The embedded model: an ordinary checkpoint that diffusers opens too, and the default of whoever has no other.

What is claimed of its code holds for any weights: while none are shipped, random ones of the same shape stand in.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import overpaint
from overpaint import Mask, Studio, models, pocket
from overpaint.cli import main
from overpaint.engines.base import Canvas, Monitor, paint
from overpaint.engines.diffusion.engine import DiffusionEngine
from overpaint.errors import ModelError, OutputError, RequestError
from overpaint.picture import from_array
from overpaint.request import Sampling

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

SIDE = 192
QUICK_TRIAL = ("--dry-run", "--json", "--steps", "1")  # a row is painted to say how long all will take

SHIPPED = pocket.folder() is not None
shipped = pytest.mark.skipif(not SHIPPED, reason="no weights are shipped yet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped checkpoint, or random networks of its shape as the training exports them."""
    return pocket.FOLDER if SHIPPED else random_checkpoint(tmp_path_factory.mktemp("pocket"))


def random_checkpoint(root: Path) -> Path:
    from training.pocket import config, dataset, export, networks, tokenizer
    from training.pocket.state import State

    settings, state = config.read(), State(root / "state")
    texts = ["a red flower in green grass", "blue sky over yellow sand", "a photo of a white daisy"]
    count = tokenizer.write(state.tokenizer, texts, vocabulary=560, length=settings.networks.text.length)
    torch.manual_seed(0)
    coder = networks.autoencoder(settings.networks.autoencoder)
    networks.initialise(coder, torch.from_numpy(photo()).permute(2, 0, 1)[None].float() / 127.5 - 1)
    denoiser = networks.denoiser(settings.networks)
    torch.nn.init.normal_(denoiser.conv_out.weight, std=0.02)  # which begins at 0, and would do nothing
    text = networks.text_encoder(settings.networks.text, count)
    for stage, nets in (("autoencoder", {"net": coder}), ("denoiser", {"denoiser": denoiser, "text": text})):
        weights = {f"{name}.{key}": value for name, net in nets.items() for key, value in net.named_parameters()}
        torch.save({"average": {"weights": weights}}, state.saved(stage))
    state.scale.write_text(json.dumps({"scaling_factor": 1.0}))
    image = {"caption": "", "labels": [], "source": "nobody", "licence": "CC0"}
    write_photos(root / "photos", image)
    dataset.build(root / "photos", state.photos, settings.data, report=lambda line: None)
    export.write(settings, state, root / "checkpoint", report=lambda line: None)
    return root / "checkpoint"


def write_photos(folder: Path, row: dict[str, object]) -> None:
    """One photo in a tar, as the training reads them."""
    folder.mkdir()
    jpeg = io.BytesIO()
    Image.fromarray(photo()).save(jpeg, "JPEG")
    with tarfile.open(folder / "one.tar", "w") as tar:
        for name, data in (("0.jpg", jpeg.getvalue()), ("0.json", json.dumps(row).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OVERPAINT_MODEL", raising=False)
    monkeypatch.setattr(pocket, "FOLDER", folder)


@pytest.fixture
def studio():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with Studio(device="cpu") as one:
        yield one
    torch.set_num_threads(before)


def photo(side: int = SIDE, seed: int = 0) -> np.ndarray:
    """A sky over a meadow with a bright stone, (side, side, 3) uint8."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    sky = np.stack([120 + 80 * rows, 160 + 40 * rows, 230 - 20 * rows], 2)
    grass = np.stack([60 + 30 * columns, 110 + 30 * rows, 40 + 0 * rows], 2)
    picture = np.where((rows < 0.5)[..., None], sky, grass) + draw.normal(0, 5, (side, side, 3))
    picture[((rows - 0.55) ** 2 + (columns - 0.5) ** 2) < 0.02] = (200, 190, 180)
    return picture.clip(0, 255).astype(np.uint8)


def box(side: int = SIDE) -> np.ndarray:
    mask = np.zeros((side, side), np.float32)
    mask[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 1
    return mask


def test_it_is_small_enough_to_ship(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30_000_000
    from safetensors import safe_open

    count = 0
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                tensor = file.get_slice(name)
                assert tensor.get_dtype() == "F16"
                count += int(np.prod(tensor.get_shape()))
    assert count <= 14_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md", ".txt"}


@shipped
def test_its_card_says_what_it_is_made_of_and_what_it_cannot_do():
    folder = pocket.folder()
    assert folder is not None
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    for heading in ("What it is", "What it cannot do", "Data", "Credits", "Recipe", "Measured"):
        assert f"## {heading}" in card
    for credit in json.loads((folder / "credits.json").read_text("utf-8")):
        assert credit["source"] in card
        forbidden = ("-sa", "share-alike", "sharealike", "gpl", "osl")
        assert not any(word in credit["licence"].lower() for word in forbidden), credit


def test_it_is_found_listed_and_verified_like_any_other_but_can_not_be_removed_or_shadowed(tmp_path):
    entry = models.entries()[0]
    assert (entry.name, entry.origin) == ("pocket", "embedded")
    assert not SHIPPED or entry.licence == "Apache-2.0"
    assert entry.kind is not None
    assert (entry.kind.what, entry.kind.channels, entry.kind.prediction) == ("checkpoint", 9, "v")
    _, faults = models.verify("pocket")
    assert faults == ()
    with pytest.raises(ModelError, match="part of Overpaint itself"):
        models.remove("pocket")
    assert pocket.folder() is not None
    with pytest.raises(OutputError, match="the name of the embedded model"):
        models.add(pocket.FOLDER, "pocket")


@pytest.fixture(scope="module")
def pipe(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers

        found = diffusers.StableDiffusionInpaintPipeline.from_pretrained(str(folder), local_files_only=True)
    found.set_progress_bar_config(disable=True)
    return found


@pytest.mark.parametrize(("sampler", "strength"), [("DDIM", 1.0), ("DDIM", 0.6), ("Euler", 1.0)])
def test_diffusers_pipeline_paints_the_same_from_the_same_files(pipe, monkeypatch, sampler, strength):
    if sampler == "Euler":
        from diffusers import EulerDiscreteScheduler

        monkeypatch.setattr(pipe, "scheduler", EulerDiscreteScheduler.from_config(pipe.scheduler.config))
    pixels = photo().astype(np.float32) / 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pipe(
            "a red flower",
            negative_prompt="grass",
            image=torch.from_numpy(pixels.transpose(2, 0, 1))[None],
            mask_image=torch.from_numpy(box())[None, None],
            height=SIDE,
            width=SIDE,
            strength=strength,
            num_inference_steps=5,
            guidance_scale=4.0,
            generator=torch.Generator().manual_seed(3),
            output_type="np",
        ).images[0]
    settings = {"prompt": "a red flower", "negative_prompt": "grass", "steps": 5, "guidance_scale": 4.0}
    settings |= {"sampler": sampler, "scheduler": "automatic", "strength": strength, "dialect": "diffusers"}
    engine = DiffusionEngine(models.find("pocket"), device="cpu", dtype=torch.float32)
    try:
        made = paint(engine, [Canvas(pixels, box(), seed=3, sampling=Sampling(**settings))])[0].pixels
    finally:
        engine.close()
    assert float(np.abs(made - expected).max()) * 255 < 0.5


def test_a_prompted_intent_without_a_model_gets_it_and_says_so_in_one_line(studio):
    picture, mask = from_array(photo()), Mask(box())
    edited = studio.edit(picture, mask=mask, intent="replace", prompt="a red flower", steps=3, seed=5)
    assert (edited.resolved.engine, edited.resolved.model) == ("diffusion", "pocket")
    assert edited.request.model is None, "what was left open stays so in the request"
    (note,) = [note for note in edited.notes if "pocket" in note]
    assert "\n" not in note
    assert "the setting model" in note
    again = studio.edit(picture, mask=mask, intent="replace", prompt="a red flower", steps=3, seed=5)
    assert np.array_equal(again.picture.samples, edited.picture.samples), "the same seed, the same picture"
    other = studio.edit(picture, mask=mask, intent="replace", prompt="a red flower", steps=3, seed=6)
    assert not np.array_equal(other.picture.samples, edited.picture.samples)
    outside = ~edited.touched
    assert np.array_equal(edited.picture.samples[outside], picture.samples[outside])


@shipped
@pytest.mark.parametrize("intent", ["refine", "background", "custom"])
def test_it_is_not_used_unasked_for_what_it_does_badly(studio, intent):
    request = overpaint.EditRequest.of(intent, prompt="a red flower")
    with pytest.raises(RequestError, match=f"{intent} needs a larger model than pocket") as caught:
        studio.resolved(request, seed=0)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("model-needed", "model", intent)
    assert ("'backdrop'" in caught.value.hint) == (intent == "background"), "what does it without a model is named"
    assert studio.resolved(request.merged(model="pocket"), seed=0).model == "pocket", "whoever names it gets it"


@shipped
def test_its_words_and_intents_are_shown_with_the_model(capsys):
    assert main(["models", "show", "pocket", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {"sunflower", "red"} <= set(shown["words"])
    assert shown["intents"] == ["replace", "add"]
    assert main(["models", "show", "pocket"]) == 0
    assert "used for replace, add where no model is named" in capsys.readouterr().out


@shipped
def test_a_prompt_of_which_it_paints_nothing_is_refused_unless_it_is_named(studio):
    request = overpaint.EditRequest.of("replace", prompt="two fluffy red dogs, soft light")
    with pytest.raises(RequestError, match=r"pocket.* does not paint dogs recognisably") as caught:
        studio.resolved(request, seed=0)
    assert (caught.value.code, caught.value.field) == ("prompt-beyond-model", "prompt")
    several = overpaint.EditRequest.of("replace", prompt="a vase, a dog and a cat")
    with pytest.raises(RequestError, match="does not paint vase, dog or cat recognisably"):
        studio.resolved(several, seed=0)
    (note,) = studio.notes_before(request.merged(model="pocket"))
    assert "does not paint dogs" in note


@shipped
def test_what_it_can_not_paint_is_told_before_the_first_step(studio):
    told = []
    monitor = Monitor(on_progress=lambda *_: told.append("step"), on_note=told.append)
    prompt = "a red flower beside a dog"
    edited = studio.edit(
        from_array(photo()), mask=Mask(box()), intent="add", prompt=prompt, steps=2, seed=5, monitor=monitor
    )
    assert "does not paint dog recognisably" in told[0]
    assert "the setting model" in told[0]
    assert set(told[1:]) == {"step"}
    assert told[0] in edited.notes
    assert told[0] not in edited.notes_without_prompt, "it quotes the prompt"


@shipped
def test_what_a_prompt_wants_left_out_is_told_to_be_painted_all_the_same(studio):
    (note,) = studio.notes_before(overpaint.EditRequest.of("replace", prompt="something green, no flower"))
    assert "may paint flower because the prompt names it" in note
    assert "the setting negative_prompt" in note


@shipped
@pytest.mark.parametrize(
    "prompt", ["a red flower", "something yellow", "daisies, highly detailed", "a photo of blue pants", "roses"]
)
def test_a_prompt_that_it_was_made_for_has_no_such_note(studio, prompt):
    assert studio.notes_before(overpaint.EditRequest.of("replace", prompt=prompt)) == ()


@shipped
def test_a_batch_says_it_of_its_rows_before_the_first_is_painted(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overpaint.save(from_array(photo()), "photo.png")
    prompts = ["a red flower", "a rose and a dog", "a tulip and a dog", "a dog"]
    rows = [
        {"image": "photo.png", "box": [48, 48, 144, 144], "prompt": one, "output": f"{number}.png"}
        for number, one in enumerate(prompts)
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["batch", "rows.jsonl", "--intent", "replace", "-o", "out", "--limit", "0", "--json"]) == 1
    began = json.loads(capsys.readouterr().out.splitlines()[0])
    assert began["event"] == "began"
    assert began["notes"] == [], "rows that are left for another run are not spoken of"
    assert began["bad"] == 1
    main(["batch", "rows.jsonl", "--intent", "replace", "-o", "out", *QUICK_TRIAL, "--where", "row > 1"])
    (note,) = json.loads(capsys.readouterr().out.splitlines()[-1])["notes"]
    assert note.startswith("rows 2, 3: pocket does not paint dog")
    main(["batch", "rows.jsonl", "--intent", "replace", "-o", "private", *QUICK_TRIAL, "--private"])
    said = capsys.readouterr().out
    assert "dog" not in said
    assert "notes on the rows' prompts are left out" in said
    assert "refused: prompt-beyond-model in the prompt" in said


@shipped
def test_the_command_line_says_it_before_and_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overpaint.save(from_array(photo()), "photo.png")
    words = ["add", "photo.png", "--box", "48,48,144,144", "--steps", "1"]
    assert main([*words, "--prompt", "a dog"]) == 2
    refused = capsys.readouterr().err
    assert "does not paint dog recognisably" in refused
    assert "--with FILE" in refused
    assert "--model pocket" in refused
    assert main(["background", *words[1:], "--prompt", "a beach"]) == 2
    assert "--color, --gradient, --blur" in capsys.readouterr().err
    assert main([*words, "--prompt", "a dog and a red flower"]) == 0
    told = capsys.readouterr().err
    assert told.count("does not paint dog recognisably; --model names a larger checkpoint") == 1


def test_a_narrow_network_takes_one_thread_by_default():
    picture, mask = from_array(photo()), Mask(box())
    for threads, used in ((None, 1), (2, 2)):
        with Studio(device="cpu", threads=threads) as one:
            edited = one.edit(picture, mask=mask, intent="replace", prompt="red", steps=1, seed=1)
            assert (edited.execution.threads, edited.execution.dtype) == (used, "float32")


def test_what_needs_no_prompt_still_needs_no_model(studio):
    edited = studio.edit(from_array(photo()), mask=Mask(box()), intent="remove", seed=1)
    assert edited.resolved.engine == "exemplar"
    assert not any("pocket" in note for note in edited.notes)


def test_it_paints_little_beyond_the_mask_and_without_a_prompt_all_texture_is_the_photos(studio):
    def found(**settings):
        return studio.resolved(overpaint.EditRequest(model="pocket", **settings), seed=0)

    removed, asked = found(intent="remove"), found(intent="remove", prompt="grass")
    assert (removed.edge, removed.detail) == ("narrow", "surroundings")
    assert (asked.edge, asked.detail) == ("narrow", "full")
    assert found(intent="recolor", prompt="red").edge == "tight", "a contour is kept"


def test_a_model_of_ones_own_can_be_the_default(monkeypatch):
    monkeypatch.setenv("OVERPAINT_MODEL", "not-here")
    with Studio() as one, pytest.raises(ModelError, match="not-here"):
        one.edit(from_array(photo()), mask=Mask(box()), intent="replace", prompt="x")


@pytest.mark.parametrize("side", [64, 128, 500])
def test_a_hole_of_any_size_is_painted_at_a_size_that_it_was_trained_for(studio, side):
    picture = from_array(photo(side))
    edited = studio.edit(picture, mask=Mask(box(side)), intent="replace", prompt="red", steps=2, seed=1)
    (region,) = edited.regions
    assert min(region.working) >= 128
    assert region.working.area <= 256 * 256
    assert max(region.working) <= 2 * 256


def test_the_command_line_needs_no_network_and_no_model(tmp_path, folder):
    source = tmp_path / "photo.png"
    overpaint.save(from_array(photo()), source)
    # Any attempt to reach the net fails, as on a machine that has none.
    blocked = tmp_path / "sitecustomize.py"
    blocked.write_text(
        "import socket\n"
        "def refuse(*a, **k):\n    raise OSError('no network in this test')\n"
        "socket.socket.connect = refuse\nsocket.create_connection = refuse\nsocket.getaddrinfo = refuse\n"
    )
    model = {} if SHIPPED else {"OVERPAINT_MODEL": str(folder)}
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "overpaint", "replace", str(source), "--box", "48,48,144,144"),
            *("--prompt", "a red flower", "--steps", "2", "--seed", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **model, "PYTHONPATH": path, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert not SHIPPED or "pocket" in done.stderr
    assert Path(tmp_path / "photo.replace.png").is_file()

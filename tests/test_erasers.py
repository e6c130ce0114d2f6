"""Erasers: who has LaMa's file gets LaMa's result, at any size, and nothing else of the picture changes."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import erasers
from overpaint import Mask, Studio, models
from overpaint.cli import main
from overpaint.engines import Canvas, Monitor
from overpaint.engines.erase.cards import NEEDS
from overpaint.engines.erase.engine import EraserEngine
from overpaint.engines.erase.lama import lama_of, sizes_of
from overpaint.engines.erase.network import erased, padded
from overpaint.errors import ModelError, RequestError, UnknownEngineError
from overpaint.geometry import Box, Size
from overpaint.models import ModelRef, find_eraser
from overpaint.record import read_record
from test_untouched import picture_of

SIZE = Size(75, 58)
PICTURE = picture_of(SIZE, "rgb", 8)
MASK = Mask.box(SIZE, Box(20, 15, 45, 40))


@pytest.fixture(autouse=True)
def _here(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_home)


@pytest.fixture
def lama() -> Path:
    """LaMa in the store."""
    return erasers.lama_file(models.store_folder() / "lama.safetensors")


def filled(path: str | Path = "lama", **given: Any) -> np.ndarray:
    """The hole of PICTURE, filled by the eraser alone."""
    with Studio(allow_pickle=True) as studio:
        edited = studio.edit(PICTURE, mask=MASK, model=str(path), intent="remove", grow=0, feather=0, **given)
    return edited.picture.samples[MASK.core]


def canvas(size: Size, box: Box, seed: int = 0) -> Canvas:
    pixels = np.random.default_rng(seed).random((*size.shape, 3), dtype=np.float32)
    return Canvas(pixels, Mask.box(size, box).values.astype(np.float32))


def painted(ref: ModelRef, one: Canvas) -> np.ndarray:
    engine = EraserEngine(ref, device="cpu")
    try:
        return engine.submit(one, Monitor()).result().pixels
    finally:
        engine.close()


# ---- LaMa's own architecture ----


def test_lamas_published_sizes_are_read_from_its_tensors():
    with torch.device("meta"):
        whole = erasers.LamaGenerator(erasers.LamaSizes(64, 3, 18, 128))
    names = {name: tuple(one.shape) for name, one in whole.state_dict().items()}
    assert sizes_of(names) == erasers.LamaSizes(64, 3, 18, 128)
    assert names["model.4.ffc.convl2g.weight"] == (384, 256, 3, 3)
    assert names["model.22.conv2.ffc.convg2g.fu.conv_layer.weight"] == (384, 384, 1, 1)
    assert names["model.24.weight"] == (512, 256, 3, 3)
    assert names["model.34.weight"] == (3, 64, 7, 7)
    assert sum(one.numel() for one in whole.parameters()) == pytest.approx(51e6, rel=0.01), "as the paper has it"


def test_the_hole_of_old_pixels_is_never_seen():
    network = erasers.lama()
    picture, hole = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    hole[..., 20:40, 10:50] = 1
    other = torch.where(hole > 0, torch.rand(1, 3, 64, 64), picture)
    assert torch.equal(network(picture, hole), network(other, hole))
    assert not torch.equal(network(picture, hole), network(picture.flip(-1), hole))


def test_every_pixel_depends_on_all_of_the_picture():
    """The spectrum's branch: without it a far corner would not change."""
    network = erasers.lama()
    picture, hole = torch.rand(1, 3, 128, 128), torch.zeros(1, 1, 128, 128)
    changed = picture.clone()
    changed[..., :4, :4] = 1 - changed[..., :4, :4]
    assert (network(picture, hole) - network(changed, hole))[..., -8:, -8:].abs().max() > 0


@pytest.mark.slow
def test_lama_is_what_spandrel_reads_from_the_same_file():
    if importlib.util.find_spec("spandrel") is None:  # to import it needs what stands in for torchvision
        pytest.skip("the extra restore is not installed")
    from overpaint.engines.spandrel_import import torchvision_stood_in

    with torchvision_stood_in():
        from spandrel.architectures.LaMa import LaMa
    ours = erasers.lama(0, erasers.LamaSizes(64, 3, 18, 128))
    theirs = LaMa(in_nc=4, out_nc=3).eval()
    theirs.load_state_dict({f"model.{name}": one for name, one in ours.state_dict().items()})
    picture, hole = torch.rand(1, 3, 64, 48), (torch.rand(1, 1, 64, 48) > 0.6).float()
    with torch.inference_mode():
        found = ours(picture, hole) * hole + picture * (1 - hole)
        assert (found - theirs(picture, hole)).abs().max() < 1e-6


@pytest.mark.parametrize("prefix", ["generator.", "model.", "gen_state_dict.", "model.generator."])
def test_a_generator_is_known_by_its_tensors_whatever_is_before_their_names(prefix: str, tmp_path: Path):
    path = tmp_path / "any.safetensors"
    erasers.save_file(erasers.lama_tensors(prefix=prefix) | {"other.weight": torch.zeros(1)}, path)
    kind = models.detect(path)
    assert (kind.what, kind.network, kind.title) == ("eraser", "lama", "eraser (LaMa), fp32")
    assert np.array_equal(filled(path), filled(erasers.lama_file(tmp_path / "plain.safetensors")))


# ---- any size ----


@pytest.mark.parametrize("size", [Size(64, 64), Size(75, 58), Size(17, 130), Size(9, 5), Size(1, 33)])
def test_what_does_not_fit_goes_on_as_in_a_mirror_and_is_cut_off_again(size: Size):
    one = torch.rand(1, 3, *size.shape)
    wide = padded(one, NEEDS["lama"])
    assert all(side % 8 == 0 and side >= 16 for side in wide.shape[-2:])
    assert torch.equal(wide[..., : size.height, : size.width], one)
    expected = np.pad(
        one[0].numpy(), [(0, 0), *((0, b - a) for a, b in zip(size.shape, wide.shape[-2:], strict=True))], "symmetric"
    )
    assert np.array_equal(wide[0].numpy(), expected)

    class Echo:
        sees_whole = True

        def __call__(self, picture: torch.Tensor, hole: torch.Tensor, seed: int, on_step: Any) -> torch.Tensor:
            return picture

    found = erased(Echo(), one, torch.zeros(1, 1, *size.shape), NEEDS["lama"], seed=0, on_step=lambda *_: None)
    assert torch.equal(found, one), "not moved, not resampled"


def test_the_result_of_an_odd_size_is_that_of_the_padded_picture(lama: Path):
    ref = find_eraser("lama")
    one = canvas(Size(75, 58), Box(20, 15, 45, 40))
    pads = [(0, 64 - 58), (0, 80 - 75)]
    wide = Canvas(np.pad(one.pixels, [*pads, (0, 0)], "symmetric"), np.pad(one.mask, pads, "symmetric"))
    assert np.array_equal(painted(ref, one), painted(ref, wide)[:58, :75])


# ---- the forms of a file ----


def test_safetensors_checkpoint_and_torchscript_give_the_same_pixels(tmp_path: Path, lama: Path):
    torch.save({"state_dict": erasers.lama_tensors() | {"loss.w": torch.ones(3)}, "epoch": 3}, "best.ckpt")
    erasers.lama_program(tmp_path / "big-lama.pt")
    plain = filled("lama", colour_match=False, seam=False)
    assert np.array_equal(filled("./best.ckpt", colour_match=False, seam=False), plain)
    scripted = filled("./big-lama.pt").astype(int)
    assert abs(scripted - plain).max() <= 1, "its sums may be taken in another order"


def test_torchscript_runs_only_where_it_is_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    erasers.lama_program(tmp_path / "big-lama.pt")
    Image.fromarray(PICTURE.samples).save("photo.png")
    assert main(["remove", "photo.png", "--box", "20,15,45,40", "--model", "./big-lama.pt"]) != 0
    err = capsys.readouterr().err
    assert "big-lama.pt is a TorchScript program" in err
    assert "'overpaint models convert" in err
    assert "--allow-pickle" in err
    assert main(["remove", "photo.png", "--box", "20,15,45,40", "--model", "./big-lama.pt", "--allow-pickle"]) == 0


def test_torchscript_is_converted_once_without_running_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = erasers.lama_program(tmp_path / "big-lama.pt")
    expected = filled(path)

    def runs(*_: Any, **__: Any) -> Any:
        raise AssertionError("its code was loaded")

    with monkeypatch.context() as patched:
        patched.setattr(torch.jit, "load", runs)
        assert main(["models", "convert", "./big-lama.pt"]) == 0
        assert capsys.readouterr().out.startswith("converted lama: eraser (LaMa), fp32, ")
        found = filled("lama", colour_match=False, seam=False)
    assert abs(found.astype(int) - expected.astype(int)).max() <= 1
    entry = models.entry("lama")
    assert (entry.path.suffix, entry.licence) == (".safetensors", "Apache-2.0")
    assert main(["models", "convert", "./big-lama.pt"]) != 0
    assert "the store already has lama.safetensors" in capsys.readouterr().err


def test_a_pickle_in_a_torchscript_file_can_not_run_anything(tmp_path: Path):
    """What is named in its object is never looked up."""
    import pickle
    import zipfile

    class Bad:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    with zipfile.ZipFile(tmp_path / "big-lama.pt", "w") as archive:
        archive.writestr("x/constants.pkl", pickle.dumps(()))
        archive.writestr("x/data.pkl", pickle.dumps({"w": Bad()}))
    with pytest.raises(ModelError, match="no weights of LaMa by their published names"):
        models.convert(str(tmp_path / "big-lama.pt"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["safetensors", "pt", "ckpt"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_file_that_is_cut_short_is_refused_by_its_name(form: str, share: float, tmp_path: Path):
    path = tmp_path / f"lama.{form}"
    if form == "safetensors":
        erasers.lama_file(path)
    elif form == "pt":
        erasers.lama_program(path)
    else:
        torch.save(erasers.lama_tensors(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match=rf"lama.{form} .*(cut short|damaged|empty|neither)"):
        find_eraser(str(path), allow_pickle=True)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path):
    held = erasers.lama_tensors(prefix="")
    with pytest.raises(ModelError, match=r"model\.6\.conv2\.bn_g\.bias"):
        lama_of({name: one for name, one in held.items() if name != "model.6.conv2.bn_g.bias"})
    with pytest.raises(ModelError, match=r"model.18.weight of LaMa has the shape \(3, 9, 7, 7\)"):
        lama_of(held | {"model.18.weight": torch.zeros(3, 9, 7, 7)})
    with pytest.raises(ModelError, match=r"a variant of LaMa that is not known: it has model\.6\.gate"):
        lama_of(held | {"model.6.gate.weight": torch.zeros(1)})


def test_a_checkpoint_is_no_eraser(tmp_path: Path, lama: Path):
    with pytest.raises(ModelError, match="is not an eraser"):
        find_eraser("pocket")
    with pytest.raises(ModelError, match="lama is not a checkpoint but an eraser"):
        models.find("lama")


# ---- in use ----


def test_remove_uses_the_eraser_that_is_here_and_says_so(lama: Path, capsys: pytest.CaptureFixture[str]):
    Image.fromarray(PICTURE.samples).save("photo.png")
    words = ["remove", "photo.png", "--box", "20,15,45,40"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "with lama" in out or "with erase" in out
    assert "the eraser lama fills the hole" in err
    assert "--engine exemplar does without a model" in err
    record = read_record("photo.remove.png").record
    assert record is not None
    (used,) = record.resolved.models
    assert (record.resolved.engine, used.role, used.name) == ("erase", "eraser", "lama")
    assert used.sha256 == models.digest(lama)
    assert main([*words, "--engine", "exemplar", "-o", "other.png"]) == 0
    assert "exemplar" in capsys.readouterr().out
    assert main([*words, "--model", "lama", "-o", "named.png"]) == 0
    assert "fills the hole" not in capsys.readouterr().err, "it was named"
    assert np.array_equal(np.asarray(Image.open("named.png")), np.asarray(Image.open("photo.remove.png")))


def test_the_list_names_every_network_with_its_licence_size_and_source(capsys: pytest.CaptureFixture[str]):
    assert main(["models", "list", "--all"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    for row in (one for one in models.CATALOGUE if one.what == "eraser"):
        line = lines[row.name]
        assert row.licence in line
        assert f"{row.gigabytes:g} GB" in line
        assert row.place in line
        assert re.fullmatch(r"(github\.com|huggingface\.co)/[\w-]+/[\w-]+", row.place)


def test_an_eraser_that_is_named_as_an_engine_is_said_to_be_a_model(capsys: pytest.CaptureFixture[str]):
    with Studio() as studio, pytest.raises(UnknownEngineError, match="'lama' is a model, and no engine") as caught:
        studio.resolved(studio_request(engine="lama"), seed=1)
    assert (caught.value.code, caught.value.hint) == ("engine-is-model", "right would be model='lama', and no engine")
    Image.fromarray(PICTURE.samples).save("photo.png")
    assert main(["remove", "photo.png", "--box", "20,15,45,40", "--engine", "lama"]) != 0
    assert "right would be --model lama, without --engine" in capsys.readouterr().err


def test_without_an_eraser_the_surroundings_are_continued():
    with Studio() as studio:
        assert studio.resolved(studio_request(), seed=1).engine == "exemplar"
        with pytest.raises(RequestError, match="none is on this machine"):
            studio.resolved(studio_request(engine="erase"), seed=1)


def test_a_program_that_iopaint_left_here_is_mentioned_and_used_once_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    erasers.lama_program(tmp_path / "torch" / "hub" / "checkpoints" / "big-lama.pt")
    Image.fromarray(PICTURE.samples).save("photo.png")
    words = ["remove", "photo.png", "--box", "20,15,45,40", "--overwrite"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "with exemplar" in out
    assert "the eraser lama is on this machine as a program" in err
    assert "'overpaint models convert lama'" in err
    assert main(["models", "convert", "lama"]) == 0
    assert main(words) == 0
    assert "the eraser lama fills the hole" in capsys.readouterr().err


def studio_request(**given: Any) -> Any:
    from overpaint.request import EditRequest

    return EditRequest.of("remove", **given)


def test_variations_differ_so_that_the_engine_with_a_seed_paints_them(lama: Path):
    with Studio() as studio:
        found = studio.variations(PICTURE, mask=MASK, intent="remove", count=2, options={"quality": "draft"})
        assert [one.resolved.engine for one in found] == ["exemplar"] * 2
        found = studio.variations(PICTURE, mask=MASK, intent="remove", count=2)
        assert [one.resolved.engine for one in found] == ["exemplar"] * 2
        with pytest.raises(RequestError, match="does not use a seed"):
            studio.variations(PICTURE, mask=MASK, model="lama", intent="remove", count=2)


@pytest.mark.parametrize("mode", ["grey", "rgb+alpha", "cmyk"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("soft", [False, True])
def test_nothing_outside_the_reach_changes(mode: str, depth: int, soft: bool, lama: Path):
    if mode == "cmyk" and depth == 16:
        pytest.skip("no such pictures")
    picture = picture_of(SIZE, mode, depth)
    values = MASK.values.astype(np.float32)
    if soft:
        values[:, 20:45] *= np.linspace(0.1, 1, 25, dtype=np.float32)
    mask = Mask(values)
    with Studio() as studio:
        edited = studio.edit(picture, mask=mask, model="lama", intent="remove")
    assert (edited.picture.samples[mask.core] != picture.samples[mask.core]).any()
    assert np.array_equal(edited.picture.samples[~edited.touched], picture.samples[~edited.touched])
    if picture.alpha is not None:
        assert np.array_equal(edited.picture.alpha, picture.alpha)


def test_sixteen_bit_pictures_get_values_between_those_of_eight(lama: Path):
    picture = picture_of(SIZE, "rgb", 16)
    with Studio() as studio:
        edited = studio.edit(picture, mask=MASK, model="lama", intent="remove")
    assert np.unique(edited.picture.samples[MASK.core] % 257).size > 100


@pytest.mark.parametrize("box", [Box(500, 500, 3500, 2500), Box(0, 0, 3999, 2999), Box(10, 1500, 3900, 1510)])
def test_memory_is_bounded_as_twelve_megapixels_are_seen_at_one(box: Box, lama: Path):
    size = Size(4000, 3000)
    picture = replace(PICTURE, samples=np.zeros((*size.shape, 3), np.uint8))
    with Studio() as studio:
        seen = studio.regions(picture, mask=Mask.box(size, box), model="lama", intent="remove")
    assert all(one.frame.working.area <= 1024 * 1024 for one in seen)


# ---- faults of IOPaint that are none here ----


def test_hard_edges_do_not_wrap_around(tmp_path: Path):
    """IOPaint's resizing overshoots at hard edges, and casts -61 to 195 and 316 to 60 (spec/iopaint.md 3)."""

    class Echo(erasers.LamaProgram):
        def forward(self, picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
            return picture * 1.0 + 0 * hole

    erasers.save_program(tmp_path / "lama-echo.pt", Echo(), torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    size = Size(1600, 1200)
    rows, columns = np.mgrid[: size.height, : size.width]
    letters = ((rows // 7 + columns // 5) % 2 * 255).astype(np.uint8)
    picture = replace(PICTURE, samples=np.repeat(letters[..., None], 3, axis=2))
    with Studio(allow_pickle=True) as studio:
        mask = Mask.box(size, Box(100, 100, 1500, 1100))
        path = str(tmp_path / "lama-echo.pt")
        edited = studio.edit(picture, mask=mask, model=path, intent="remove", detail="none")
    assert edited.regions[0].working.area < size.area, "it was made smaller and enlarged again"
    error = edited.picture.samples.astype(int) - picture.samples.astype(int)
    assert np.percentile(abs(error), 99.9) < 200, "black did not become white, nor white black"


def test_neighbouring_blobs_are_filled_in_few_calls_and_once(lama: Path, monkeypatch: pytest.MonkeyPatch):
    """IOPaint paints each blob for itself: 625 specks took 625 calls, and crops that overlap wrote over each other."""
    calls: list[Size] = []
    whole = EraserEngine.paint_one

    def paint(self: EraserEngine, one: Canvas, monitor: Monitor) -> Any:
        calls.append(one.size)
        return whole(self, one, monitor)

    monkeypatch.setattr(EraserEngine, "paint_one", paint)
    size = Size(300, 300)
    picture = picture_of(size, "rgb", 8)
    values = np.zeros(size.shape, np.float32)
    values[6::12, 6::12] = values[7::12, 6::12] = 1
    with Studio() as studio:
        edited = studio.edit(picture, mask=Mask(values), model="lama", intent="remove", grow=0, feather=0)
    assert len(calls) <= 8
    before = picture.samples.copy()
    assert (edited.picture.samples[values > 0] != before[values > 0]).any(axis=-1).mean() > 0.9
    assert np.array_equal(picture.samples, before), "the caller's picture is as it was"
    json.dumps(edited.record.to_mapping())

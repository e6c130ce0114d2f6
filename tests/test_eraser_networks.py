"""Erasers beside LaMa: MI-GAN in its own architecture, TorchScript of several files, ONNX, MAT through spandrel."""

from __future__ import annotations

import importlib.util
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import erasers
from overpaint import Mask, Studio, models
from overpaint.cli import main
from overpaint.engines import Monitor
from overpaint.engines.erase.latent import ScriptedLatentDiffusion, embedded
from overpaint.engines.erase.migan import migan_of
from overpaint.engines.erase.onnx import scaled
from overpaint.engines.erase.structure import positions
from overpaint.errors import Cancelled, MaskError, MissingExtraError, ModelError
from overpaint.geometry import Box, Size
from overpaint.models import find_eraser
from overpaint.models.onnx_graph import read_graph
from test_untouched import picture_of

SIZE = Size(90, 70)
PICTURE = picture_of(SIZE, "rgb", 8)
MASK = Mask.box(SIZE, Box(30, 20, 60, 45))


@pytest.fixture(autouse=True)
def _here(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_home)


def edited(model: str | Path, picture: Any = PICTURE, mask: Mask = MASK, **given: Any) -> Any:
    with Studio(allow_pickle=True) as studio:
        found = studio.edit(picture, mask=mask, model=str(model), intent="remove", **{"detail": "none", **given})
    assert np.array_equal(found.picture.samples[~found.touched], picture.samples[~found.touched])
    assert (found.picture.samples[mask.core] != picture.samples[mask.core]).any()
    return found


# ---- MI-GAN ----


def test_migan_from_safetensors_is_seen_at_512_square(tmp_path: Path):
    save_file(erasers.migan_tensors(), tmp_path / "migan.safetensors")
    assert models.detect(tmp_path / "migan.safetensors").title == "eraser (MI-GAN), fp32"
    found = edited(tmp_path / "migan.safetensors")
    assert found.regions[0].working == Size(512, 512)


def test_migans_published_layout():
    widths = {512: 64, 256: 128, 128: 256, 64: 512, 32: 512, 16: 512, 8: 512, 4: 512}
    with torch.device("meta"):
        whole = erasers.MiganGenerator(widths)
    names = erasers.shapes(whole.state_dict())
    assert names["encoder.b512.fromrgb.weight"] == (64, 4, 1, 1)
    assert names["encoder.b64.conv2.downsample.filter.weight"] == (512, 1, 4, 4)
    assert names["synthesis.b8.conv1.noise_const"] == (8, 8)
    assert names["synthesis.b512.conv1.upsample.filter.weight"] == (64, 1, 4, 4)
    assert names["synthesis.b4.torgb.weight"] == (3, 512, 1, 1)
    assert "synthesis.b4.upsample.filter.weight" not in names


def test_migan_never_sees_old_pixels_and_wants_all_its_tensors():
    held = erasers.migan_tensors()
    network = migan_of(held)
    picture, hole = torch.rand(1, 3, 512, 512), torch.zeros(1, 1, 512, 512)
    hole[..., 100:300, 50:400] = 1
    with torch.inference_mode():
        found = network(picture, hole)
        assert torch.equal(network(torch.where(hole > 0, 1 - picture, picture), hole), found)
    with pytest.raises(ModelError, match=r"such as synthesis\.b8\.conv1\.noise_const"):
        migan_of({name: one for name, one in held.items() if name != "synthesis.b8.conv1.noise_const"})


# ---- programs, by the file names that IOPaint's users have ----


@pytest.mark.parametrize("name", list(erasers.PROGRAMS))
def test_the_files_that_iopaint_has_downloaded_are_found_and_run(name: str, tmp_path: Path):
    erasers.save_programs(tmp_path / "torch" / "hub" / "checkpoints", name)
    found = edited(name)
    assert found.resolved.model == name
    assert [one.role for one in found.resolved.models] == ["eraser"] * len(erasers.PROGRAMS[name])
    first = found.resolved.models[0]
    row = models.listed(name)
    assert row is not None
    assert (first.name, first.licence) == (name, row.licence)
    if name == "manga":
        core = found.picture.samples[MASK.core].astype(int)
        assert np.ptp(core, axis=1).max() <= 1, "it is grey"


@pytest.mark.parametrize(
    ("size", "box"),
    [
        (Size(2, 1), Box(0, 0, 1, 1)),
        (Size(3, 3), Box(1, 1, 2, 2)),
        (Size(1, 4000), Box(0, 10, 1, 40)),
        (Size(4000, 1), Box(3990, 0, 4000, 1)),
        (Size(63, 700), Box(0, 0, 63, 90)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["lama", "migan", "zits"])
def test_any_size_is_erased(name: str, size: Size, box: Box, tmp_path: Path):
    path = erasers.save_programs(tmp_path, name)
    found = edited(path, picture_of(size, "rgb", 8), Mask.box(size, box))
    assert found.picture.size == size


@pytest.mark.parametrize("box", [Box(200, 0, 300, 200), Box(200, 0, 300, 300), Box(0, 100, 150, 300)], ids=str)
@pytest.mark.parametrize("name", ["lama", "migan", "ldm"])
def test_old_pixels_are_never_seen_even_where_a_square_lies_beyond_the_border(name: str, box: Box, tmp_path: Path):
    size = Size(512, 300)
    one, path = picture_of(size, "rgb", 8), erasers.save_programs(tmp_path, name)
    other = one.samples.copy()
    other[box.slices] = 255 - other[box.slices]
    mask = Mask.box(size, box)
    found = [
        edited(path, picture, mask, area="whole", grow=0, feather=0, seed=1).picture.samples[box.slices]
        for picture in (one, replace(one, samples=other))
    ]
    assert np.array_equal(*found)


def test_what_is_avoided_is_not_seen_either(tmp_path: Path):
    path = erasers.lama_file(tmp_path / "lama.safetensors")
    avoid = np.zeros(SIZE.shape, np.float32)
    avoid[10:18, 30:60] = avoid[46:52, 40:50] = 1  # beside the hole
    other = PICTURE.samples.copy()
    other[avoid > 0] = 255 - other[avoid > 0]
    changed = replace(PICTURE, samples=other)
    one, two = (edited(path, one, avoid=Mask(avoid)).picture.samples[MASK.core] for one in (PICTURE, changed))
    assert np.array_equal(one, two)
    one, two = (edited(path, one).picture.samples[MASK.core] for one in (PICTURE, changed))
    assert not np.array_equal(one, two), "without avoid it is"


def test_a_picture_of_which_nothing_stays_is_refused(tmp_path: Path):
    size, path = Size(1, 1), erasers.save_programs(tmp_path, "lama")
    with pytest.raises(MaskError) as caught:
        edited(path, picture_of(size, "rgb", 8), Mask.full(size))
    assert caught.value.code == "mask-covers-all"


def test_what_was_cancelled_between_two_steps_leaves_the_next_one_as_it_is(tmp_path: Path):
    path = erasers.save_programs(tmp_path, "ldm")
    steps: list[int] = []

    class Stopping(Monitor):
        def progress(self, step: int, steps_: int) -> None:
            steps.append(step)
            if step == 2:
                self.cancel()
            super().progress(step, steps_)

    with Studio(allow_pickle=True) as studio:
        given = {"mask": MASK, "model": str(path), "intent": "remove", "seed": 3, "detail": "none"}
        before = studio.edit(PICTURE, **given).picture.samples
        with pytest.raises(Cancelled):
            studio.edit(PICTURE, monitor=Stopping(), **given)
        assert max(steps) < 20
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: studio.edit(PICTURE, **given).picture.samples, range(2)))
    assert all(np.array_equal(one, before) for one in both), "two at once, as one alone"


def test_programs_are_refused_unless_allowed_and_say_what_else_there_is(tmp_path: Path):
    erasers.save_programs(tmp_path, "zits")
    with pytest.raises(ModelError, match="ZITS exists as a program only") as caught:
        find_eraser(str(tmp_path / "zits-inpaint-0717.pt"))
    assert caught.value.code == "torchscript-only"
    with Studio(allow_pickle=False) as studio, pytest.raises(ModelError, match="TorchScript program"):
        studio.edit(PICTURE, mask=MASK, model=str(tmp_path / "zits-inpaint-0717.pt"), intent="remove")


def test_a_part_that_is_missing_or_named_alone_is_said(tmp_path: Path):
    first = erasers.save_programs(tmp_path, "ldm")
    with pytest.raises(ModelError, match=r"a part of the eraser ldm, which is named by diffusion\.pt"):
        find_eraser(str(tmp_path / "cond_stage_model_decode.pt"), allow_pickle=True)
    assert list(find_eraser(str(tmp_path), allow_pickle=True).parts) == list(erasers.PROGRAMS["ldm"]), "as a folder"
    (tmp_path / "cond_stage_model_decode.pt").unlink()
    with pytest.raises(ModelError, match=r"LDM has 3 files, of which cond_stage_model_decode\.pt is not in"):
        find_eraser(str(first), allow_pickle=True)


def test_a_program_of_an_unknown_network_is_not_run(tmp_path: Path):
    erasers.save_program(tmp_path / "stranger.pt", erasers.Program(), torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
    with pytest.raises(ModelError, match="a network that is not known"):
        find_eraser(str(tmp_path / "stranger.pt"), allow_pickle=True)


# ---- LDM ----


def test_latent_diffusion_finds_what_its_network_knows():
    """A network that knows the noise of one latent leads to this latent, whatever the noise."""
    wanted = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    kept = ScriptedLatentDiffusion(None, None, None).kept
    times = {tuple(embedded(time)[0, :4].tolist()): float(kept[time]) for time in range(1, 1000)}
    asked: list[float] = []

    def noise(x: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        share = times[tuple(time[0, :4].tolist())]
        asked.append(share)
        assert condition.shape == (1, 4, 16, 16)
        assert set(condition[:, 3:].unique().tolist()) == {-1.0, 1.0}
        return (x - share**0.5 * wanted) / (1 - share) ** 0.5

    network = ScriptedLatentDiffusion(noise, erasers.Encode(), erasers.Decode())
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 16:32, 16:32] = 1
    steps: list[tuple[int, int]] = []
    found = network(torch.rand(1, 3, 64, 64), hole, 7, lambda *step: steps.append(step))
    first = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(7))
    rest, start = float(kept[0]), float(kept[951])
    constant = (first - start**0.5 * wanted) / (1 - start) ** 0.5
    expected = (erasers.Decode()(rest**0.5 * wanted + (1 - rest) ** 0.5 * constant) + 1) / 2
    assert (found - expected).abs().max() < 1e-4
    assert len(asked) == 21, "20 steps, the first of which asks twice"
    assert asked[0] == min(asked)
    assert steps == [(step, 20) for step in range(1, 21)]


def test_the_seed_decides_about_the_noise_of_latent_diffusion(tmp_path: Path):
    path = erasers.save_programs(tmp_path, "ldm")
    one, again, other = (edited(path, seed=seed).picture.samples for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


# ---- ZITS ----


def test_positions_are_steps_of_a_king_and_directions_point_to_what_is_known():
    marked = np.zeros((256, 256), np.uint8)
    marked[100:107, 50:55] = 255
    distance, direction = positions(marked)
    assert distance[103, 52] == 3
    assert distance[100, 50] == 1
    assert distance[102].tolist()[49:56] == [0, 1, 2, 3, 2, 1, 0]
    assert (distance > 0).sum() == 35
    assert direction[100, 50].tolist() == [1, 1, 1, 0], "a corner: all but the inner one"
    assert direction[103, 50].tolist() == [1, 1, 0, 0], "the left edge"
    assert not direction[marked == 0].any()
    wide, _ = positions(np.kron(marked, np.ones((2, 2), np.uint8)))
    assert np.array_equal(wide[::2, ::2], distance)
    assert not positions(np.full((256, 256), 255, np.uint8))[0].any(), "nothing is known"


# ---- ONNX ----


def onnx_file(path: Path, inputs: list[tuple[str, str, list[Any]]], whole: bool = False) -> Path:
    """A graph that fills the hole with a flat colour and gives 0 to 255."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper, types = onnx.helper, onnx.TensorProto
    kinds = {"float32": types.FLOAT, "uint8": types.UINT8}
    given = [helper.make_tensor_value_info(name, kinds[kind], shape) for name, kind, shape in inputs]
    picture, mask = inputs[0][0], inputs[1][0] if len(inputs) > 1 else inputs[0][0]
    nodes = [
        helper.make_node("Cast", [picture], ["p"], to=types.FLOAT),
        helper.make_node("Cast", [mask], ["m0"], to=types.FLOAT),
        helper.make_node("Div", ["m0", "top"], ["m1"]),
        helper.make_node("Sub", ["one", "m1"], ["m2"]) if whole else helper.make_node("Identity", ["m1"], ["m2"]),
        helper.make_node("Sub", ["one", "m2"], ["k"]),
        helper.make_node("Mul", ["p", "k"], ["kept"]),
        helper.make_node("Mul", ["m2", "flat"], ["new"]),
        helper.make_node("Mul", ["kept", "scale"], ["k255"]),
        helper.make_node("Add", ["k255", "new"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["result"], to=types.UINT8 if whole else types.FLOAT),
    ]
    values = {"one": 1.0, "flat": 51.0, "top": 255.0 if whole else 1.0, "scale": 1.0 if whole else 255.0}
    constants = [helper.make_tensor(name, types.FLOAT, [], [value]) for name, value in values.items()]
    out = helper.make_tensor_value_info("result", kinds[inputs[0][1]], inputs[0][2])
    graph = helper.make_graph(nodes, "eraser", given, [out], constants)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return path


FIXED = [("image", "float32", [1, 3, 512, 512]), ("mask", "float32", [1, 1, 512, 512])]
OPEN = [("image", "uint8", ["b", 3, "h", "w"]), ("mask", "uint8", ["b", 1, "h", "w"])]


def test_onnx_says_what_it_takes_without_any_runtime(tmp_path: Path):
    graph = read_graph(onnx_file(tmp_path / "lama_fp32.onnx", FIXED))
    assert [str(one) for one in graph.inputs] == ["image float32 [1, 3, 512, 512]", "mask float32 [1, 1, 512, 512]"]
    assert [one.name for one in graph.outputs] == ["result"]
    assert models.detect(tmp_path / "lama_fp32.onnx").title == "eraser (LaMa), ONNX"
    onnx_file(tmp_path / "migan_pipeline_v2.onnx", OPEN, whole=True)
    assert models.detect(tmp_path / "migan_pipeline_v2.onnx").title == "eraser (MI-GAN), ONNX"


@pytest.mark.parametrize(("inputs", "whole"), [(FIXED, False), (OPEN, True)], ids=["lama", "migan"])
def test_onnx_runs_by_its_contract(inputs: list[Any], whole: bool, tmp_path: Path):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    path = onnx_file(tmp_path / "eraser.onnx", inputs, whole)
    found = edited(path)
    assert found.regions[0].working == Size(512, 512)
    core = found.picture.samples[MASK.core].astype(int)
    assert abs(core - 51).max() <= 1, "51 of 255, where the hole was"


@pytest.mark.parametrize(("inputs", "whole"), [(FIXED, False), (OPEN, True)], ids=["lama", "migan"])
def test_onnx_sees_and_gives_red_before_blue(inputs: list[Any], whole: bool, tmp_path: Path):
    """OpenCV's zoo has Carve's LaMa, which was trained on RGB, though the zoo's demo gives it BGR."""
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    path = onnx_file(tmp_path / "inpainting_lama_2025jan.onnx", inputs, whole)
    model = onnx.load(str(path))
    helper, nodes = onnx.helper, model.graph.node
    fill = next(one for one in nodes if list(one.output) == ["new"])
    fill.input[1] = "shares"
    means = {"kept_mean": "kept", "known_mean": "k"}
    added = [helper.make_node("ReduceMean", [of], [name], axes=[2, 3]) for name, of in means.items()]
    added += [
        helper.make_node("Div", ["kept_mean", "known_mean"], ["around"]),
        helper.make_node("Mul", ["around", "by_channel"], ["shares"]),
    ]
    rest = [*nodes]
    del nodes[:]
    nodes.extend([*rest[:7], *added, *rest[7:]])
    factors = np.array([1.0, 0.5, 0.25]) * (1 if whole else 255)
    model.graph.initializer.append(helper.make_tensor("by_channel", onnx.TensorProto.FLOAT, [1, 3, 1, 1], factors))
    onnx.save(model, str(path))
    picture = replace(PICTURE, samples=np.full((*SIZE.shape, 3), (200, 100, 40), np.uint8))
    core = edited(path, picture).picture.samples[MASK.core].astype(int)
    assert abs(core - (200, 50, 10)).max() <= 1


@pytest.mark.parametrize(
    "inputs",
    [
        [("image", "float32", [1, 3, 512, 512])],
        [("image", "float32", [1, 4, 512, 512]), ("mask", "float32", [1, 1, 512, 512])],
        [("image", "float32", [1, 3, 512, 512]), ("mask", "uint8", [1, 1, 512, 512])],
        [("image", "float32", [1, 3, 512, 768]), ("mask", "float32", [1, 1, 512, 768])],
        [("image", "float32", [3, 512, 512]), ("mask", "float32", [1, 512, 512])],
    ],
)
def test_onnx_with_other_inputs_is_refused_by_what_it_takes(inputs: list[Any], tmp_path: Path):
    path = onnx_file(tmp_path / "other.onnx", inputs)
    with pytest.raises(
        ModelError, match=r"an ONNX file that takes image float32 .*: an eraser takes a picture and a mask"
    ):
        find_eraser(str(path))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_onnx_that_is_cut_short_is_refused(share: float, tmp_path: Path):
    path = onnx_file(tmp_path / "lama.onnx", FIXED)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match=r"lama\.onnx"):
        find_eraser(str(path))


def test_onnx_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    onnx_file(tmp_path / "lama.onnx", FIXED)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "onnxruntime" else real(name))
    with Studio() as studio, pytest.raises(MissingExtraError, match=r"overpaint\[onnx\]"):
        studio.edit(PICTURE, mask=MASK, model=str(tmp_path / "lama.onnx"), intent="remove")


def test_what_is_known_shows_the_scale_of_a_result():
    picture, hole = np.full((1, 3, 4, 4), 0.002, np.float32), np.zeros((1, 1, 4, 4), np.float32)
    hole[..., 0] = 1
    assert np.array_equal(scaled(picture, picture, hole), picture), "a dark picture in [0, 1]"
    assert np.allclose(scaled(picture * 255, picture, hole), picture), "and in [0, 255], though none is above 1"


# ---- MAT ----


def test_mat_is_refused_until_its_licence_is_accepted_and_the_yes_is_in_the_record(tmp_path: Path, monkeypatch: Any):
    from overpaint.engines.erase import spandrel_networks
    from overpaint.models import accept, licence_terms

    first = "synthesis.first_stage.conv_first.conv.resample_filter"
    save_file({first: torch.zeros(4, 4), "mapping.fc0.weight": torch.zeros(2, 2)}, tmp_path / "mat.safetensors")
    path = tmp_path / "mat.safetensors"
    with pytest.raises(ModelError, match=r"CC BY-NC 4\.0") as caught:
        find_eraser(str(path))
    assert (caught.value.code, caught.value.value) == ("licence-not-accepted", "mat")
    terms = licence_terms("mat")
    assert terms is not None
    day = accept(terms)
    assert find_eraser(str(path)).accepted == day

    class Flat:
        sees_whole = True

        def __call__(self, picture: torch.Tensor, hole: torch.Tensor, seed: int, on_step: Any) -> torch.Tensor:
            return torch.full_like(picture, 0.5)

    monkeypatch.setattr(spandrel_networks, "mat_of", lambda tensors, device: Flat())
    monkeypatch.setattr("overpaint.engines.erase.factory.missing_extra", lambda kind: None)
    (used,) = edited(path).resolved.models
    assert used.accepted == day
    assert used.licence.startswith("CC BY-NC 4.0")


def test_the_yes_to_a_licence_is_kept_with_its_date_and_written_into_the_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from overpaint.models import accepted_on, licence_terms

    assert main(["models", "accept", "mat"]) == 0
    out = capsys.readouterr().out
    assert "CC BY-NC 4.0 (non-commercial) of mat is accepted, as of 20" in out
    assert "https://github.com/fenglinglwb/MAT/blob/main/LICENSE" in out
    terms = licence_terms("mat")
    assert terms is not None
    day = accepted_on(terms)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", day)
    assert json.loads((tmp_path / "home" / "accepted.json").read_text())["mat"]["date"] == day
    assert main(["models", "accept", "mat", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == day
    assert main(["models", "accept", "lama"]) == 0
    assert "needs no acceptance" in capsys.readouterr().out

    lama = models.store_folder() / "mine.safetensors"
    erasers.lama_file(tmp_path / "mine.safetensors")
    models.add(tmp_path / "mine.safetensors", licence="CC BY-NC-SA 4.0")
    Image.fromarray(PICTURE.samples).save("photo.png")
    words = ["remove", "photo.png", "--box", "30,20,60,45", "--model", "mine", "--audit", "log.jsonl"]
    assert main(words) != 0
    assert "'overpaint models accept mine'" in capsys.readouterr().err
    assert models.default_eraser() is None, "nor is it used unasked"
    assert main(["models", "accept", "mine"]) == 0
    assert main(words) == 0
    assert lama.exists()
    line = next(one for one in Path("log.jsonl").read_text().splitlines() if '"erase"' in one)
    assert f'"accepted":"{day}"' in line.replace(" ", "")


@pytest.mark.slow
def test_mat_runs_through_spandrel(tmp_path: Path):
    if importlib.util.find_spec("spandrel_extra_arches") is None:  # to import it needs what stands in for torchvision
        pytest.skip("the extra restore is not installed")
    from overpaint.engines.erase.spandrel_networks import mat_of
    from overpaint.engines.spandrel_import import torchvision_stood_in

    with torchvision_stood_in():
        from spandrel_extra_arches.architectures.MAT import MAT

    torch.manual_seed(0)
    tensors = {name.removeprefix("model."): one for name, one in MAT().state_dict().items()}
    picture, hole = torch.rand(1, 3, 512, 512), torch.zeros(1, 1, 512, 512)
    hole[..., 100:400, 100:400] = 1
    with torch.inference_mode():
        network = mat_of(tensors, "cpu")
        one, again, other = (network(picture, hole, seed, lambda *_: None) for seed in (1, 1, 2))
    assert one.shape == picture.shape
    assert torch.equal(one, again)
    assert not torch.equal(one, other), "the seed decides"
    import sys

    assert "torchvision" not in sys.modules

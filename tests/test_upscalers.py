"""Networks that enlarge, of published layouts with random weights: loaded from files, in tiles without seams."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data

import overpaint
from overpaint.cli import main
from overpaint.engines.spandrel_import import normalised, torchvision_stood_in
from overpaint.errors import EngineError, MissingExtraError, ModelError
from overpaint.geometry import Size
from overpaint.picture import from_array
from overpaint.restore import enlarge, load_upscaler, networks
from test_untouched import picture_of

with torchvision_stood_in():
    pytest.importorskip("spandrel", reason="the extra restore is not installed")
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

PHOTO = np.ascontiguousarray(data.astronaut()[40:150, 100:230]).astype(np.float32) / 255


def network(scale: int = 2, channels: int = 3) -> Any:
    """RRDBNet of ESRGAN and Real-ESRGAN with one block: it looks 19 pixels far, or less."""
    torch.manual_seed(7)
    made = RRDBNet(in_nc=channels, out_nc=channels, num_filters=16, num_blocks=1, scale=scale).eval()
    with torch.no_grad():
        for one in made.parameters():
            one.mul_(1.6)
    return made.requires_grad_(False)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "RealESRGAN_x2.safetensors"
    save_file(network().state_dict(), path)
    return path


def test_a_file_is_the_network_that_it_holds(file: Path):
    upscaler = load_upscaler(str(file))
    assert (upscaler.name, upscaler.scale, upscaler.architecture) == ("RealESRGAN_x2", 2, "ESRGAN")
    wanted = network()(torch.from_numpy(PHOTO.transpose(2, 0, 1))[None]).clamp(0, 1)[0].numpy().transpose(1, 2, 0)
    assert np.abs(upscaler(PHOTO) - wanted).max() < 1e-5
    assert wanted.std() > 0.01, "a network that does something"
    assert "torchvision" not in sys.modules


def test_tiles_are_the_whole_picture_at_once_and_too_small_a_margin_would_show(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    upscaler = load_upscaler(str(file))
    whole = upscaler(PHOTO)
    monkeypatch.setattr(networks, "TILE", 48)
    calls: list[tuple[int, int]] = []
    found = upscaler(PHOTO, lambda tile, tiles: calls.append((tile, tiles)))
    assert calls[-1] == (6, 6)
    assert np.abs(found - whole).max() < 1 / 255
    monkeypatch.setattr(networks, "MARGIN", 8)
    assert np.abs(upscaler(PHOTO) - whole).max() > 1 / 255


@pytest.mark.parametrize("side", [1, 95, 192, 193, 289, 577, 1000])
def test_the_weights_of_tiles_add_up_to_one(side: int):
    def repeated(part: Any) -> Any:
        return part.repeat(3, axis=0).repeat(3, axis=1)

    colours = np.random.default_rng(0).random((3, side, 1), np.float32)
    found = networks.tiled(repeated, colours, 3, lambda _tile, _tiles: None)
    assert np.abs(found - repeated(colours)).max() < 1e-5


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", ["grey", "rgb+alpha", "cmyk"])
def test_every_kind_of_picture_stays_of_its_kind(mode: str, depth: int, file: Path):
    picture = picture_of(Size(40, 30), mode, depth)
    made = enlarge(picture, scale=3, upscaler=load_upscaler(str(file)))
    assert (made.picture.size, made.picture.mode, made.by) == (Size(120, 90), picture.mode, "RealESRGAN_x2")
    plain = enlarge(picture, scale=3).picture
    assert not np.array_equal(made.picture.samples, plain.samples)
    assert (made.picture.alpha is None) == (picture.alpha is None)
    if plain.alpha is not None:
        assert made.picture.alpha is not None
        assert np.array_equal(made.picture.alpha, plain.alpha)


def test_a_network_for_grey_is_given_each_channel_by_itself(tmp_path: Path):
    save_file(network(channels=1).state_dict(), tmp_path / "grey.safetensors")
    upscaler = load_upscaler(str(tmp_path / "grey.safetensors"))
    colours = PHOTO[:30, :40]
    red = upscaler(np.repeat(colours[..., :1], 3, axis=2))[..., 0]
    assert np.abs(upscaler(colours)[..., 0] - red).max() < 1e-5


def test_a_network_that_gives_no_numbers_is_an_error_and_no_black_picture(tmp_path: Path):
    made = network()
    next(iter(made.parameters())).fill_(torch.nan)
    save_file(made.state_dict(), tmp_path / "broken.safetensors")
    with pytest.raises(EngineError, match="broken gave pixels that are not finite numbers"):
        enlarge(picture_of(Size(40, 30), "rgb", 8), upscaler=load_upscaler(str(tmp_path / "broken.safetensors")))


def test_a_pickle_is_refused_until_it_is_allowed(tmp_path: Path, file: Path):
    path = tmp_path / "RealESRGAN_x2.pth"
    torch.save({"params_ema": network().state_dict()}, path)
    with pytest.raises(ModelError) as caught:
        load_upscaler(str(path))
    assert caught.value.code == "pickle-refused"
    allowed = load_upscaler(str(path), allow_pickle=True)
    assert np.array_equal(allowed(PHOTO[:20, :20]), load_upscaler(str(file))(PHOTO[:20, :20]))


def test_files_that_are_no_upscaler_are_refused_in_words(tmp_path: Path, file: Path):
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:5000])
    save_file({"any": torch.zeros(3)}, tmp_path / "other.safetensors")
    save_file(network(scale=1).state_dict(), tmp_path / "cleans.safetensors")
    for name, words in (
        ("cut", "cut"),
        ("other", "knows no network with its tensors"),
        ("cleans", "does not enlarge"),
        ("none", "there is no file"),
    ):
        with pytest.raises(ModelError, match=words):
            load_upscaler(str(tmp_path / f"{name}.safetensors"))
    with pytest.raises(ModelError, match="no model is called"):
        load_upscaler(str(file), paths=False)


def test_a_name_is_looked_for_in_the_folders_of_models(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", str(file.parent))
    assert load_upscaler("RealESRGAN_x2", paths=False).scale == 2


def test_without_the_extra_it_is_named(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MissingExtraError, match=r"overpaint\[restore\]"):
        load_upscaler(str(file))


def test_python_and_the_command_use_it(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.chdir(tmp_path)
    picture = from_array(np.rint(PHOTO[:24, :32] * 255).astype(np.uint8))
    overpaint.save(picture, "a.png")
    made = overpaint.enlarge("a.png", model=str(file))
    assert main(["enlarge", "a.png", "--model", str(file)]) == 0
    assert "(RealESRGAN_x2)" in capsys.readouterr().out
    assert np.array_equal(overpaint.open("a.enlarge.png").samples, made.samples)
    assert main(["enlarge", "a.png", "--model", "nothing", "--overwrite"]) == 2
    assert "no model is called 'nothing'" in capsys.readouterr().err


def test_what_stands_in_for_torchvision_normalises():
    image = torch.rand(2, 3, 4, 5)
    found = normalised(image, [0.5, 0.4, 0.3], [0.5, 0.25, 0.125])
    assert torch.allclose(found[:, 2], (image[:, 2] - 0.3) / 0.125)
    assert torch.equal(normalised(image, [0.5] * 3, [0.5] * 3, inplace=True), image)

"""The backbone of the autoencoder's losses is the published network, and lets a gradient through to the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from training.pocket import mobilenet

SHARED = Path(__file__).parents[2] / "shared"
NETWORK = SHARED / "nets" / "deeplabv3_mnv2_ade20k_int8.tflite"
PHOTOS = SHARED / "photos" / "eval" / "images"
OPERATIONS = (3, 10, 21, 47)
"""Those of the published network whose outputs are the last before each next stride, and that of the twelfth block."""

there = pytest.mark.skipif(
    not (NETWORK.is_file() and PHOTOS.is_dir()), reason="the published network is not part of the repository"
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ai_edge_litert")
    target = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    mobilenet.convert(NETWORK, target)
    return target


def photo() -> np.ndarray:
    with Image.open(min(PHOTOS.glob("*.jpg"))) as image:
        return np.asarray(image.convert("RGB").resize((512, 512)))


def published(picture: np.ndarray) -> list[np.ndarray]:
    """The inner maps (h, w, c) of the published network, brought back to real values."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    net: Any = Interpreter(
        model_path=str(NETWORK),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    net.allocate_tensors()
    net.set_tensor(net.get_input_details()[0]["index"], picture[None])
    net.invoke()
    about = {details["index"]: details for details in net.get_tensor_details()}
    places = [int(net._get_ops_details()[k]["outputs"][0]) for k in OPERATIONS]
    scales = [about[place]["quantization"] for place in places]
    return [
        (net.get_tensor(place)[0].astype(np.float64) - zero) * scale
        for place, (scale, zero) in zip(places, scales, strict=True)
    ]


def alike(net: mobilenet.MobileNet, picture: np.ndarray) -> list[float]:
    given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        made = [x[0].permute(1, 2, 0).numpy() for x in net(given)]
    pairs = zip(made, published(picture), strict=True)
    return [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs]


@there
def test_its_features_are_those_of_the_published_network(converted: Path) -> None:
    net = mobilenet.load(converted, torch.device("cpu"))
    assert min(alike(net, photo())) > 0.995
    net.layers[4].weight.data = net.layers[4].weight.data.flip(-1)
    assert min(alike(net, photo())) < 0.95, "one layer turned over shows"


@there
def test_padding_at_the_wrong_end_shows(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def early(self: mobilenet.MobileNet, k: int, x: torch.Tensor) -> torch.Tensor:
        layer = self.layers[k]
        made: torch.Tensor = layer(F.pad(x, (1, 0, 1, 0)) if layer.stride == (2, 2) else x)
        return made

    net = mobilenet.load(converted, torch.device("cpu"))
    monkeypatch.setattr(mobilenet.MobileNet, "_convolve", early)
    assert max(alike(net, photo())) < 0.9, "every map is a place off, from the first convolution on"


@there
def test_it_takes_bfloat16_and_is_one_graph(converted: Path) -> None:
    net = mobilenet.load(converted, torch.device("cpu"))
    pictures = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        exact = net(pictures)
        whole = torch.compile(net, backend="eager", fullgraph=True)(pictures)  # fullgraph: a break is an error
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(pictures)
    for a, b, c in zip(exact, whole, rough, strict=True):
        assert torch.equal(a, b)
        assert c.dtype == torch.bfloat16
        assert np.corrcoef(a.numpy().ravel(), c.float().numpy().ravel())[0, 1] > 0.999


@there
def test_it_is_frozen_and_lets_a_gradient_through(converted: Path) -> None:
    net = mobilenet.load(converted, torch.device("cpu"))
    pictures = torch.zeros(1, 3, 64, 64, requires_grad=True)
    maps = net(pictures)
    assert [tuple(x.shape) for x in maps] == [(1, 16, 32, 32), (1, 24, 16, 16), (1, 32, 8, 8), (1, 96, 4, 4)]
    sum(x.square().sum() for x in maps).backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in net.parameters())


def test_a_missing_backbone_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run the stage `backbone` first"):
        mobilenet.load(tmp_path / "none.safetensors", torch.device("cpu"))
    (tmp_path / "other.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other\.safetensors is no backbone"):
        mobilenet.load(tmp_path / "other.safetensors", torch.device("cpu"))
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "other.tflite").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other\.tflite is no TensorFlow Lite network"):
        mobilenet.convert(tmp_path / "other.tflite", tmp_path / "out.safetensors")
    with pytest.raises(FileNotFoundError, match="no network at"):
        mobilenet.convert(tmp_path / "none.tflite", tmp_path / "out.safetensors")


@there
def test_another_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    other = SHARED / "nets" / "mobilenet_edgetpu_224_1.0_uint8.tflite"
    with pytest.raises(ValueError, match="does not begin as MobileNetV2 does"):
        mobilenet.convert(other, tmp_path / "out.safetensors")

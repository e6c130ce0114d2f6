"""Selectors, upscalers and networks for faces in the store: recognised, found by name, refused, converted."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file

from overpaint.errors import ModelError
from overpaint.models import CATALOGUE, Kind, accept, convert, detect, find_network, licence_terms, networks_here
from overpaint.models.networks import NETWORKS
from overpaint.models.places import hub_parts

LAYOUTS = {
    "gfpgan": ("stylegan_decoder.style_mlp.1.weight", "toRGB.0.weight"),
    "codeformer": ("quantize.embedding.weight", "ft_layers.0.self_attn.in_proj_weight", "position_emb"),
    "restoreformer": ("quantize.embedding.weight", "encoder.conv_in.weight", "decoder.mid.attn_1.q.weight"),
    "sam": ("mask_decoder.iou_token.weight", "image_encoder.patch_embed.proj.weight"),
    "sam-hq": (
        "mask_decoder.iou_token.weight",
        "mask_decoder.hf_token.weight",
        "image_encoder.patch_embed.proj.weight",
    ),
    "mobile-sam": ("mask_decoder.iou_token.weight", "image_encoder.patch_embed.seq.0.c.weight"),
    "sam2": ("sam_mask_decoder.iou_token.weight", "image_encoder.trunk.patch_embed.proj.weight"),
    "esrgan": ("conv_first.weight", "body.0.rdb1.conv1.weight"),
    "compact": ("body.0.weight", "body.0.bias", "body.1.weight", "body.2.weight"),
    "swinir": ("conv_first.weight", "layers.0.residual_group.blocks.0.attn.relative_position_index"),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, in a folder of its own."""
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    return tmp_path / "home" / "models"


def tensors(network: str, prefix: str = "") -> dict[str, torch.Tensor]:
    """Small tensors by the names of a published layout."""
    return {f"{prefix}{name}": torch.full((2, 2), float(at)) for at, name in enumerate(LAYOUTS[network])}


def in_store(home: Path, network: str, name: str = "") -> Path:
    """A safetensors file of a layout in the store."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{name or network}.safetensors"
    save_file(tensors(network), path)
    return path


@pytest.mark.parametrize("network", LAYOUTS)
@pytest.mark.parametrize("prefix", ["", "params_ema.", "params."])
def test_a_network_is_recognised_by_its_tensors(tmp_path: Path, network: str, prefix: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file(tensors(network, prefix), path)
    kind = detect(path)
    assert (kind.network, kind.what in NETWORKS) == (network, True)


@pytest.mark.parametrize(
    ("model_type", "network"),
    [("sam2_video", "sam2"), ("sam_hq", "sam-hq"), ("segformer", "segformer"), ("grounding-dino", "grounding-dino")],
)
def test_a_folder_in_transformers_layout_is_recognised(tmp_path: Path, model_type: str, network: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    assert (detect(tmp_path).what, detect(tmp_path).network) == ("selector", network)


def graph(path: Path, inputs: dict[str, list[int | str]], outputs: dict[str, list[int | str]]) -> Path:
    """An ONNX file that takes and gives these."""
    takes, gives = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ports.items()]
        for ports in (inputs, outputs)
    )
    nodes = [helper.make_node("Identity", [next(iter(inputs))], [name]) for name in outputs]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", takes, gives)), path)
    return path


def test_onnx_files_are_recognised_by_what_they_take_and_give(tmp_path: Path) -> None:
    faces = graph(
        tmp_path / "y.onnx", {"input": [1, 3, "h", "w"]}, {f"{name}_8": [1] for name in ("cls", "obj", "bbox", "kps")}
    )
    decoder = graph(
        tmp_path / "decoder.onnx",
        {"image_embeddings": [1, 256, 64, 64], "point_coords": [1, "n", 2], "point_labels": [1, "n"]},
        {"masks": [1, 1, 256, 256]},
    )
    matte = graph(tmp_path / "b.onnx", {"x": [1, 3, 1024, 1024]}, {"y": [1, 1, 1024, 1024]})
    other = graph(tmp_path / "o.onnx", {"x": [1, 5]}, {"y": [1, 5]})
    assert [detect(one).network for one in (faces, decoder, matte, other)] == ["yunet", "sam-onnx", "birefnet", ""]
    assert detect(faces).what == "face-detector"


def test_a_network_is_found_by_its_task_alone(home: Path) -> None:
    in_store(home, "esrgan", "big")
    in_store(home, "sam2", "mine")
    assert find_network("big", "upscaler").kind.network == "esrgan"
    with pytest.raises(ModelError, match="big is not a selector: it is an upscaler") as caught:
        find_network("big", "selector")
    assert caught.value.code == "model-other-task"
    assert [one.name for one in networks_here("selector")] == ["mine"]


def test_those_to_prefer_come_first(home: Path) -> None:
    for network in ("sam", "sam2"):
        in_store(home, network)
    assert [one.name for one in networks_here("selector")] == ["sam2", "sam"]


def test_a_licence_of_its_own_is_accepted_first(home: Path) -> None:
    path = in_store(home, "codeformer", "anything")
    assert networks_here("faces") == ()
    for name in ("anything", str(path)):
        with pytest.raises(ModelError) as caught:
            find_network(name, "faces")
        assert caught.value.code == "licence-not-accepted"
    terms = licence_terms("codeformer")
    assert terms is not None
    assert "non-commercial" in terms.licence
    day = accept(terms)
    assert find_network("anything", "faces").accepted == day
    assert [one.name for one in networks_here("faces")] == ["anything"]


def test_another_name_of_a_folder_is_no_way_around_its_licence(tmp_path: Path) -> None:
    """What its card says holds wherever it lies: on the hub "other" is a text of its own."""
    folder = tmp_path / "harmless"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "segformer"}')
    (folder / "README.md").write_text("---\nlicense: other\n---\n")
    with pytest.raises(ModelError) as caught:
        find_network(str(folder), "selector")
    assert caught.value.code == "licence-not-accepted"


def test_a_card_that_calls_the_licence_otherwise_does_not_undo_a_yes(home: Path) -> None:
    folder = home / "nvidia--segformer-b0-finetuned-ade-512-512"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "segformer"}')
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: nvidia-source\n---\n")
    terms = licence_terms("segformer-b0-ade")
    assert terms is not None
    day = accept(terms)
    assert find_network("segformer-b0-ade", "selector", paths=False).accepted == day
    assert len(networks_here("selector")) == 1


@pytest.mark.parametrize("front", ["license: 2001-99-99", "[" * 9000], ids=["no date", "deep"])
def test_a_card_that_makes_no_sense_says_nothing(home: Path, front: str) -> None:
    """Models of the whole machine are listed with it."""
    in_store(home, "sam2", "good")
    folder = home / "odd"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "clipseg"}')
    (folder / "README.md").write_text(f"---\n{front}\n---\n")
    assert {one.name: one.licence for one in networks_here("selector")} == {"good": "", "odd": ""}


def test_a_pickle_needs_the_flag_and_is_converted_without_it(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "RealESRGAN_x4plus.pth"
    torch.save({"params_ema": tensors("esrgan")}, path)
    with pytest.raises(ModelError) as caught:
        find_network(str(path), "upscaler")
    assert caught.value.code == "pickle-refused"
    assert find_network(str(path), "upscaler", allow_pickle=True).kind.form == "pickle"
    made = convert(str(path))
    assert made.kind == Kind("upscaler", "safetensors", network="esrgan", precision="fp32")
    assert set(load_file(made.path)) == set(LAYOUTS["esrgan"])  # without what training put before the names
    assert find_network("realesrgan-x4plus", "upscaler").path == made.path


def test_an_upscaler_of_a_layout_that_is_not_known_here_is_left_to_its_loader(home: Path) -> None:
    home.mkdir(parents=True)
    save_file({"weird.weight": torch.zeros(3)}, home / "odd.safetensors")
    assert find_network("odd", "upscaler").kind.what == "other"
    with pytest.raises(ModelError):
        find_network("odd", "faces")


def test_names_from_outside_are_no_paths(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(tensors("esrgan"), path)
    with pytest.raises(ModelError) as caught:
        find_network(str(path), "upscaler", paths=False)
    assert caught.value.code == "model-unknown"


def test_rows_of_the_catalogue_say_licence_and_source() -> None:
    for row in CATALOGUE:
        assert all((row.licence, row.about, row.title)), row.name
        assert row.source.startswith("https://"), row.name
        assert hub_parts(row.hub) if row.hub else row.files, row.name
        if "non-commercial" in row.licence or "of its own" in row.licence:
            assert row.terms.startswith("https://"), row.name

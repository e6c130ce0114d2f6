"""What a file is, is told from its names and shapes; what can't be used is told in one line, and nothing is run."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import checkpoints
from checkpoints import REAL, TINY, Shape
from overpaint import models
from overpaint.models import ModelError, detect, read_table
from overpaint.models.detect import of_table, require
from overpaint.models.headers import TensorInfo, TensorTable


def header_only(
    path: Path, layout: dict[str, Shape], dtype: str = "F16", metadata: dict[str, str] | None = None
) -> Path:
    """A safetensors file of any size without its weights: they are a hole in the file."""
    table: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in layout.items():
        size = TensorInfo(shape, dtype).bytes
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(table).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize("size", ["real", "tiny"])
def test_families_and_channels(family: str, channels: int, size: str, tmp_path: Path) -> None:
    plan = dataclasses.replace((REAL if size == "real" else TINY)[family], channels=channels)
    kind = detect(header_only(tmp_path / "model.safetensors", checkpoints.layout(plan)))
    assert (kind.what, kind.family, kind.channels, kind.precision) == ("checkpoint", family, channels, "fp16")
    assert kind.inpainting == (channels == 9)
    assert kind.prediction == ("v" if family == "sd2" and channels == 4 else "epsilon")
    assert not kind.lcm
    assert require(kind, "it") is kind


@pytest.mark.parametrize(
    ("name", "metadata", "beside", "prediction"),
    [
        ("v2-1_768-ema-pruned", {}, "", "v"),
        ("v2-1_512-ema-pruned", {}, "", "epsilon"),
        ("512-base-ema", {}, "", "epsilon"),
        ("mine", {}, "", "v"),
        ("mine", {}, 'model:\n  params:\n    parameterization: "v"\n', "v"),
        ("v2-1_768-ema-pruned", {}, "model:\n  params:\n    linear_start: 0.00085\n", "epsilon"),
        ("mine", {"modelspec.prediction_type": "epsilon"}, "", "epsilon"),
    ],
)
def test_what_an_sd2_file_predicts(
    name: str, metadata: dict[str, str], beside: str, prediction: str, tmp_path: Path
) -> None:
    path = header_only(tmp_path / f"{name}.safetensors", checkpoints.layout(TINY["sd2"]), metadata=metadata)
    if beside:
        path.with_suffix(".yaml").write_text(beside)
    kind = detect(path)
    assert kind.prediction == prediction
    assert kind.because


def test_v_prediction_of_other_families_is_marked(tmp_path: Path) -> None:
    layout = checkpoints.layout(TINY["sdxl"])
    assert detect(header_only(tmp_path / "a.safetensors", layout)).prediction == "epsilon"
    assert detect(header_only(tmp_path / "b.safetensors", layout | {"v_pred": ()})).prediction == "v"
    assert detect(header_only(tmp_path / "noob-vpred.safetensors", layout)).prediction == "v"


def test_a_stray_tensor_does_not_make_a_checkpoint_a_lora(tmp_path: Path) -> None:
    layout = checkpoints.layout(TINY["sd1"]) | {"left.over.lora_down.weight": (4, 4)}
    assert detect(header_only(tmp_path / "a.safetensors", layout)).what == "checkpoint"


def test_the_user_knows_better(tmp_path: Path) -> None:
    path = header_only(tmp_path / "a.safetensors", checkpoints.layout(TINY["sd2"]))
    assert models.find(str(path), prediction="epsilon").kind.prediction == "epsilon"


UP, DOWN = "lora_up.weight", "lora_down.weight"
Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
PARTS: dict[str, tuple[dict[str, Shape], str, str]] = {
    "lora": ({f"{Q}.{DOWN}": (4, 768), f"{Q}.{UP}": (320, 4)}, "lora", "Stable Diffusion 1.x LoRA"),
    "lora of SDXL": ({f"{Q}.{DOWN}": (4, 2048), f"{Q}.{UP}": (640, 4)}, "lora", "SDXL LoRA"),
    "peft": (
        {"unet.x.attn2.to_k.lora_A.weight": (4, 1024), "unet.x.attn2.to_k.lora_B.weight": (9, 4)},
        "lora",
        "2.x LoRA",
    ),
    "loha": ({f"{Q}.hada_w1_a": (320, 4), f"{Q}.hada_w1_b": (4, 768)}, "lora", "LoRA (loha)"),
    "dora": ({f"{Q}.{DOWN}": (4, 768), f"{Q}.{UP}": (320, 4), f"{Q}.dora_scale": (320, 1)}, "lora", "LoRA (dora)"),
    "vae": (checkpoints.vae(8), "vae", "VAE"),
    "bare vae": ({name.removeprefix("first_stage_model."): s for name, s in checkpoints.vae(8).items()}, "vae", "VAE"),
    "tiny vae": (
        {"encoder.layers.0.weight": (64, 3, 3, 3), "decoder.layers.0.weight": (64, 4, 3, 3)},
        "tiny-vae",
        "TAESD",
    ),
    "embedding": ({"emb_params": (8, 768)}, "embedding", "textual inversion"),
    "embedding of SDXL": ({"clip_l": (8, 768), "clip_g": (8, 1280)}, "embedding", "SDXL textual inversion"),
    "controlnet": (checkpoints.control(TINY["sd1"]), "controlnet", "Stable Diffusion 1.x ControlNet"),
    "bare controlnet": (
        {name.removeprefix("control_model."): shape for name, shape in checkpoints.control(TINY["sd2"]).items()},
        "controlnet",
        "Stable Diffusion 2.x ControlNet",
    ),
    "controlnet of SDXL": (checkpoints.control(TINY["sdxl"]), "controlnet", "SDXL ControlNet"),
    "union controlnet": (
        {"controlnet_down_blocks.0.bias": (8,), "add_embedding.linear_1.weight": (8, 8)} | {"task_embedding": (8, 320)},
        "controlnet",
        "SDXL union ControlNet",
    ),
    "controlnet with its base": (
        checkpoints.layout(TINY["sd1"]) | {"control_model.x": (1,)},
        "controlnet",
        "ControlNet",
    ),
    "controlnet of diffusers": (
        {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3)},
        "controlnet",
        "ControlNet",
    ),
    "unet": (checkpoints.unet(TINY["sd1"]), "unet", "U-Net without"),
    "text encoder": ({"text_model.embeddings.token_embedding.weight": (9, 8)}, "text-encoder", "text encoder"),
}


@pytest.mark.parametrize("name", list(PARTS))
def test_parts_given_as_a_checkpoint_are_recognised_and_named(name: str, tmp_path: Path) -> None:
    layout, what, title = PARTS[name]
    path = header_only(tmp_path / "it.safetensors", layout)
    kind = detect(path)
    assert kind.what == what
    assert title in kind.title
    with pytest.raises(ModelError, match=r"is not a checkpoint but an? ") as caught:
        models.find(str(path))
    assert title in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (3,)}, "FLUX"),
        ({"model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight": (3, 3)}, "Stable Diffusion 3"),
        ({"lllite_unet_input_blocks_4_1.down.0.weight": (3, 3)}, "ControlNet-LLLite"),
        ({"lora_controlnet": (), "input_hint_block.0.weight": (16, 3, 3, 3)}, "Control-LoRA"),
        ({"control_model.difference": ()}, "the difference of a ControlNet"),
        ({"anything": (3,)}, "not a checkpoint of a known kind: its weights have no names that are known"),
        ({}, "not a checkpoint of a known kind"),
        (checkpoints.layout(dataclasses.replace(TINY["sd1"], channels=8)), "InstructPix2Pix"),
        (checkpoints.layout(TINY["sdxl"]) | {"edm_mean": (4,)}, "Playground 2.5"),
        (checkpoints.layout(dataclasses.replace(TINY["sdxl"], label=2560)), "refiner of SDXL"),
    ],
)
def test_models_of_no_known_kind(layout: dict[str, Shape], says: str, tmp_path: Path) -> None:
    path = header_only(tmp_path / "it.safetensors", layout)
    with pytest.raises(ModelError, match=says):
        models.find(str(path))


# ---- files that are damaged ----


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello, this is text", "neither a .safetensors file nor a checkpoint"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        (struct.pack("<Q", 10**15) + b"{}", "is cut short"),
        (struct.pack("<Q", 4) + b"{bad", "header can't be read"),
        (struct.pack("<Q", 9) + b'{"a": 10}', "header can't be read"),
        (b"PK\x03\x04 and no zip file", "is cut short or damaged"),
        (b"\x80\x02 and no pickle", "damaged or no checkpoint"),
    ],
)
def test_damaged_files_are_reported(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=says):
        detect(path)


def test_a_truncated_checkpoint_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 9, 3, 3)}, path)
    whole = path.read_bytes()
    for cut in (4, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            detect(path)
    torch.save({"state_dict": {"a": torch.zeros(1000)}}, tmp_path / "model.ckpt")
    whole = (tmp_path / "model.ckpt").read_bytes()
    (tmp_path / "model.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cut short"):
        detect(tmp_path / "model.ckpt")


@settings(deadline=None, max_examples=150)
@given(
    data=st.binary(max_size=200), start=st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04", struct.pack("<Q", 30) + b"{"])
)
def test_no_bytes_do_anything_but_be_refused_or_read(
    data: bytes, start: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.bin"
    path.write_bytes(start + data)
    with contextlib.suppress(ModelError):
        assert isinstance(read_table(path), TensorTable)


UNET = "model.diffusion_model."
READ = (
    f"{UNET}input_blocks.0.0.weight", f"{UNET}label_emb.0.0.weight", f"{UNET}time_embed.cond_proj.weight",
    f"{UNET}input_blocks.1.1.proj_in.weight", "input_blocks.0.0.weight", "conv_in.weight", "down_blocks.0.x",
    "time_embedding.cond_proj.weight", "add_embedding.linear_1.weight", "emb_params", "clip_g", "clip_l", "a word",
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight",
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight", "first_stage_model.encoder.conv_in.weight",
    "first_stage_model.decoder.conv_in.weight", "encoder.conv_in.weight", "decoder.conv_in.weight",
    "3.conv.0.weight", "0.weight", "1.weight", "14.weight", "encoder.layers.0.weight", "decoder.layers.0.weight",
)  # fmt: skip
"""Names of tensors whose shapes show what a file is."""


@settings(deadline=None, max_examples=400)
@given(
    st.dictionaries(
        st.sampled_from(READ), st.lists(st.sampled_from([0, 1, 4, 9, 768, 2560]), max_size=4), min_size=1, max_size=4
    )
)
def test_whatever_shapes_a_header_has_there_is_a_kind(layout: dict[str, list[int]]) -> None:
    tensors = {name: TensorInfo(tuple(shape), "F16") for name, shape in layout.items()}
    for form in ("safetensors", "pickle", "gguf"):
        kind = of_table(TensorTable(form, tensors), Path("a.safetensors"))
        assert kind.title
        with contextlib.suppress(ModelError):
            require(kind, "a")


def test_no_shape_is_read_but_where_its_length_is_checked() -> None:
    """`TensorInfo.side` is 0 for an axis that a tensor has not; an index would be an error."""
    assert [TensorInfo((), "F16").side(axis) for axis in (0, 1, -1)] == [0, 0, 0]
    assert [TensorInfo((3, 5), "F16").side(axis) for axis in (0, 1, 2, -1, -2, -3)] == [3, 5, 0, 5, 3, 0]
    for path in Path(models.__file__).parent.glob("*.py"):
        held = [line for line in path.read_text().splitlines() if re.search(r"\.shape\[-?\d", line)]
        assert held == [], path


def test_a_folder_whose_configuration_is_nested_too_deeply_is_reported(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="is damaged"):
        detect(tmp_path)


# ---- pickles ----


class Run:
    """What an attacker puts into a pickle."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("form", ["zip", "old", "bare"])
@pytest.mark.parametrize("place", ["weights", "beside"])
def test_code_in_a_pickle_is_refused_and_not_run(form: str, place: str, tmp_path: Path) -> None:
    from overpaint.engines.diffusion.weights import read_tensors

    mark = tmp_path / "it ran"
    code = Run(f"touch '{mark}'")
    tensors: dict[str, Any] = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(8, 4, 3, 3)}
    held = {"state_dict": tensors | ({"x": code} if place == "weights" else {}), "callbacks": [code]}
    path = tmp_path / "model.ckpt"
    if form == "bare":
        path.write_bytes(pickle.dumps(held, protocol=2))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=form == "zip")
    for attempt in (
        lambda: detect(path),
        lambda: models.find(str(path), allow_pickle=True),
        lambda: read_tensors(path, allow_pickle=True),
    ):
        with pytest.raises(ModelError, match=r"would run \w+\.system: it was not loaded|was not loaded"):
            attempt()
    assert not mark.exists()


def test_an_archive_of_two_pickles_is_refused(tmp_path: Path) -> None:
    """Zip files may have a name twice, and readers differ in which one they take."""
    from overpaint.engines.diffusion.weights import read_tensors

    mark = tmp_path / "it ran"
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(2)}}, path)
    with zipfile.ZipFile(path) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    index = next(name for name, _ in files if name.endswith("data.pkl"))
    files.insert(0, (index, pickle.dumps(Run(f"touch '{mark}'"), protocol=2)))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in files:
            archive.writestr(name, data)
    with pytest.raises(ModelError, match="no checkpoint of torch"):
        read_tensors(path, allow_pickle=True)
    assert not mark.exists()


def test_old_and_new_pickles_give_the_same_table(tmp_path: Path) -> None:
    state = {"a.weight": torch.zeros(3, 4).half(), "b": torch.nn.Parameter(torch.zeros(2))}
    for new in (True, False):
        path = tmp_path / f"{new}.ckpt"
        torch.save({"state_dict": state, "global_step": 875_000}, path, _use_new_zipfile_serialization=new)
        table = read_table(path)
        assert dict(table.tensors) == {"a.weight": TensorInfo((3, 4), "F16"), "b": TensorInfo((2,), "F32")}
        assert table.numbers == {"global_step": 875_000}
        assert table.form == "pickle"


def test_a_training_program_s_classes_are_stood_in_for(tmp_path: Path) -> None:
    path = checkpoints.write_lightning(tmp_path / "a.ckpt", checkpoints.tensors(checkpoints.layout(TINY["sd1"])))
    assert read_table(path).numbers["global_step"] == 470_000
    assert detect(path).family == "sd1"
    assert detect(path).form == "pickle"


def test_a_textual_inversion_in_a_pickle_is_recognised(tmp_path: Path) -> None:
    held = {"string_to_token": {"*": 265}, "string_to_param": torch.nn.ParameterDict({"*": torch.zeros(4, 768)})}
    torch.save(held, tmp_path / "word.pt")
    assert (detect(tmp_path / "word.pt").what, detect(tmp_path / "word.pt").family) == ("embedding", "sd1")


def test_a_pickle_s_training_step_tells_what_it_predicts(tmp_path: Path) -> None:
    tensors = {name: TensorInfo(shape, "F32") for name, shape in checkpoints.layout(TINY["sd2"]).items()}
    kind = of_table(TensorTable("pickle", tensors, numbers={"global_step": 875_000}), tmp_path / "mine.ckpt")
    assert kind.prediction == "epsilon"


# ---- folders ----


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_a_folder_is_recognised_by_its_configurations(family: str, tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY[family], channels=9)
    folder = checkpoints.small_config(plan, tmp_path / "model")
    assert (detect(folder).family, detect(folder).channels, detect(folder).prediction) == (family, 9, "epsilon")
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({"_class_name": "LCMScheduler", "prediction_type": "v_prediction"}))
    assert (detect(folder).prediction, detect(folder).lcm) == ("v", True)
    scheduler.write_text("{")
    with pytest.raises(ModelError, match="is damaged: it is not JSON"):
        detect(folder)


@pytest.mark.parametrize("config", ['{"in_channels": null}', '{"in_channels": [4]}', "[" * 100_000])
def test_a_folder_with_a_damaged_configuration_is_no_checkpoint(config: str, tmp_path: Path) -> None:
    """It must not keep the others from being listed."""
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(config)
    with pytest.raises(ModelError):
        require(detect(tmp_path), "it")


@pytest.mark.parametrize(
    ("name", "what", "family", "config"),
    [
        ("AutoencoderKL", "vae", None, {}),
        ("AutoencoderTiny", "tiny-vae", None, {}),
        ("ControlNetModel", "controlnet", "sd1", {}),
        ("ControlNetModel", "controlnet", "sd2", {"use_linear_projection": True}),
        ("ControlNetUnionModel", "controlnet", "sdxl", {"addition_embed_type": "text_time"}),
        ("FluxControlNetModel", "controlnet", None, {}),
    ],
)
def test_a_part_s_folder_is_recognised(name: str, what: str, family: str | None, config: dict, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": name, **config}))
    kind = detect(tmp_path)
    assert (kind.what, kind.family, kind.union) == (what, family, 6 if "Union" in name else 0)


@pytest.mark.parametrize("file", ["config.json", "model_index.json"])
def test_a_class_that_is_not_known_is_quoted_and_short(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(json.dumps({"_class_name": "os.system" + "x" * 1000}))
    with pytest.raises(ModelError, match=r"a (network|pipeline) of the class 'os\.systemx+'") as caught:
        models.find(str(tmp_path) + "/")
    assert len(str(caught.value)) < 300
    assert " a a " not in detect(tmp_path).described


def test_a_kind_is_described_with_its_article() -> None:
    kinds = [
        models.Kind("checkpoint", "safetensors", family="sdxl"),
        models.Kind("eraser", "onnx", network="lama"),
        models.Kind("unet", "safetensors", family="sd1"),
        models.Kind("other", "folder", because="a pipeline"),
        models.Kind("other", "folder"),
    ]
    assert [one.described.partition(" ")[0] for one in kinds] == ["an", "an", "a", "a", "a"]


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        detect(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelError, match="a folder without a model"):
        models.find(str(tmp_path) + "/")

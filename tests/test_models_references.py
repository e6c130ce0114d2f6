"""IP-Adapters and picture encoders: recognised by their tensors, and found for a reference picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import adapters
from checkpoints import Layout
from overpaint import models
from overpaint.models import CATALOGUE, ModelError, detect, find_reference, store
from overpaint.models.reference_kinds import encoder_folder
from test_models_detect import header_only

ENCODER: Layout = {"vision_model.embeddings.class_embedding": (1280,), "visual_projection.weight": (1024, 1280)}
READS = {"plain": ("embeds", 1024), "plus": ("states", 1280), "full": ("states", 1280)}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, without_pocket: None) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OVERPAINT_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    (folder / "models").mkdir()
    return folder / "models"


def layout(form: str, context: int = 768) -> Layout:
    """The names of an adapter's tensors, and the shapes that show its kind as published ones have them."""
    shapes = {name: tuple(one.shape) for name, one in adapters.adapter([8], context, form).items()}
    read = {"plain": "proj.weight", "plus": "proj_in.weight", "full": "proj.0.weight"}[form]
    return shapes | {f"image_proj.{read}": (8, READS[form][1])}


def put(home: Path, name: str, held: Layout, licence: str = "") -> None:
    store.write_note(header_only(home / f"{name}.safetensors", held), models.ModelNote(licence=licence))


def refused(family: str, *given: str | None, **settings: bool) -> ModelError:
    with pytest.raises(ModelError) as caught:
        find_reference(family, *given, **settings)
    assert caught.value.field in ("controls", "model", "allow_pickle")
    return caught.value


@pytest.mark.parametrize("form", READS)
def test_an_adapter_is_recognised_with_its_family_and_what_it_reads(form: str, tmp_path: Path) -> None:
    for context, family in ((768, "sd1"), (2048, "sdxl"), (10, None)):
        kind = detect(header_only(tmp_path / "it.safetensors", layout(form, context)))
        assert (kind.what, kind.family, kind.vectors) == ("ip-adapter", family, (READS[form],))
    assert detect(header_only(tmp_path / "it.safetensors", layout(form))).title == (
        "Stable Diffusion 1.x IP-Adapter, fp16"
    )


def test_other_adapters_are_named_as_what_they_are(tmp_path: Path) -> None:
    faces: Layout = {"image_proj.proj.0.weight": (8, 512), "image_proj.norm.weight": (8,)}
    faces |= {"ip_adapter.1.to_k_ip.weight": (8, 768), "ip_adapter.0.to_k_lora.down.weight": (4, 8)}
    kind = detect(header_only(tmp_path / "it.safetensors", faces))
    assert (kind.what, "FaceID" in kind.because) == ("other", True)


def test_an_encoder_is_recognised_as_a_file_and_as_a_folder(tmp_path: Path) -> None:
    gives = (("embeds", 1024), ("states", 1280))
    kind = detect(header_only(tmp_path / "it.safetensors", ENCODER))
    assert (kind.what, kind.vectors, kind.title) == ("image-encoder", gives, "picture encoder (CLIP), fp16")
    config = {"model_type": "clip_vision_model", "projection_dim": 1024, "hidden_size": 1280}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert (detect(tmp_path).what, detect(tmp_path).vectors) == ("image-encoder", gives)
    text = ENCODER | {"text_model.embeddings.token_embedding.weight": (10, 768)}
    assert detect(header_only(tmp_path / "both.safetensors", text)).what == "text-encoder"
    with pytest.raises(ModelError, match="whole numbers"):
        encoder_folder(config | {"hidden_size": "wide"}, "it")


def test_a_pickle_is_recognised_and_needs_to_be_allowed(home: Path) -> None:
    import torch

    torch.save(adapters.nested(adapters.adapter([8], 768)), home / "ip-adapter.bin")
    kind = detect(home / "ip-adapter.bin")
    assert (kind.what, kind.form, kind.family) == ("ip-adapter", "pickle", "sd1")
    assert refused("sd1").code == refused("sd1", "ip-adapter").code == "pickle-refused"
    assert refused("sd1", allow_pickle=True).code == "image-encoder-missing"


def test_adapter_and_encoder_are_found_by_family_and_sizes(home: Path) -> None:
    put(home, "of-sd1", layout("plus"))
    put(home, "of-xl", layout("plain", 2048))
    put(home, "vit-h", ENCODER)
    put(home, "other", ENCODER | {"visual_projection.weight": (512, 768)})
    for family, adapter in (("sd1", "of-sd1"), ("sdxl", "of-xl")):
        found = find_reference(family)
        assert (found.adapter.name, found.encoder.name, found.named) == (adapter, "vit-h", True)
    put(home, "second", ENCODER)
    error = refused("sd1")
    assert (error.code, "encoder" in error.hint) == ("control-ambiguous", True)
    assert find_reference("sd1", None, "second").encoder.name == "second"
    assert refused("sd1", None, "other").code == "image-encoder-other"
    assert refused("sd1", None, "of-xl").code == "model-other-task"


def test_the_folder_beside_the_adapter_comes_first(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", str(tmp_path))
    header_only(tmp_path / "mine.safetensors", layout("plain"))
    put(home, "vit-h", ENCODER)
    (tmp_path / "image_encoder").mkdir()
    config = {"model_type": "clip_vision_model", "projection_dim": 1024, "hidden_size": 1280}
    (tmp_path / "image_encoder" / "config.json").write_text(json.dumps(config))
    found = find_reference("sd1")
    assert (found.encoder.path, found.named) == (tmp_path / "image_encoder", False)
    (tmp_path / "image_encoder" / "config.json").write_text(json.dumps(config | {"projection_dim": 512}))
    assert find_reference("sd1").encoder.name == "vit-h"


def test_what_can_not_be_used_is_one_error_that_says_what_to_do(home: Path) -> None:
    error = refused("sd1")
    assert (error.code, error.value) == ("control-missing", "reference")
    assert "ip-adapter-plus-sd15" in error.hint
    assert "can be downloaded" not in refused("sd2").hint + refused("sd1", published=False).hint
    put(home, "one", layout("plain"))
    error = refused("sd1")
    assert (error.code, error.value) == ("image-encoder-missing", "clip-vision-h")
    assert "one vector of 1024 numbers" in str(error)
    put(home, "vit-h", ENCODER)
    assert refused("sdxl", "one").code == "control-family"
    assert refused("sd1", "vit-h").code == "model-other-task"
    assert refused("sd1", "ip-adapter-sd15").code == "model-not-downloaded"
    put(home, "two", layout("plus"))
    assert refused("sd1").code == "control-ambiguous"
    put(home, "three", layout("plus", 2048), "CC BY-NC 4.0 (non-commercial)")
    assert refused("sdxl").code == "licence-not-accepted"
    terms = models.licence_terms("three")
    assert terms is not None
    day = models.accept(terms)
    assert find_reference("sdxl").adapter.accepted == day


def test_the_catalogue_s_fit_each_other() -> None:
    rows = {row.name: row for row in CATALOGUE if row.what in ("ip-adapter", "image-encoder")}
    assert {row.family for row in rows.values() if row.what == "ip-adapter"} == {"sd1", "sdxl"}
    assert {"clip-vision-h", "clip-vision-g"} == {row.name for row in rows.values() if row.what == "image-encoder"}

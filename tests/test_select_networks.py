"""Selectors that run networks: ours and transformers' own calls agree on small random networks of published layouts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import overpaint
import word_networks
from overpaint.errors import MaskError, ModelError, RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import from_array
from overpaint.select import SelectorHints, select, selector_for, used_networks
from overpaint.select.cache import shared
from overpaint.select.grounding import each_once, phrase
from overpaint.select.networks import release
from overpaint.select.prepare import InputForm
from overpaint.select.seen import SeenPicture

pytest.importorskip("transformers", reason="the extra select is not installed")


def pixels(height: int = 60, width: int = 90, seed: int = 0) -> np.ndarray:
    """A red disc on a blue ground, with noise."""
    down, across = np.mgrid[:height, :width]
    found = np.random.default_rng(seed).integers(0, 40, (height, width, 3)).astype(np.uint8)
    found[..., 2] += 120
    found[(across - 30) ** 2 + (down - 30) ** 2 < 18**2] = (220, 30, 30)
    return found


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one network of each kind in its store."""
    home = tmp_path_factory.mktemp("home")
    word_networks.clipseg_folder(home / "models" / "small-clipseg")
    word_networks.grounding_folder(home / "models" / "small-grounding")
    word_networks.segformer_folder(home / "models" / "small-segformer")
    word_networks.cutout_file(home / "models" / "small-cutout.onnx")
    yield home
    release()
    shared.clear()


@pytest.fixture
def store(networks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store with one network of each kind."""
    monkeypatch.setenv("OVERPAINT_HOME", str(networks))
    return networks / "models"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with nothing in it."""
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def processed(name: str, module: str, folder: Path, image: np.ndarray) -> torch.Tensor:
    """What transformers' own preprocessing gives, in the form that needs no torchvision."""
    import importlib

    kind = getattr(importlib.import_module(f"transformers.models.{module}"), name)
    return kind.from_pretrained(folder)(images=Image.fromarray(image), return_tensors="pt")["pixel_values"]


def ours(form: InputForm, image: np.ndarray) -> torch.Tensor:
    return form.tensor(SeenPicture.of(from_array(image)))


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (130, 70), (40, 200)])
def test_pictures_are_prepared_as_transformers_prepares_them(store, size):
    image = pixels(*size)
    own = InputForm(size=None, shortest=64, longest=96)
    theirs = processed(
        "GroundingDinoImageProcessorPil",
        "grounding_dino.image_processing_pil_grounding_dino",
        store / "small-grounding",
        image,
    )
    assert ours(own, image).shape == theirs.shape
    assert (ours(own, image) - theirs).abs().max() < 2.1 / 255 / 0.22
    square = InputForm(size=None).read(store / "small-clipseg")
    theirs = processed("ViTImageProcessorPil", "vit.image_processing_pil_vit", store / "small-clipseg", image)
    assert ours(square, image).shape == theirs.shape
    assert (ours(square, image) - theirs).abs().max() < 2.1 / 255 / 0.25


def test_clipseg_gives_the_mask_of_transformers_own_call(store):
    from transformers import CLIPSegForImageSegmentation, CLIPTokenizer

    image = pixels()
    network = word_networks.loaded(CLIPSegForImageSegmentation, store / "small-clipseg")
    read = CLIPTokenizer.from_pretrained(store / "small-clipseg")(["the red box"], return_tensors="pt")
    seen = ours(InputForm(size=None).read(store / "small-clipseg"), image)
    with torch.inference_mode():
        logits = network(pixel_values=seen, **read).logits.reshape(1, 1, 64, 64)
        likely = torch.nn.functional.interpolate(logits.sigmoid(), (60, 90), mode="bilinear")[0, 0].numpy()
    line = float(np.quantile(likely, 0.7))
    assert np.ptp(likely) > 1e-4
    (found,) = select(
        from_array(image), "clipseg", SelectorHints(text="the red box", options={"threshold": line, "refine": False})
    )
    assert (np.asarray(found.mask.core) != (likely >= line)).mean() < 0.002
    assert found.label == "the red box"
    assert found.mask.notes == ("found by CLIPSeg (small-clipseg)",)
    assert found.score == pytest.approx(likely[likely >= line].mean(), abs=1e-3)


def test_clipseg_looks_at_a_picture_once_for_several_texts(store, monkeypatch):
    from overpaint.select.clipseg import ClipSegNetwork

    picture, looks = from_array(pixels(seed=5)), []
    layers = ClipSegNetwork._layers
    monkeypatch.setattr(ClipSegNetwork, "_layers", lambda self, seen: looks.append(1) or layers(self, seen))
    for text in ("red", "blue", "red"):
        select(picture, "clipseg", SelectorHints(text=text, options={"threshold": 0.01}))
    assert len(looks) == 1


def test_words_that_are_not_there_select_nothing_and_say_what_to_try(store):
    hints = SelectorHints(text="red", options={"threshold": 0.999})
    with pytest.raises(MaskError, match="lower the threshold") as caught:
        select(from_array(pixels()), "clipseg", hints)
    assert caught.value.code == "nothing-selected"


def test_grounding_gives_the_boxes_of_transformers_own_call(store):
    from transformers import BertTokenizer, GroundingDinoForObjectDetection

    from overpaint.select.grounding import GroundingNetwork
    from overpaint.select.networks import named_network

    image = pixels()
    model = word_networks.loaded(GroundingDinoForObjectDetection, store / "small-grounding")
    read = BertTokenizer.from_pretrained(store / "small-grounding")(["the red car."], return_tensors="pt")
    with torch.inference_mode():
        given = model(pixel_values=ours(InputForm(None, 64, 96), image), **read)
    scores = given.logits[0].sigmoid().amax(dim=-1)
    order = scores.argsort(descending=True, stable=True)
    wanted = each_once([(given.pred_boxes[0, at].tolist(), float(scores[at])) for at in order], Size(90, 60))
    network = GroundingNetwork.load(named_network("small-grounding"))
    found = network.boxes(SeenPicture.of(from_array(image)), "The  red car", 0.0)
    assert [one.box for one in found] == [one.box for one in wanted]
    assert [one.score for one in found] == pytest.approx([one.score for one in wanted], abs=1e-5)


def test_boxes_of_words_become_a_mask_each(store, monkeypatch):
    from overpaint.select.grounding import FoundBox, GroundingNetwork

    boxes = (FoundBox(Box(8, 8, 52, 52), 0.9), FoundBox(Box(60, 5, 80, 20), 0.5))
    monkeypatch.setattr(GroundingNetwork, "boxes", lambda *_: boxes)
    image = from_array(pixels())
    found = select(image, "grounding", SelectorHints(text="red things", options={"masks": "grabcut"}))
    assert (found[0].score, found[0].label) == (0.9, "red things")
    assert found[0].mask.bounds == Box(13, 13, 48, 48)
    assert found[0].mask.notes == ("found by Grounding DINO (small-grounding), masks by GrabCut",)
    inside = SelectorHints(text="red things!", boxes=(Box(50, 0, 90, 60),), options={"masks": "grabcut"})
    assert [one.score for one in select(image, "grounding", inside)] == [0.5]


def test_a_phrase_is_written_as_the_network_learned_them():
    assert phrase("  The Red  Car. ") == "the red car."


def test_a_thing_that_is_found_twice_counts_once():
    size = Size(100, 50)
    found = each_once(
        [
            ((0.5, 0.5, 0.4, 0.4), 0.9),
            ((0.51, 0.5, 0.4, 0.4), 0.8),
            ((0.1, 0.1, 0.1, 0.1), 0.7),
            ((2, 2, 0.1, 0.1), 0.6),
        ],
        size,
    )
    assert [one.score for one in found] == [0.9, 0.7]
    assert found[0].box == Box(30, 15, 70, 35)


def test_classes_are_those_of_transformers_own_call(store):
    from transformers import SegformerForSemanticSegmentation

    image = pixels()
    network = word_networks.loaded(SegformerForSemanticSegmentation, store / "small-segformer")
    form = InputForm(size=None).read(store / "small-segformer")
    with torch.inference_mode():
        logits = network(pixel_values=ours(form, image)).logits
        wanted = torch.nn.functional.interpolate(logits, (60, 90), mode="bilinear")[0].argmax(dim=0).numpy()
    names = overpaint.select.class_names()
    numbers = [number for number in np.unique(wanted) if (wanted == number).sum() > 30][:4]
    assert len(numbers) > 1
    text = ", ".join(names[number] for number in numbers)
    found = select(from_array(image), "classes", SelectorHints(text=text, options={"refine": False}))
    assert [one.label for one in found] == [names[number] for number in numbers]
    for one, number in zip(found, numbers, strict=True):
        assert (np.asarray(one.mask.core) != (wanted == number)).mean() < 0.002
        (alone,) = select(from_array(image), names[number].upper(), SelectorHints(options={"refine": False}))
        assert np.array_equal(alone.mask.values, one.mask.values)
        assert "SegFormer (small-segformer)" in alone.mask.notes[0]


def test_an_unknown_class_is_told_with_the_one_that_is_meant(store):
    with pytest.raises(RequestError, match="did you mean 'swimming pool'") as caught:
        select(from_array(pixels()), "classes", SelectorHints(text="swiming pool"))
    assert caught.value.code == "class-unknown"
    with pytest.raises(RequestError, match="did you mean 'person'"):
        select(from_array(pixels()), "persn")


def test_a_network_with_other_classes_has_its_own_names(store, tmp_path, monkeypatch):
    labels = ["road, street", "car", "sky"]
    word_networks.segformer_folder(tmp_path / "city", labels)
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", str(tmp_path))
    with pytest.raises(RequestError, match="classes are road, street, car, sky"):
        select(from_array(pixels()), "classes", SelectorHints(text="tree", options={"model": "city"}))


def test_a_network_cuts_out_the_subject_where_one_is_here(store):
    image = pixels()
    wanted = (image == (220, 30, 30)).all(axis=2)
    (found,) = select(from_array(image), "subject")
    assert (np.asarray(found.mask.core) & wanted).sum() / (np.asarray(found.mask.core) | wanted).sum() > 0.85
    assert found.mask.notes == ("found by BiRefNet (small-cutout)",)
    assert (found.label, found.mask.hard) == ("subject", True)
    (others,) = select(from_array(image), "background")
    assert np.array_equal(others.mask.values, 1 - found.mask.values)
    (soft,) = select(from_array(image), "subject", SelectorHints(options={"soft": True}))
    assert ((soft.mask.values > 0) & (soft.mask.values < 1)).sum() > 0
    (plain,) = select(from_array(image), "subject", SelectorHints(options={"by": "colours"}))
    assert plain.mask.notes == ()
    assert used_networks("subject", SelectorHints(options={"by": "colours"})) == ()


@pytest.mark.parametrize(("logits", "half", "side"), [(False, False, 32), (True, True, 48), (True, False, None)])
def test_exports_of_a_cut_out_differ_in_form_and_give_the_same(empty, monkeypatch, logits, half, side):
    monkeypatch.setattr("overpaint.select.birefnet.SIDE", 64)
    word_networks.cutout_file(empty / "cut.onnx", logits=logits, half=half, side=side)
    image = pixels()
    (found,) = select(from_array(image), "subject", SelectorHints(options={"by": "network"}))
    wanted = (image == (220, 30, 30)).all(axis=2)
    assert (np.asarray(found.mask.core) & wanted).sum() / (np.asarray(found.mask.core) | wanted).sum() > 0.85


def test_every_selection_names_its_networks_by_digest(store):
    from overpaint.models import digest

    for name, text, model in (
        ("clipseg", "red", "small-clipseg"),
        ("classes", "sky", "small-segformer"),
        ("sky", "", "small-segformer"),
        ("subject", "", "small-cutout.onnx"),
    ):
        (used,) = used_networks(name, SelectorHints(text=text))
        assert (used.role, used.sha256) == ("selector", digest(store / model))
    used = used_networks("grounding", SelectorHints(text="red", options={"masks": "grabcut"}))
    assert [one.name for one in used] == ["small-grounding"]


def test_the_best_that_is_here_understands_words(networks, empty):
    hints = SelectorHints(text="the red car")
    with pytest.raises(ModelError) as caught:
        selector_for(hints)
    assert caught.value.code == "words-need-model"
    (empty / "seg").symlink_to(networks / "models" / "small-clipseg")
    assert selector_for(hints) == "clipseg"
    (empty / "dino").symlink_to(networks / "models" / "small-grounding")
    assert selector_for(hints) == "grounding"


def test_a_class_is_found_by_words_where_no_network_for_classes_is_here(networks, empty):
    image = from_array(pixels())
    with pytest.raises(ModelError) as caught:
        select(image, "sky")
    assert (caught.value.code, caught.value.value) == ("model-not-downloaded", "segformer-b0-ade")
    (empty / "seg").symlink_to(networks / "models" / "small-clipseg")
    (found,) = select(image, "sky", SelectorHints(boxes=(Box(0, 0, 90, 60),)))
    assert (found.label, found.mask.notes) == ("sky", ("found by CLIPSeg (seg)",))


@pytest.mark.parametrize("file", ["model.safetensors", "merges.txt", "preprocessor_config.json", "config.json"])
def test_a_folder_that_is_cut_short_gives_one_clear_error(networks, empty, file):
    import shutil

    shutil.copytree(networks / "models" / "small-clipseg", empty / "cut")
    whole = (empty / "cut" / file).read_bytes()
    (empty / "cut" / file).unlink()
    if file != "merges.txt":
        (empty / "cut" / file).write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ModelError) as caught:
        select(from_array(pixels()), "clipseg", SelectorHints(text="red", options={"model": "cut"}))
    assert "cut" in str(caught.value)


@pytest.mark.parametrize(
    "hostile",
    [
        {"backbone_config": None, "backbone": "someone/else", "use_timm_backbone": False},  # transformers asks the hub
        {"attn_implementation": "someone/kernel"},  # compiled code of the hub
        {"text_config": {"model_type": "bert", "_attn_implementation": {"": "flash_attention_2"}}},
        {"auto_map": {"AutoModel": "code.Model"}},
        {"backbone_config": {"model_type": "bert", "auto_map": {"AutoBackbone": "someone/else--code.Model"}}},
        {"backbone_config": {"model_type": "timm_wrapper", "architecture": "hf-hub:someone/else"}},
        {"configuration_files": ["other.json"]},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
    ],
    ids=lambda one: "-".join(one),
)
def test_a_folder_that_names_code_or_what_is_elsewhere_runs_and_fetches_nothing(networks, empty, monkeypatch, hostile):
    """Otherwise transformers asks the hub for it, asks the user to run its code, or loads compiled code."""
    import builtins
    import shutil
    import socket

    folder = empty / "hostile"
    shutil.copytree(networks / "models" / "small-grounding", folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **hostile}))
    tried: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **how: tried.append(where))
    monkeypatch.setattr(builtins, "input", lambda *words: tried.append(words) or "y")
    with pytest.raises(ModelError) as caught:
        select(from_array(pixels()), "grounding", SelectorHints(text="red", options={"model": "hostile"}))
    assert (caught.value.code, caught.value.value) == ("model-not-self-contained", "hostile")
    assert tried == []


def test_a_network_of_another_kind_is_refused(store):
    with pytest.raises(ModelError, match="needs CLIPSeg, and small-segformer is a") as caught:
        select(from_array(pixels()), "clipseg", SelectorHints(text="red", options={"model": "small-segformer"}))
    assert caught.value.code == "model-other-task"


def test_names_of_networks_are_no_paths(store, monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path))
    path = str(store / "small-clipseg")
    with pytest.raises(ModelError):
        select(from_array(pixels()), "clipseg", SelectorHints(text="red", options={"model": path}))


@pytest.mark.parametrize("cell", [12, 24, 60])
def test_refining_moves_a_mask_to_the_picture_s_own_edges(cell):
    """A mask of large cells gets the red disc's own outline, with windows of any size."""
    from overpaint.select.prepare import edged

    image = np.kron(pixels(60, 90), np.ones((8, 8, 1), np.uint8))[:480, :720]
    red = (image == (220, 30, 30)).all(axis=2)
    rough = np.kron(red.reshape(480 // cell, cell, 720 // cell, cell).mean(axis=(1, 3)) > 0.5, np.ones((cell, cell)))
    found = edged(SeenPicture.of(from_array(image)), rough.astype(bool), cell)

    def overlap(one: np.ndarray) -> float:
        return float((one & red).sum() / (one | red).sum())

    assert overlap(found) > 0.97
    assert overlap(found) > overlap(rough.astype(bool))


def test_a_network_of_the_sam_family_makes_the_masks_of_boxes_where_one_is_here(networks, empty, monkeypatch):
    import sam_networks
    from overpaint.select.grounding import FoundBox, GroundingNetwork

    sam_networks.saved("sam2", empty / "small-sam")
    (empty / "dino").symlink_to(networks / "models" / "small-grounding")
    boxes = (FoundBox(Box(8, 8, 52, 52), 0.9), FoundBox(Box(40, 5, 80, 50), 0.5))
    monkeypatch.setattr(GroundingNetwork, "boxes", lambda *_: boxes)
    image = from_array(pixels())
    hints = SelectorHints(text="two red things")
    found = select(image, "grounding", hints)
    assert {one.mask.notes for one in found} == {("found by Grounding DINO (dino), masks by SAM 2 (small-sam)",)}
    alone = [select(image, "sam", SelectorHints(boxes=(one.box,)))[0] for one in boxes]
    assert [one.score for one in found] == [0.9, 0.5]
    for one, wanted in zip(found, alone, strict=True):
        assert np.array_equal(one.mask.values, wanted.mask.values)
    assert [one.name for one in used_networks("grounding", hints)] == ["dino", "small-sam"]


def test_a_server_selects_by_networks_in_a_process_of_its_own(store, tmp_path):
    """The picture is anyone's, so that it is decoded and looked at there, within limits of time and memory."""
    from overpaint.client import Client
    from servers import running

    image = pixels()
    with running(tmp_path / "data") as server, Client(server.url) as client:
        picture = client.upload(image)
        (found,) = client.selections(picture, text="the red box", masks="grabcut", least=0.01)[:1]
        assert found.notes[0].startswith("found by Grounding DINO (small-grounding)")
        (subject,) = client.selections(picture, "subject")
        assert subject.notes == ("found by BiRefNet (small-cutout)",)
        with pytest.raises(ModelError, match="no model is called"):
            client.selections(picture, "clipseg", text="red", model=str(store / "small-clipseg"))


@pytest.mark.parametrize(
    ("words", "part", "models"),
    [
        (["--select-text", "red", "--select", "clipseg"], ("clipseg", {"model": "small-clipseg"}), ["small-clipseg"]),
        (["--select", "subject"], ("subject", {"model": "small-cutout"}), ["small-cutout"]),
        (["--select", "subject", "--select-option", "by=colours"], ("subject", {"by": "colours"}), []),
        (
            ["--select-text", "red", "--select-option", "least=0.01"],
            ("grounding", {"model": "small-grounding", "masks": "grabcut", "least": 0.01}),
            ["small-grounding"],
        ),
    ],
)
def test_an_edit_records_the_networks_that_selected_and_is_replayed_with_them(
    store, tmp_path, monkeypatch, capsys, words, part, models
):
    from overpaint.cli import main
    from overpaint.models import digest
    from overpaint.record import read_record

    monkeypatch.chdir(tmp_path)
    Image.fromarray(pixels()).save("photo.png")
    assert main(["remove", "photo.png", *words, "--engine", "telea", "-o", "out.png"]) == 0
    resolved = read_record("out.png").record.resolved
    (found,) = resolved.mask.parts
    assert (found.selector, found.options) == part
    assert [(one.role, one.name) for one in resolved.models] == [("selector", name) for name in models]
    for one in resolved.models:
        files = [path for path in store.iterdir() if path.stem == one.name]
        assert one.sha256 == digest(files[0])
    assert main(["replay", "out.png", "--image", "photo.png"]) == 0
    if models and part[0] == "subject":
        word_networks.cutout_file(tmp_path / "home" / "models" / "small-cutout.onnx", side=48)
        monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
        capsys.readouterr()
        assert main(["replay", "out.png", "--image", "photo.png"]) != 0
        assert "small-cutout" in "".join(capsys.readouterr())


def test_rows_of_a_batch_are_done_again_where_another_network_selects(empty, tmp_path, monkeypatch, capsys):
    from overpaint.cli import main

    def done() -> tuple[int, int]:
        assert main(["batch", "rows.jsonl", "-o", "out"]) == 0
        ended = json.loads(capsys.readouterr().out.splitlines()[-1])
        return ended["done"], ended["unchanged"]

    monkeypatch.chdir(tmp_path)
    Image.fromarray(pixels()).save("photo.png")
    row = {"image": "photo.png", "intent": "remove", "engine": "telea", "select": "subject"}
    Path("rows.jsonl").write_text(json.dumps(row))
    assert [done(), done()] == [(1, 0), (0, 1)]
    word_networks.cutout_file(empty / "cutout.onnx")
    assert [done(), done()] == [(1, 0), (0, 1)], "it finds the subject from now on"
    word_networks.cutout_file(empty / "cutout.onnx", logits=False)
    assert [done(), done()] == [(1, 0), (0, 1)], "its weights have changed"


def test_a_class_that_words_found_is_found_by_the_same_network_again(networks, empty, tmp_path, monkeypatch):
    from overpaint.cli import main
    from overpaint.record import read_record

    monkeypatch.chdir(tmp_path)
    Image.fromarray(pixels()).save("photo.png")
    (empty / "seg").symlink_to(networks / "models" / "small-clipseg")
    assert main(["remove", "photo.png", "--select", "sky", "--engine", "telea", "-o", "out.png"]) == 0
    (found,) = read_record("out.png").record.resolved.mask.parts
    assert (found.selector, found.options) == ("sky", {"model": "seg"})
    (empty / "small-segformer").symlink_to(networks / "models" / "small-segformer")
    assert main(["replay", "out.png", "--image", "photo.png"]) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "memory-short",
        ),
        (RuntimeError("sizes do not match"), "engine-failed"),
    ],
)
def test_a_network_that_fails_gives_one_error_of_the_house(store, monkeypatch, error, code):
    from overpaint.errors import EngineError
    from overpaint.select.clipseg import ClipSegNetwork

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(ClipSegNetwork, "logits", fail)
    with pytest.raises(EngineError, match="the selector 'clipseg'") as caught:
        select(from_array(pixels()), "clipseg", SelectorHints(text="red"))
    assert caught.value.code == code


def test_tiny_and_long_pictures_are_selected_in_too(store):
    for size in ((1, 1), (1, 300), (3, 2), (40, 1200)):
        image = from_array(np.full((*size, 3), 90, np.uint8))
        for name, text in (("clipseg", "red"), ("classes", "sky"), ("subject", "")):
            try:
                found = select(image, name, SelectorHints(text=text))
            except MaskError as error:
                assert error.code == "nothing-selected"  # noqa: PT017 - either is right
            else:
                assert all(one.mask.size == image.size for one in found)


def test_weights_of_a_licence_of_their_own_select_once_it_is_accepted(networks, empty):
    from overpaint.models import accept, licence_terms

    image = from_array(pixels())
    (empty / "segformer-b0-ade").symlink_to(networks / "models" / "small-segformer")
    with pytest.raises(ModelError) as caught:
        select(image, "classes", SelectorHints(text="sky"))
    assert (caught.value.code, caught.value.value) == ("licence-not-accepted", "segformer-b0-ade")
    accept(licence_terms("segformer-b0-ade"))
    (used,) = used_networks("classes", SelectorHints(text="sky"))
    assert used.accepted
    assert "NVIDIA" in used.licence

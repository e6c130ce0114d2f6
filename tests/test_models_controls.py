"""The ControlNet of a control: the one that is named, or the one here whose name fits its kind and family."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import checkpoints
from checkpoints import TINY, Layout
from overpaint import models
from overpaint.models import CATALOGUE, CONTROL_KINDS, ModelError, find_control, store
from overpaint.models.controls import reads
from test_models_detect import header_only

UNION: Layout = {"controlnet_down_blocks.0.bias": (8,), "add_embedding.linear_1.weight": (8, 8)}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, without_pocket: None) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OVERPAINT_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    (folder / "models").mkdir()
    return folder / "models"


def put(home: Path, *names: str, family: str = "sd1", kinds: int = 0, licence: str = "") -> None:
    """ControlNets of these names in the store, as headers without weights."""
    layout = UNION | {"task_embedding": (kinds, 8)} if kinds else checkpoints.control(TINY[family])
    for name in names:
        store.write_note(header_only(home / f"{name}.safetensors", layout), models.ModelNote(licence=licence))


def refused(*given: str, **settings: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        find_control(*given, **settings)
    assert caught.value.field in ("controls", "model", "allow_pickle")
    return caught.value


def test_the_one_for_a_kind_and_a_family_is_found_by_its_name(home: Path) -> None:
    put(home, "control_v11p_sd15_canny", "control_v11f1p_sd15_depth", "control_v11p_sd15s2_lineart_anime")
    put(home, "control_v11p_sd15_lineart", "t2i_of_another_kind")
    put(home, "controlnet-sd21-canny", family="sd2")
    put(home, "controlnet-canny-sdxl", family="sdxl")
    found = {kind: find_control(kind, "sd1").name for kind in ("canny", "depth", "lineart", "lineart_anime")}
    assert found == {
        "canny": "control_v11p_sd15_canny",
        "depth": "control_v11f1p_sd15_depth",
        "lineart": "control_v11p_sd15_lineart",
        "lineart_anime": "control_v11p_sd15s2_lineart_anime",
    }
    assert find_control("canny", "sd2").name == "controlnet-sd21-canny"
    ref = find_control("anything", "sd1", "t2i_of_another_kind")
    assert (ref.kind.what, ref.kind.family, ref.path) == ("controlnet", "sd1", home / "t2i_of_another_kind.safetensors")


def test_a_union_one_stands_in_for_the_kinds_that_it_knows(home: Path) -> None:
    put(home, "mine", kinds=6)
    assert find_control("scribble", "sdxl").name == "mine"
    assert refused("tile", "sdxl").code == "control-missing"  # the seventh
    assert refused("shuffle", "sdxl").code == "control-missing"
    error = refused("tile", "sdxl", "mine")
    assert (error.code, error.value) == ("control-unsupported", "tile")
    assert "it knows canny, lineart" in error.hint
    put(home, "larger", kinds=8)
    assert find_control("tile", "sdxl").name == "larger"
    put(home, "xl-canny", family="sdxl")
    assert find_control("canny", "sdxl").name == "xl-canny"


def test_what_can_not_be_chosen_is_one_error_that_says_what_to_do(home: Path) -> None:
    error = refused("canny", "sd1")
    assert (error.code, error.value) == ("control-missing", "canny")
    assert "'controlnet-canny-sd15' can be downloaded" in error.hint
    assert "'controlnet-union-sdxl' can be downloaded" in refused("canny", "sdxl").hint
    assert "can be downloaded" not in refused("something", "sd1").hint
    assert refused("canny", "sd1", published=False).hint.endswith("name another checkpoint")
    put(home, "one-canny", "other-canny")
    error = refused("canny", "sd1")
    assert error.code == "control-ambiguous"
    assert "one-canny, other-canny" in str(error)
    assert "one-canny" in refused("depth", "sd1").hint
    assert refused("canny", "sd2", "one-canny").code == "control-family"
    assert refused("canny", "sd1", "nothing").code == "model-unknown"
    assert refused("canny", "sd1", "controlnet-canny-sd15").code == "model-not-downloaded"
    assert refused("canny", "sd1", str(home / "one-canny.safetensors")).code == "model-unknown"  # a path
    header_only(home / "photo.safetensors", checkpoints.layout(TINY["sd1"]))
    assert refused("canny", "sd1", "photo").code == "model-other-task"


def test_licences_and_pickles_are_asked_for_as_with_other_models(home: Path) -> None:
    put(home, "nc-canny", licence="CC BY-NC 4.0 (non-commercial)")
    assert refused("canny", "sd1").code == refused("canny", "sd1", "nc-canny").code == "licence-not-accepted"
    put(home, "free-canny", licence="MIT")
    ref = find_control("canny", "sd1")
    assert (ref.name, ref.licence) == ("free-canny", "MIT")
    terms = models.licence_terms("nc-canny")
    assert terms is not None
    day = models.accept(terms)
    assert find_control("canny", "sd1", "nc-canny").accepted == day

    import torch

    tensors = checkpoints.tensors(checkpoints.control(TINY["sd1"]))
    torch.save(tensors, home / "pickled-depth.pth")
    assert refused("depth", "sd1").code == refused("depth", "sd1", "pickled-depth").code == "pickle-refused"
    assert find_control("depth", "sd1", allow_pickle=True).allow_pickle


def test_the_page_has_every_kind() -> None:
    page = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| [\w, ]+ \| (\d|not) \|$", page, re.MULTILINE))
    numbers = {kind: one.number for kind, one in CONTROL_KINDS.items()}
    assert rows == {kind: "not" if number is None else str(number) for kind, number in numbers.items()}


def test_the_catalogue_s_are_found_by_their_own_names() -> None:
    rows = [row for row in CATALOGUE if row.what == "controlnet"]
    assert {row.family for row in rows} == {"sd1", "sdxl"}
    for row in rows:
        if "union" not in row.name:
            assert [kind for kind in CONTROL_KINDS if reads(row.hub, kind)] == [
                kind for kind in CONTROL_KINDS if reads(row.name, kind)
            ]
            assert sum(reads(row.hub, kind) for kind in CONTROL_KINDS) == 1

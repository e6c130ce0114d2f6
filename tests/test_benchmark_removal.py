"""The removal set knows its truth, peers that are missing are named, and a seam is measured as one sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import fill, peers
from benchmarks.contenders import contenders, start
from benchmarks.cutouts import MARGIN, Pasting, scene
from benchmarks.dataset import Case, LoadedCase, context_box
from benchmarks.metrics import seam
from benchmarks.networks import SHARED
from benchmarks.removal import KINDS, LONG_SIDE, RemovalCase, removals
from benchmarks.segmenter import Segmenter
from PIL import Image

from overpaint.engines import registry
from overpaint.errors import EngineError, MissingExtraError
from overpaint.geometry import Box

PHOTOS = SHARED / "photos" / "eval"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos are not here")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), dtype=np.uint8)


def square(shape: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(shape, bool)
    hole[30:70, 30:70] = True
    return hole


# The scene.


@pytest.fixture
def pasting(tmp_path: Path) -> Pasting:
    """A red disc on a blue photo."""
    rows, columns = np.mgrid[:80, :100]
    disc = np.hypot(rows - 40, columns - 50) < 30
    Image.fromarray(np.where(disc[..., None], (255, 0, 0), (0, 0, 255)).astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(disc.astype(np.uint8) * 255).save(tmp_path / "m.png")
    return Pasting(tmp_path / "a.png", tmp_path / "m.png", Box(40, 30, 80, 70), mirrored=False, shadow=None)


def test_nothing_of_a_pasted_object_is_outside_its_hole_and_nothing_of_its_old_background_inside(pasting):
    clean = np.full((120, 140, 3), 128, np.uint8)
    made = scene(clean, pasting)
    assert np.array_equal(made.pixels[~made.hole], clean[~made.hole])
    assert np.array_equal(made.truth, clean)
    middle = made.pixels[50, 60]
    assert tuple(middle) == (255, 0, 0)
    assert (made.pixels[..., 2] <= 128).all(), "blue is the object's old background"
    changed = (made.pixels != clean).any(axis=2)
    rows = np.flatnonzero(changed.any(axis=1))
    assert rows[0] - np.flatnonzero(made.hole.any(axis=1))[0] == MARGIN


def test_a_contact_shadow_is_soft_and_reaches_beyond_the_mask(pasting):
    clean = np.full((120, 140, 3), 128, np.uint8)
    made = scene(clean, replace(pasting, shadow=0.3))
    outside = clean[~made.hole].astype(int) - made.pixels[~made.hole]
    assert (outside >= 0).all()
    assert outside.max() > 20
    assert len(np.unique(outside)) > 10
    assert np.array_equal(made.hole, scene(clean, pasting).hole)


@needs_photos
def test_a_seed_gives_the_same_removals_and_another_seed_others(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    net = Segmenter(SHARED / "nets" / Segmenter.file)

    def places(seed: int, kinds: tuple[str, ...] = KINDS) -> list[RemovalCase]:
        return removals(PHOTOS, net, tmp_path, kinds=kinds, seed=seed, limit=2)

    first = places(0)
    assert [case.kind for case in first] == [*KINDS, *KINDS]
    assert first == places(0)
    assert {case.key for case in first}.isdisjoint(case.key for case in places(1))
    for case in first:
        loaded = case.load()
        assert max(loaded.pixels.shape[:2]) <= LONG_SIDE
        assert 0.03 < loaded.hole.mean() < 0.2
        assert (case.pasting.shadow is not None) == (case.kind == "shadow")
        changed = (loaded.pixels != loaded.truth).any(axis=2)
        assert changed[~loaded.hole].any() == (case.kind == "shadow")
    with pytest.raises(ValueError, match="removal, shadow"):
        places(0, ("removal", "box"))


@needs_photos
def test_removals_are_judged_against_the_clean_photo(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    asked = ["--kinds", "removal", "--engines", "telea", "--focus", "telea", "--limit", "2", "--direct"]
    assert fill.main([*asked, "--out", str(tmp_path)]) == 0
    table = (tmp_path / "table.md").read_text("utf-8")
    untouched = next(line for line in table.splitlines() if line.startswith("| untouched"))
    assert untouched.count("0.00 [0.00, 0.00]") == 2, "the clean photo has no distance from itself, for both judges"
    assert "minus it, ADE" in table


# Peers.


def test_missing_peers_are_named_with_what_installs_them_and_the_others_go_on(monkeypatch):
    absent = {name: replace(peer, version=lambda: None) for name, peer in peers.PEERS.items()}
    monkeypatch.setattr("benchmarks.contenders.PEERS", absent)
    found, missing = contenders(["telea", "peers"])
    assert [one.label for one in found] == ["telea", "untouched"]
    assert [line.split(" ")[0] for line in missing] == list(peers.PEERS)
    assert all("not installed" in line and "install " in line for line in missing)


@pytest.mark.parametrize("name", list(peers.PEERS))
def test_a_peer_fills_the_hole_and_nothing_far_from_it(name):
    if peers.PEERS[name].version() is None:
        pytest.skip(peers.missing(name))
    pixels, hole = noise(100, 120), square((100, 120))
    (contender, _), _ = contenders([name])
    filled = start(contender).fill(Case("x", "box", Path(), Path(), ""), LoadedCase(pixels, hole, context_box(hole)))
    assert filled.shape == pixels.shape
    assert (filled[hole] != pixels[hole]).any()
    far = np.ones_like(hole)
    far[20:80, 20:80] = False
    assert np.array_equal(filled[far], pixels[far])


def test_a_peer_that_fails_is_an_error_of_its_name(monkeypatch):
    def fails(pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        raise RuntimeError("no memory")

    broken = replace(peers.PEERS["gmic"], version=lambda: "1", fill=fails)
    monkeypatch.setattr("benchmarks.contenders.PEERS", {"gmic": broken})
    (contender, _), _ = contenders(["gmic"])
    with pytest.raises(EngineError, match=r"inpaint_matchpatch failed: no memory"):
        start(contender)


def test_a_registered_engine_whose_package_is_missing_is_named_and_left_out(monkeypatch):
    create = registry.create

    def without_blur(name: str, *given: object) -> object:
        if name == "blur":
            raise MissingExtraError.of("blur", "blur")
        return create(name, *given)

    monkeypatch.setattr(registry, "create", without_blur)
    found, missing = contenders(direct=True)
    assert "blur" not in {one.label for one in found}
    assert any(line.startswith("blur: ") and "pip install" in line for line in missing)


# The seam.


def test_a_fill_like_its_surroundings_has_no_seam():
    assert abs(seam(noise(100, 100), square((100, 100)))) < 0.05


def test_a_step_of_brightness_and_a_flat_fill_in_texture_have_one():
    hole = square((100, 100))
    brighter, flat = noise(100, 100).astype(int), noise(100, 100)
    brighter[hole] += 50
    flat[hole] = 130
    assert seam(brighter.astype(np.uint8), hole) > 0.2
    assert 0.2 < seam(flat, hole) < 0.8


def test_a_hole_without_a_border_has_no_seam():
    assert seam(noise(8, 8), np.ones((8, 8), bool)) == 0

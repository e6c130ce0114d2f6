"""Claims about the machinery of the patch-based fill, module by module."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overpaint.exemplar.coherence import Matches
from overpaint.exemplar.features import Basis, gathered, inside, touching
from overpaint.exemplar.fill import fill
from overpaint.exemplar.holes import parts
from overpaint.exemplar.joining import StepLimits, edge_of, joined, seam_steps
from overpaint.exemplar.palette import Palette
from overpaint.exemplar.preference import alike, foreignness, sideways
from overpaint.exemplar.pyramid import Level, doubled, halved
from overpaint.exemplar.scale import vote_weights
from overpaint.exemplar.search import Quantiser
from overpaint.exemplar.settings import FillSettings
from overpaint.exemplar.sites import Sites
from overpaint.exemplar.smooth import Steps, blurred, membrane
from overpaint.exemplar.vote import voted
from overpaint.geometry import Box

flags = hnp.arrays(bool, st.tuples(st.integers(1, 60), st.integers(1, 60)))


def random_flags(shape: tuple[int, int], share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@given(
    shape=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    share=st.floats(0, 0.2),
    seed=st.integers(0, 999),
    margin=st.integers(0, 20),
    apart=st.integers(1, 40),
)
@settings(deadline=None, max_examples=60)
def test_parts_share_out_the_hole(shape, share, seed, margin, apart):
    """Every pixel of the hole is in exactly one part, and every window lies in the picture and shows a known pixel."""
    hole = random_flags(shape, share, seed) & random_flags(shape, 0.3, seed + 1)
    known = ~hole
    covered = np.zeros(shape, int)
    for part in parts(hole, known, lambda box: margin, apart):
        assert Box(0, 0, shape[1], shape[0]).contains(part.window)
        covered[part.window.slices] += part.hole
        assert known[part.window.slices].any() or not known.any()
    assert np.array_equal(covered, hole.astype(int))


def test_distant_parts_have_small_windows_and_near_ones_are_one():
    hole = np.zeros((500, 2000), bool)
    hole[10:20, 10:20] = hole[10:20, 24:30] = hole[480:490, 1900:1910] = True
    found = list(parts(hole, ~hole, lambda box: 8, apart=16))
    assert sorted(part.window.area for part in found) == [26 * 26, 26 * 36]


def test_a_window_grows_until_it_shows_something_known():
    hole = np.zeros((100, 100), bool)
    hole[40:50, 40:50] = True
    known = np.zeros((100, 100), bool)
    known[0, 0] = True
    (part,) = parts(hole, known, lambda box: 2, apart=4)
    assert known[part.window.slices].any()


@given(known=flags, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_smooth_fills_keep_known_pixels_and_stay_within_its_range(known, seed):
    pixels = np.random.default_rng(seed).random((*known.shape, 3), dtype=np.float32)
    pixels[~known] = np.nan
    for smooth in (blurred, membrane):
        filled = smooth(pixels, known)
        assert np.array_equal(filled[known], pixels[known])
        assert np.isfinite(filled).all()
        if known.any():
            assert filled.min() >= pixels[known].min() - 1e-5
            assert filled.max() <= pixels[known].max() + 1e-5


def test_a_membrane_continues_a_ramp_and_a_blur_does_not():
    y, x = np.mgrid[:90, :130].astype(np.float32)
    pixels = np.stack([x / 130, y / 90, (x - y) / 300], axis=-1)
    known = np.ones((90, 130), bool)
    known[20:60, 30:100] = False
    hung, run = (np.abs(fill(pixels, known) - pixels).max() for fill in (membrane, blurred))
    assert hung < 0.04
    assert run > 2 * hung


@given(flagged=flags, radius=st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_inside_and_touching_are_what_they_say(flagged, radius):
    height, width = flagged.shape
    whole, some = inside(flagged, radius), touching(flagged, radius)
    for y in range(height):
        for x in range(width):
            fits = radius <= y < height - radius and radius <= x < width - radius
            patch = flagged[y - radius : y + radius + 1, x - radius : x + radius + 1]
            assert whole[y, x] == (fits and bool(patch.all()))
            assert some[y, x] == (fits and bool(patch.any()))


def test_distances_in_the_components_space_are_those_of_the_patches():
    channels = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32)
    centres = np.flatnonzero(inside(np.ones((40, 50), bool), 2).ravel())
    basis = Basis.of(channels, centres, 2, dims=75)
    vectors, patches = basis.project(channels, centres), gathered(channels, centres, 2)
    i, j = np.random.default_rng(1).integers(0, len(centres), (2, 200))
    np.testing.assert_allclose(
        ((vectors[i] - vectors[j]) ** 2).sum(axis=1), ((patches[i] - patches[j]) ** 2).sum(axis=1), rtol=1e-3, atol=1e-4
    )


def test_distances_with_edges_are_those_of_colours_and_gradients():
    channels = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32)
    centres = np.flatnonzero(inside(np.ones((40, 50), bool), 2).ravel())
    vectors = Basis.of(channels, centres, 2, dims=75, edges=1.5).project(channels, centres)
    squares = gathered(channels, centres, 2).reshape(-1, 5, 5, 3)
    i, j = np.random.default_rng(1).integers(0, len(centres), (2, 200))
    apart = squares[i] - squares[j]
    parts_apart = (apart, 1.5 * np.diff(apart, axis=1), 1.5 * np.diff(apart, axis=2))
    true = sum((part**2).sum(axis=(1, 2, 3)) for part in parts_apart)
    np.testing.assert_allclose(((vectors[i] - vectors[j]) ** 2).sum(axis=1), true, rtol=1e-3, atol=1e-4)


def test_a_gathered_patch_is_the_square_around_its_centre():
    channels = np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)
    (patch,) = gathered(channels, np.array([7 * 30 + 11]), 3)
    assert np.array_equal(patch, channels[4:11, 8:15].ravel())


def test_search_through_all_cells_is_exact_and_through_few_is_nearly_so():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 8)).astype(np.float32)
    queries = rng.normal(size=(300, 8)).astype(np.float32)
    true = ((queries[:, None] - vectors[None]) ** 2).sum(axis=2)
    quantiser = Quantiser(vectors, np.random.default_rng(1))
    every = quantiser.nearest(queries, 10_000, lambda: None)
    assert np.array_equal(every, true.argmin(axis=1))
    few = quantiser.nearest(queries, 4, lambda: None)
    assert np.median(true[np.arange(300), few] / true.min(axis=1)) < 1.3


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_search_among_few_or_equal_vectors(count):
    vectors = np.ones((count, 4), np.float32)
    found = Quantiser(vectors, np.random.default_rng(0)).nearest(np.zeros((7, 4), np.float32), 3, lambda: None)
    assert ((found >= 0) & (found < count)).all()


def test_halving_never_lets_unknown_colours_in():
    pixels = np.full((31, 44, 3), 0.25, np.float32)
    target = np.zeros((31, 44), bool)
    target[9:20, 11:30] = True
    pixels[target] = 1e6
    coarse = halved(Level(pixels, ~target, target))
    assert coarse.pixels[coarse.known].max() == pytest.approx(0.25)
    assert not (coarse.known & coarse.target).any()
    assert coarse.known.shape == (16, 22)


def test_a_hole_closes_from_scale_to_scale():
    """A cell that shows anything of the picture is not filled; it is compared with, but never copied."""
    target = np.zeros((32, 32), bool)
    target[9:22, 9:22] = True
    coarse = halved(Level(np.full((32, 32, 3), 0.25, np.float32), ~target, target))
    assert coarse.target.sum() == 6 * 6
    edge = ~coarse.known & ~coarse.target
    assert edge.sum() == 7 * 7 - 6 * 6
    np.testing.assert_allclose(coarse.pixels[edge], 0.25)
    whole = halved(Level(np.full((32, 32, 3), 0.25, np.float32), ~target, target), closing=False)
    assert whole.target.sum() == 7 * 7


@given(height=st.integers(1, 33), width=st.integers(1, 33))
@settings(deadline=None, max_examples=30)
def test_doubling_returns_the_requested_shape(height, width):
    level = Level(
        np.full((height, width, 3), 0.5, np.float32), np.ones((height, width), bool), np.zeros((height, width), bool)
    )
    wide = doubled(halved(level).pixels, (height, width))
    assert wide.shape == (height, width, 3)
    np.testing.assert_allclose(wide, 0.5, atol=1e-6)


def test_coherence_offers_the_neighbours_source_shifted():
    """One good match in a periodic picture is enough: its neighbours take the pixels beside its source."""
    y, x = np.mgrid[:40, :60]
    pixels = ((np.sin(x) + np.cos(1.7 * y)) / 4 + 0.5)[..., None].repeat(3, axis=2).astype(np.float32)
    target = np.zeros((40, 60), bool)
    target[15:22, 25:32] = True
    sites = Sites.of(Level(pixels, ~target, target), 2, 10_000)
    basis = Basis.of(pixels, sites.sources, 2, 12)
    table, queries = basis.project(pixels, sites.sources), basis.project(pixels, sites.centres)
    matches = Matches(sites, queries, table)
    middle = int(sites.patch_at[sites.padded(np.array([18 * 60 + 28]))][0])
    source = int(((table - queries[middle]) ** 2).sum(axis=1).argmin())
    matches.offer(np.array([middle]), np.array([source]))
    matches.cohere(favour=0.0, rounds=4, check=lambda: None)
    moved = sites.centres[middle] - sites.sources[source]
    around = [sites.step(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    near = sites.patch_at[sites.padded(np.array([18 * 60 + 28])) + around]
    assert (sites.centres[near] - sites.sources[matches.rows[near]] == moved).all()


def test_only_the_nearest_sources_are_kept():
    target = np.zeros((60, 200), bool)
    target[20:40, 20:40] = True
    level = Level(np.zeros((60, 200, 3), np.float32), ~target, target)
    sites = Sites.of(level, 3, 1000)
    assert len(sites.sources) == 1000
    assert (sites.sources % 200).max() < 80


def test_a_pixel_is_the_copy_that_most_patches_agree_on():
    """Patches left of the middle copy 20 pixels from the right, the others 20 from the left, one heavy one 15 up."""
    pixels = np.random.default_rng(0).random((60, 80, 3), dtype=np.float32)
    target = np.zeros((60, 80), bool)
    target[26:36, 36:46] = True
    sites = Sites.of(Level(pixels, ~target, target), 2, 10_000)
    moves = np.where(sites.centres % 80 < 40, 20, -20)
    middle = int(sites.patch_at[sites.padded(np.array([31 * 80 + 41]))][0])
    moves[middle] = -15 * 80
    weights = np.ones(len(moves), np.float32)
    weights[middle] = 3
    rows = sites.row_at[sites.centres + moves]
    shifts = np.zeros((len(moves), 3), np.float32)
    colours, copies = voted(pixels, sites, sites.places, rows, weights, shifts, lambda: None)
    wanted = np.where(sites.places % 80 < 40, sites.places + 20, sites.places - 20)
    np.testing.assert_array_equal(copies, wanted)
    np.testing.assert_allclose(colours, pixels.reshape(-1, 3)[wanted], atol=1e-6)


def test_votes_deep_in_a_hole_count_by_their_match_as_at_its_edge():
    depth, difference = np.float32([1, 1, 300, 300]), np.float32([0, 3, 0, 3])
    edge_good, edge_poor, deep_good, deep_poor = vote_weights(depth, difference, 1.3)
    assert deep_good / deep_poor == pytest.approx(edge_good / edge_poor) == pytest.approx(np.exp(3))
    assert deep_good < edge_poor
    assert (vote_weights(np.float32([1000]), np.float32([1e4]), 1.3) > 0).all()


def test_a_pixel_without_any_vote_is_no_nan():
    """On a chequerboard of votes a pixel may be covered by patches of the other colour alone."""
    pixels = np.full((5, 80, 3), 0.25, np.float32)
    target = np.zeros((5, 80), bool)
    target[:, :20] = True
    sites = Sites.of(Level(pixels, ~target, target), 2, 10_000)
    rows, ones = np.zeros(len(sites.centres), np.intp), np.ones(len(sites.centres), np.float32)
    shifts = np.full((len(rows), 3), 0.5, np.float32)
    colours, _ = voted(pixels, sites, sites.places, rows, ones, shifts, lambda: None, every_second=True)
    np.testing.assert_allclose(colours[sites.places == 0], 0.75)
    np.testing.assert_allclose(colours[sites.places == 80], 0.25)  # below it: in the corner's only patch, at odd places


def test_a_mixed_vote_is_the_mode_of_the_colours():
    """Nine votes in ten are for dark sources of two close colours, one for a bright source."""
    pixels = np.full((60, 80, 3), 0.2, np.float32)
    pixels[::2] = 0.24
    pixels[:, 60:] = 0.9
    target = np.zeros((60, 80), bool)
    target[26:36, 36:46] = True
    sites = Sites.of(Level(pixels, ~target, target), 2, 10_000)
    moves = np.where(np.arange(len(sites.centres)) % 10 == 0, 30, -25)
    rows = sites.row_at[sites.centres + moves]
    shifts = np.zeros((len(moves), 3), np.float32)
    weights = np.where(moves == 30, np.float32(0.5), np.float32(1))
    colours, _ = voted(pixels, sites, sites.places, rows, weights, shifts, lambda: None, mixed=True)
    assert colours.min() > 0.199
    assert colours.max() < 0.241


def test_joining_removes_the_step_along_the_edge_and_keeps_the_texture():
    rough = np.random.default_rng(0).normal(0.5, 0.05, (60, 60, 1)).repeat(3, axis=2).astype(np.float32)
    target = np.zeros((60, 60), bool)
    target[20:40, 20:40] = True
    darker = np.where(target[..., None], rough - np.float32(0.06), rough)
    edge = edge_of(target)
    none = Steps(np.zeros((21, 22, 3), np.float32), np.zeros((22, 21, 3), np.float32))
    corrected = joined(darker, target, edge, np.full((len(edge), 3), 0.06, np.float32), none)
    np.testing.assert_allclose(corrected, rough, atol=1e-3)
    assert np.array_equal(corrected[~target], rough[~target])


@pytest.mark.parametrize(
    ("grain", "step", "limits", "left"),
    [
        pytest.param(0.01, 0.06, StepLimits(), 0, id="a small step goes"),
        pytest.param(0.01, 0.2, StepLimits(), 0.05, id="a larger one in a sky goes"),
        pytest.param(0.06, 0.2, StepLimits(), 0.15, id="in texture it stays"),
        pytest.param(0.01, 0.8, StepLimits(), 0.8, id="things keep their border"),
        pytest.param(0.01, 0.8, None, 0, id="at a coarse scale they do not"),
        pytest.param(0.06, 0.1, None, 0.1, id="at a coarse scale a step that texture hides stays"),
    ],
)
def test_pieces_of_two_brightnesses_meet_without_a_step(grain, step, limits, left):
    """A ramp's hole is filled by two pieces, the one darker than the ramp and the other brighter."""
    rough = np.random.default_rng(0).normal(0, grain, (200, 60, 1)).repeat(3, axis=2)
    pixels = (np.linspace(0.3, 0.5, 60)[None, :, None] + rough).astype(np.float32)
    target = np.zeros((200, 60), bool)
    target[10:70, 20:40] = True
    places = np.flatnonzero(target.ravel())
    darker = places % 60 < 30
    copies = places + np.where(darker, 65, 125) * 60
    filled = pixels.copy()
    filled.reshape(-1, 3)[places] = pixels.reshape(-1, 3)[copies] + np.where(darker, -step / 2, step / 2)[:, None]
    edge = edge_of(target)
    steps = seam_steps(filled, Level(pixels, ~target, target), copies, Palette.of(pixels, ~target), limits)
    corrected = joined(filled, target, edge, np.zeros((len(edge), 3), np.float32), steps)[15:65]
    assert float((corrected[:, 30] - corrected[:, 29]).mean()) == pytest.approx(left, abs=0.09)


def test_a_step_goes_where_the_picture_ends_beside_the_sources():
    """Of two pieces the left one's source ends at the picture's right border, the right one's at the left border."""
    pixels = np.full((40, 60, 3), 0.5, np.float32)
    pixels[:, :30] = 0.4
    target = np.zeros((40, 60), bool)
    target[10:30, 20:40] = True
    places = np.flatnonzero(target.ravel())
    copies = places + np.where(places % 60 < 30, 30, -30)
    filled = pixels.copy()
    filled.reshape(-1, 3)[places] = pixels.reshape(-1, 3)[copies]
    edge = edge_of(target)
    none = np.zeros((len(edge), 3), np.float32)
    steps = seam_steps(filled, Level(pixels, ~target, target), copies, Palette.of(pixels, ~target))
    corrected = joined(filled, target, edge, none, steps)
    assert np.abs(np.diff(filled[12:28, 22:38], axis=1)).max() > 0.09
    assert np.abs(np.diff(corrected[12:28, 22:38], axis=1)).max() < 0.03


def test_a_palette_knows_how_far_a_colour_is_from_the_pictures():
    """A picture of two colours, with one pixel between them as along an edge."""
    one, other = np.array([0.25, 0.25, 0.25], np.float32), np.array([0.75, 0.25, 0.25], np.float32)
    pixels = np.where(np.arange(60)[None, :, None] < 30, one, other) * np.ones((40, 1, 1), np.float32)
    pixels[20, 30] = (one + other) / 2
    known = np.ones((40, 60), bool)
    known[:5] = False
    pixels[:5] = 1.0
    palette = Palette.of(pixels, known)
    colours = np.stack([one, other, one + np.float32(2 / 32), (one + other) / 2, np.ones(3, np.float32)])
    assert palette.share(colours, 0.02).tolist() == pytest.approx([1, 1, 0, 0, 0], abs=0.01)
    assert palette.share(colours, 1.0).min() > 0.99
    assert palette.share(colours[3:4], 0.25)[0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("shape", [(40, 50), (41, 53)])
def test_a_membrane_with_steps_is_the_picture_that_has_them(shape):
    """Known at its border alone, a picture of two ramps with a step between them comes back from its differences."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    whole = (0.3 + 0.004 * x + np.where(x < 23, 0, 0.1 + 0.002 * y)).astype(np.float32)[..., None]
    known = np.ones(shape, bool)
    known[1:-1, 1:-1] = False
    steps = Steps(np.diff(whole, axis=0), np.diff(whole, axis=1))
    np.testing.assert_allclose(membrane(whole * known[..., None], known, steps=steps), whole, atol=0.01)
    assert np.abs(membrane(whole * known[..., None], known) - whole).max() > 0.03


def test_what_is_avoided_is_alike_where_it_has_the_look_of_what_is_known():
    """Known lawn beside a box of lawn with a red ball; the ball's edge has no look of its own side."""
    pixels = np.float32([0.2, 0.5, 0.2]) + np.random.default_rng(0).normal(0, 0.02, (40, 60, 3)).astype(np.float32)
    pixels[15:25, 40:50] = (0.9, 0.1, 0.1)
    known = np.zeros((40, 60), bool)
    known[:, :30] = True
    found = alike(pixels, known, ~known, radius=3)
    assert not found[:, :30].any()
    assert found[:10, 30:].mean() > 0.95
    assert not found[14:26, 39:51].any()
    assert not alike(pixels, np.zeros_like(known), ~known, radius=3).any()


def test_a_source_is_foreign_where_nothing_along_the_hole_looks_like_it():
    pixels = np.full((60, 100, 3), 0.4, np.float32)
    pixels[:, 80:] = (0.9, 0.1, 0.1)
    target = np.zeros((60, 100), bool)
    target[20:40, 20:40] = True
    level = Level(pixels, ~target, target)
    sites = Sites.of(level, 2, 10_000)
    foreign, column = foreignness(level, sites, 3), sites.sources % 100
    assert foreign[column < 70].max() < 0.01
    assert foreign[column > 85].min() > 0.4
    aside = sideways(level, sites, 0.0)
    assert aside[column > 60].max() < 0.3
    assert aside[column < 10].min() > 0.7


def test_the_same_seed_gives_the_same_pixels_with_any_number_of_threads():
    pixels = np.random.default_rng(0).random((90, 120, 3), dtype=np.float32)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 1.5)
    target = np.zeros((90, 120), bool)
    target[30:60, 40:80] = True

    def filled() -> np.ndarray:
        return fill(pixels, ~target, target, FillSettings(variety=0.2), 3).pixels

    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = filled()
        cv2.setNumThreads(4)
        with ThreadPoolExecutor(3) as pool:
            together = [job.result() for job in [pool.submit(filled) for _ in range(3)]]
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(alone, one) for one in together)


def test_matches_tell_a_good_fill_from_a_poor_one():
    _, x = np.mgrid[:90, :120]
    stripes = np.where((x // 6) % 2, 0.7, 0.3)[..., None].repeat(3, axis=2).astype(np.float32)
    noise = np.random.default_rng(0).random((90, 120, 3), dtype=np.float32)
    target = np.zeros((90, 120), bool)
    target[30:60, 40:80] = True
    regular, random = (fill(picture, ~target, target, FillSettings(), 0).match for picture in (stripes, noise))
    assert regular is not None
    assert random is not None
    assert regular < 0.1 * random


THREADS = """
from concurrent.futures import ThreadPoolExecutor
from overpaint.exemplar.blas import libraries, one_thread

def threads():
    return {library["num_threads"] for library in libraries().info()}

print(threads())
with one_thread():
    print(threads())
    with one_thread():
        pass
    print(threads())
print(threads())

def limited(_):
    with one_thread():
        return threads()

with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
    print(*first.map(limited, range(2)), *second.map(limited, range(2)), threads(), sep="\\n")
"""


def test_matrix_products_get_their_threads_back():
    """The number of threads is a property of the whole process: it is lent, and given back when the last one leaves.

    In a process of its own, where no engine of another test uses the library meanwhile.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=True)
    before, inside_both, inside_one, after, *elsewhere, at_last = ran.stdout.split()
    assert (inside_both, inside_one, after) == ("{1}", "{1}", before)
    assert elsewhere == ["{1}"] * 4, "a thread of another engine sets the limit too"
    assert at_last == before

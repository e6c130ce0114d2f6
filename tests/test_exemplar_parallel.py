"""Threads of a fill: the same pixels with any number, errors and cancellation, and none that is left behind."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from overpaint.errors import Cancelled
from overpaint.exemplar.fill import fill
from overpaint.exemplar.parallel import parallel, pieces, usable_threads
from overpaint.exemplar.settings import FillCallbacks, FillSettings
from overpaint.studio import Studio


def scene(height: int = 200, width: int = 260) -> tuple[np.ndarray, np.ndarray]:
    """Smooth noise, and a hole that is large enough for several parts of every step."""
    pixels = cv2.GaussianBlur(np.random.default_rng(0).random((height, width, 3), dtype=np.float32), (0, 0), 1.5)
    target = np.zeros((height, width), bool)
    target[30 : height - 30, 60 : width - 60] = True
    return pixels, target


def fill_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("overpaint-fill")]


def test_pixels_do_not_depend_on_the_number_of_threads():
    pixels, target = scene()
    alone, *shared = (
        fill(pixels, ~target, target, FillSettings(lattice_above=2000), 3, threads=threads) for threads in (1, 2, 3)
    )
    for other in shared:
        assert np.array_equal(alone.pixels, other.pixels)
        assert alone.match == other.match
    assert not fill_threads()


def test_progress_is_reported_in_the_callers_thread_and_rises():
    pixels, target = scene(120, 160)
    seen: list[tuple[threading.Thread, float]] = []
    callbacks = FillCallbacks(lambda fraction: seen.append((threading.current_thread(), fraction)))
    fill(pixels, ~target, target, FillSettings(), 3, callbacks, threads=3)
    fractions = [fraction for _, fraction in seen]
    assert {thread for thread, _ in seen} == {threading.current_thread()}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_a_cancelled_fill_ends_promptly_and_leaves_no_thread():
    pixels, target = scene(500, 700)
    began: list[float] = []

    def check() -> None:
        if not began and fill_threads():
            began.append(time.monotonic())
        if began:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        fill(pixels, ~target, target, FillSettings(), 3, FillCallbacks(check=check), threads=3)
    assert time.monotonic() - began[0] < 5
    assert not fill_threads()


def test_an_error_in_a_thread_is_raised_and_stops_the_others():
    done: list[int] = []
    caller, elsewhere = threading.get_ident(), threading.Event()

    def work(part: int) -> None:
        if threading.get_ident() == caller:  # the other thread fails while this one works
            assert elsewhere.wait(10)
            done.append(part)
        else:
            elsewhere.set()
            raise ValueError("in a thread")

    with pytest.raises(ValueError, match="in a thread"), parallel(2) as shared:
        shared.each(work, range(1000))
    assert len(done) < 1000
    assert not fill_threads()


def test_parts_may_be_shared_again():
    """A part that shares its own work never waits for a thread that has not begun."""
    found = np.zeros((8, 50), int)

    def row(part: int) -> None:
        def cell(column: int) -> None:
            found[part, column] += 1

        shared.each(cell, range(50))

    with parallel(3) as shared:
        shared.each(row, range(8))
    assert (found == 1).all()


@pytest.mark.parametrize("count", [0, 1, 2, 503, 504, 505, 506, 1009, 5000])
def test_no_piece_but_a_whole_block_is_a_single_row(count):
    cut = list(pieces(slice(7, 7 + count), 504))
    assert [row for piece in cut for row in range(piece.start, piece.stop)] == list(range(7, 7 + count))
    assert count == 1 or all(piece.stop - piece.start > 1 for piece in cut)


def test_a_studio_gives_its_engines_their_share():
    with Studio(threads=3) as studio:
        assert studio.engine("exemplar").threads == 3
    assert usable_threads(3) == 3
    assert usable_threads(None) >= 1

"""A selector that understands words, for tests of the doors: no network is needed for those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overpaint.doors.reading import readers
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.select import Selection, SelectorCard, SelectorHints, registry

COLOURS = {"red": 0, "green": 1, "blue": 2}


class ColourWords:
    """Finds "the red car" as the pixels in which red is the strongest channel by far; one selection a phrase."""

    here = True
    card = SelectorCard(
        name="colour-words",
        title="what has the colour that the words name",
        takes=frozenset({"text", "boxes"}),
        needs=frozenset({"text"}),
        tip="name a colour",
        digest="colour-words-1",
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        channel = next((one for word, one in COLOURS.items() if word in hints.text.casefold()), None)
        if channel is None:
            return []
        others = np.delete(picture.samples[..., :3], channel, axis=2).max(axis=2).astype(int)
        found = picture.samples[..., channel] > others + 60
        mask = Mask(found.astype(np.float32), ("found by colour-words",))
        return [Selection(mask, 0.8, hints.text)] if found.any() else []


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the selector installed, as another package brings it: here, and in processes that read for this one."""
    about = folder / "packages" / "colour_words-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: colour-words\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[overpaint.selectors]\ncolour-words = worded:ColourWords\n")
    monkeypatch.syspath_prepend(str(about.parent))
    forgotten()


def forgotten() -> None:
    """Have the selectors that are installed looked up anew."""
    registry._others.cache_clear()
    registry.selector.cache_clear()
    readers.close()

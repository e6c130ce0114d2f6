"""What is said of a watermark in a file that was written."""

from __future__ import annotations

from collections.abc import Iterator

from overpaint.picture import Picture
from overpaint.record import WatermarkChoice, found_watermark


def watermark_notes(written: Picture, choice: WatermarkChoice, changed: int, largest: int) -> Iterator[str]:
    """What a person should know of a watermark in a file.

    Args:
        written: The picture that a reader of the file finds.
        choice: The watermark.
        changed: Pixels that differ from the original though no edit touched them.
        largest: The largest such difference, in levels of the file.
    """
    if choice.area == "whole" and not changed:
        yield f"the watermark {choice.name} may be in the whole picture; no pixel that the edit did not touch differs"
    elif choice.area == "whole":
        levels = "1 level" if largest == 1 else f"{largest} levels"
        yield (
            f"the watermark {choice.name} is in the whole picture: {changed:,} pixels that the edit did not touch "
            f"differ from the original's by up to {levels}"
        )
    found = found_watermark(written, choice.name)
    if found is None or found.payload != choice.payload:
        yield f"the watermark {choice.name} did not survive in this file: its own detector does not find it"

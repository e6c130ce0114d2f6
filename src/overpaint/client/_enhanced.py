"""A picture that a server enlarged, or whose faces it restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from overpaint.errors import ServerError
from overpaint.picture import Picture, open_picture
from overpaint.record import Record, read_record
from overpaint.studio import EnhanceSettings, FinishedPicture, finished_enhancement, pixel_digest
from overpaint.studio.enhance import EnhanceVerb
from overpaint.studio.saving import SavableResult

from ._values import ResultFile


@dataclass(frozen=True, eq=False)
class ServedEnhancement(SavableResult):
    """A picture that a server made better as a whole. It is saved as `overpaint.studio.Enhanced` is.

    Attributes:
        original: The picture as opened.
        picture: The result, with all that the original is beside its pixels.
        record: How it was made, as the server wrote it down; the input is named by its own file.
        served: What the server says of its file.
        verb: What was done.
    """

    original: Picture
    picture: Picture
    record: Record
    served: ResultFile
    verb: EnhanceVerb

    @property
    def notes(self) -> tuple[str, ...]:
        """For people."""
        return tuple(self.record.notes)

    @property
    def finished(self) -> FinishedPicture:
        """The result as it is written into files."""
        return finished_enhancement(self.original, self.picture, lambda: self.record, self.verb)


def served_enhancement(
    data: bytes, served: ResultFile, original: Picture, settings: EnhanceSettings
) -> ServedEnhancement:
    """The result from its file, which is without loss and has its record.

    Raises:
        ServerError: The file has no record, or another size or kind than the settings give.
    """
    written = open_picture(data)
    found = read_record(written)
    if found is None or found.record is None:
        raise ServerError("the result holds no record of how it was made", code="result-foreign", value=served.picture)
    size = settings.size_of(original.size)
    if (written.size, written.mode) != (size, original.mode):
        message = f"the result is {written.size} {written.mode}, and should be {size} {original.mode}"
        raise ServerError(message, code="result-foreign", value=served.picture)
    picture = original.with_pixels(written.samples, written.alpha)
    source = original.source
    named: dict[str, Any] = {
        "input_sha256": source.sha256,
        "input_name": source.path.name if source.path else None,
        "pixels_sha256": pixel_digest(picture),
        "marks": None,
        "timings": dict(served.timings),
    }
    return ServedEnhancement(original, picture, found.record.model_copy(update=named), served, settings.verb)

"""`overpaint.json` in a checkpoint's folder: the settings that its maker recommends. Every key is optional.

{"schema": 1, "steps": 20, "guidance_scale": 4, "sampler": "DDIM", "scheduler": "SGM Uniform", "native": 256}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from overpaint.errors import ModelError, RequestError
from overpaint.request import Intent, Usual
from overpaint.values import Listed

from .detect import read_json

FILE = "overpaint.json"

Word = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\s\d]+$")]

Side = Annotated[int, Field(ge=8, le=16_384, multiple_of=8)]


class Hints(Usual):
    """The content of the file: usual settings (see `Usual`), and sizes in pixels.

    Attributes:
        native: Side of the pictures that it was trained on.
        minimum: Shortest side that it takes.
        maximum: Side of the largest square that it takes; other shapes may have as many pixels.
        words: The things that it paints recognisably, in singular or plural, and colours; None: too many to list.
        intents: What it does well enough to be used where nobody named it; None: everything.
    """

    schema_: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    native: Side | None = None
    minimum: Side | None = None
    maximum: Side | None = None
    words: Listed[tuple[Word, ...] | None] = None
    intents: Listed[tuple[Intent, ...] | None] = None

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        sides = [side for side in (self.minimum, self.native, self.maximum) if side is not None]
        if sides != sorted(sides):
            raise RequestError(f"minimum, native and maximum must not descend, as {sides} do")
        return self

    @property
    def usual(self) -> Usual:
        """The settings alone."""
        return Usual(**{name: getattr(self, name) for name in Usual.model_fields})


def read_hints(path: Path) -> Hints:
    """The hints in a checkpoint's folder; empty for a single file or a folder without `overpaint.json`.

    Raises:
        ModelError: It is not JSON, has an unknown key, or a value out of its range.
    """
    file = path / FILE
    if not file.is_file():
        return Hints()
    table = read_json(file)
    try:
        return Hints(**table)
    except RequestError as error:
        raise ModelError(f"{file}: {error}") from error

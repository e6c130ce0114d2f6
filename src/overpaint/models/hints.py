"""`overpaint.json` in a checkpoint's folder: how its maker would have it used. Every key is optional, none is unknown.

{"schema": 1, "steps": 20, "guidance_scale": 4, "sampler": "DDIM", "scheduler": "SGM Uniform", "native": 256}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from overpaint.errors import ModelError, RequestError
from overpaint.request import Usual

from .detect import read_json

FILE = "overpaint.json"

Side = Annotated[int, Field(ge=8, le=16_384, multiple_of=8)]


class Hints(Usual):
    """What the file says: usual settings (see `Usual`), and sizes in pixels.

    Attributes:
        native: The side that it was trained at.
        minimum: The shortest side that it takes.
        maximum: The side of the largest square that it takes; other shapes may have as many pixels.
    """

    schema_: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    native: Side | None = None
    minimum: Side | None = None
    maximum: Side | None = None

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
    """What the folder of a checkpoint says; a single file, or a folder without `overpaint.json`, says nothing.

    Raises:
        ModelError: It is no JSON, has a key that is not known, or a value out of its range.
    """
    file = path / FILE
    if not file.is_file():
        return Hints()
    table = read_json(file)
    try:
        return Hints(**table)
    except RequestError as error:
        raise ModelError(f"{file}: {error}") from error

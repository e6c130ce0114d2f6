"""Control images: what guides an engine beside its prompt (edges, depth, a pose, a reference)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from overpaint.errors import RequestError, did_you_mean
from overpaint.values import Value

from ._blob import Blob, eight_bit
from ._options import option_table
from ._types import Fraction, Name

ControlMode = Literal["balanced", "prompt", "control"]

DRAWN_KINDS = frozenset(("canny", "lineart", "scribble", "softedge"))
"""Kinds whose map is a drawing: bright lines on black."""

MAP_KINDS = (*sorted(DRAWN_KINDS), "depth", "openpose", "tile", "inpaint")
"""Kinds whose map is made from a picture where no map is given."""

PICTURE_KINDS = frozenset(("reference",))
"""Kinds whose image is a picture of its own, of any size, and no map."""

KIND_ALIASES: Mapping[str, str] = {"pose": "openpose", "edges": "canny", "edge": "canny", "soft-edge": "softedge"}
"""Other names of kinds, which are accepted."""


def _kind(given: Any) -> Any:
    return KIND_ALIASES.get(given.strip().lower(), given) if isinstance(given, str) else given


class ControlSettings(Value):
    """The settings of a control, beside its image.

    Attributes:
        kind: What the map shows: "canny", "lineart", "scribble", "softedge", "depth", "openpose", "tile", "inpaint";
            "reference" and others for engines that know them.
        preprocess: Whether the map is made from the image; left out, the image is the map. It is always made where
            there is no image.
        inside: Whether the map may show what the mask covers. Left out: where the map is made from the edited picture,
            only for intents that keep the object (recolor, refine, custom); a given image is always shown whole.
        weight: How strongly it guides.
        start, end: The part of the steps in which it guides, as fractions.
        mode: Which counts more, the control or the prompt, where both are followed; "balanced" favours neither.
        model: The network that reads the map; None: the one here that reads this kind and fits the checkpoint.
        options: Settings of how a map of this kind is made, and further ones that the engine knows.
    """

    kind: Annotated[Name, BeforeValidator(_kind)]
    preprocess: bool | None = None
    inside: bool | None = None
    weight: Annotated[float, Field(ge=0, le=4)] = 1.0
    start: Fraction = 0.0
    end: Fraction = 1.0
    mode: ControlMode = "balanced"
    model: Name | None = None
    options: Annotated[Mapping[str, JsonValue], AfterValidator(lambda table: option_table(table) or {})] = {}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start > self.end:
            raise RequestError(f"the control {self.kind!r} ends at {self.end}, before it starts at {self.start}")
        return self

    def _check_image(self, *, given: bool) -> None:
        """Raise RequestError where a map of this kind can't be made so."""
        if not given and self.kind not in MAP_KINDS:
            raise RequestError(
                f"the control {self.kind!r} needs an image: maps are made here of the kinds {', '.join(MAP_KINDS)}"
                f"{did_you_mean(self.kind, MAP_KINDS)}"
            )
        if self.preprocess and self.kind not in MAP_KINDS:
            raise RequestError(f"no map of the kind {self.kind!r} can be made from a picture: leave out preprocess")
        if not given and self.preprocess is False:
            raise RequestError(
                f"the control {self.kind!r} has no image, and its map is not to be made: give one of them"
            )


class Control(ControlSettings):
    """One control: a map that guides, or the picture to make it from, and how strongly it guides.

    Attributes:
        image: A map or picture of the edited picture's proportions, 1, 3 or 4 channels of 8 bits. None: the map is made
            from the picture that is edited, at the working size of each region.
    """

    image: Annotated[Blob | None, eight_bit(1, 3, 4)] = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self._check_image(given=self.image is not None)
        return self

    @property
    def shows_itself(self) -> bool:
        """Whether the image is a picture of its own, of any size."""
        return self.kind in PICTURE_KINDS

    @property
    def made(self) -> bool:
        """Whether the map is made here, from the picture or from the image."""
        return self.image is None or bool(self.preprocess)

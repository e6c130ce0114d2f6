"""The mask of a request: parts that are joined in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from overpaint.errors import RequestError
from overpaint.values import Listed, Value

from ._blob import Blob, eight_bit
from ._options import option_table
from ._types import Name, Sigma

_FAR = 1 << 24  # no picture is so large, and float32 still counts pixels up to here
_POINTS = 100_000
_HINTS = 1000
MOST_TEXT = 1000  # characters that say what is meant

Coordinate = Annotated[float, Field(ge=-_FAR, le=_FAR)]
Pixel = Annotated[int, Field(ge=-_FAR, le=_FAR)]
Point = Listed[tuple[Coordinate, Coordinate]]


def _with_area(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise RequestError(
            f"the box {left},{top},{right},{bottom} has no area: it is left,top,right,bottom, "
            "with right beyond left and bottom below top"
        )
    return box


BoxValues = Annotated[Listed[tuple[Pixel, Pixel, Pixel, Pixel]], AfterValidator(_with_area)]


class _Part(Value):
    op: Annotated[Literal["add", "subtract", "intersect"], Field(description="how it joins the parts before it")] = (
        "add"
    )
    feather: Annotated[
        float,
        Field(ge=0, le=4096, description="sigma in px of a Gaussian that softens this part on both sides of its edge"),
    ] = 0.0


class BoxPart(_Part):
    """A rectangle of whole pixels, right and bottom exclusive."""

    kind: Literal["box"] = "box"
    box: Annotated[BoxValues, Field(description="left, top, right, bottom in px")]


class EllipsePart(_Part):
    """The ellipse that a box encloses."""

    kind: Literal["ellipse"] = "ellipse"
    box: Annotated[BoxValues, Field(description="left, top, right, bottom in px of the box around it")]


class PolygonPart(_Part):
    """The inside of a closed line of straight pieces."""

    kind: Literal["polygon"] = "polygon"
    points: Annotated[
        Listed[tuple[Point, ...]], Field(min_length=3, max_length=_POINTS, description="its corners, [x, y] in px")
    ]


class StrokesPart(_Part):
    """The area of a round brush along lines of straight pieces."""

    kind: Literal["strokes"] = "strokes"
    strokes: Annotated[
        Listed[tuple[Annotated[tuple[Point, ...], Field(min_length=1, max_length=_POINTS)], ...]],
        Field(min_length=1, max_length=_POINTS, description="lines of points, [x, y] in px"),
    ]
    width: Annotated[float, Field(gt=0, le=_FAR, description="diameter of the brush in px")]


class RasterPart(_Part):
    """A drawn or loaded mask of the picture's size: 255 = repaint."""

    kind: Literal["raster"] = "raster"
    raster: Annotated[Blob, eight_bit(1), Field(description="an 8-bit raster with one channel")]
    levels: Annotated[
        Literal["values"] | None,
        Field(description='"values": small levels are faint values; left out, few of them are labels'),
    ] = None


class SelectHints(Value):
    """What a selector is given: lengths are in pixels of the picture as it is shown."""

    points: Annotated[
        Listed[tuple[Point, ...]], Field(max_length=_HINTS, description="[x, y] in px, each on what is meant")
    ] = ()
    not_points: Annotated[
        Listed[tuple[Point, ...]], Field(max_length=_HINTS, description="[x, y] in px, each on what is not meant")
    ] = ()
    boxes: Annotated[
        Listed[tuple[BoxValues, ...]],
        Field(max_length=_HINTS, description="left, top, right, bottom in px around each thing that is meant"),
    ] = ()
    text: Annotated[
        str | None, Field(min_length=1, max_length=MOST_TEXT, description="what is meant, in words: the red car")
    ] = None
    options: Annotated[
        Mapping[str, JsonValue] | None,
        AfterValidator(option_table),
        Field(description="the selector's own options, by name"),
    ] = None


class SelectPart(SelectHints, _Part):
    """What a selector finds in the picture: the union of its selections, or one of them."""

    kind: Literal["select"] = "select"
    selector: Annotated[Name, Field(description="the name of what finds it: sam, grabcut, colour, faces ...")]
    pick: Annotated[
        int | None, Field(ge=0, le=1 << 16, description="one selection alone, by its number from 0; left out, all")
    ] = None


class AlphaPart(_Part):
    """The picture's own transparency: transparent = repaint."""

    kind: Literal["alpha"] = "alpha"


class FullPart(_Part):
    """The whole picture."""

    kind: Literal["full"] = "full"


Part = Annotated[
    BoxPart | EllipsePart | PolygonPart | StrokesPart | RasterPart | SelectPart | AlphaPart | FullPart,
    Field(discriminator="kind"),
]


class MaskSpec(Value):
    """The mask of a request: parts joined in their order, then inverted if `invert` is set.

    MaskSpec(parts=[BoxPart(box=(10, 10, 90, 60)), EllipsePart(op="subtract", box=(30, 20, 50, 40))])
    """

    parts: Annotated[
        Listed[tuple[Part, ...]],
        Field(min_length=1, max_length=10_000, description="shapes, rasters and selections, joined in their order"),
    ]
    invert: Annotated[bool, Field(description="repaint everything that the parts do not cover")] = False
    blurred: Annotated[
        Listed[tuple[Sigma, Sigma]] | None,
        Field(description="sigmas in px, across and down, of a blur that the rasters have already; infotext names it"),
    ] = None

    @model_validator(mode="after")
    def _starts_with_add(self) -> Self:
        first = self.parts[0]
        if first.op != "add":
            raise RequestError(
                f'the first part can\'t {first.op}: there is nothing before it; begin with {{"kind": "full"}}'
            )
        return self

    @property
    def of_pixels(self) -> bool:
        """Whether it depends on the picture's pixels, and not on its size alone."""
        return any(part.kind in ("alpha", "select") for part in self.parts)

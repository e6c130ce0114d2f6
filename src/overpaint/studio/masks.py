"""From the mask of a request to a Mask, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Size
from overpaint.mask import Mask, are_values, of_raster, of_values, without_noise, wrong_size
from overpaint.picture import Picture
from overpaint.request import (
    AlphaPart,
    BoxPart,
    EditRequest,
    EllipsePart,
    FullPart,
    MaskSpec,
    Part,
    PolygonPart,
    RasterPart,
    SelectPart,
    StrokesPart,
    UsedModel,
    blob_array,
    blob_of,
)
from overpaint.select import hints_of, options_of, selected, selector_card, used_networks

from .drawing import check_drawing

_JOINS = {"add": Mask.union, "subtract": Mask.subtract, "intersect": Mask.intersect}


def mask_of(
    spec: MaskSpec, size: Size, *, inputs: Mapping[str, NDArray[Any]] | None = None, picture: Picture | None = None
) -> Mask:
    """The mask that `spec` describes, for a picture of `size`; arguments and errors as of `drawn_mask`.

    Raises:
        MaskError: It is empty.
    """
    mask = drawn_mask(spec, size, inputs=inputs, picture=picture)
    if mask.bounds.empty:
        raise MaskError(f"the mask is empty: {_why_empty(spec, size)}")
    return mask


def drawn_mask(
    spec: MaskSpec, size: Size, *, inputs: Mapping[str, NDArray[Any]] | None = None, picture: Picture | None = None
) -> Mask:
    """The mask that `spec` describes, which may be empty.

    Args:
        spec: Parts, joined in their order.
        size: Of the picture.
        inputs: Rasters by SHA-256, for parts whose raster is not inline.
        picture: Whose alpha an "alpha" part takes, and in which a "select" part selects.

    Raises:
        MaskError: A raster has another size, or the shapes are too much work.
        RequestError: A raster is missing, or has another digest; a selector is not there, or refuses a hint.
    """
    check_drawing(spec, size)
    mask = Mask.empty(size)
    for part in spec.parts:
        drawn = _shape(part, size, inputs, picture).with_notes(_beyond(part, size))
        mask = _JOINS[part.op](mask, without_noise(drawn.feather(part.feather)) if part.feather > 0 else drawn)
    return mask.invert() if spec.invert else mask


def settled(request: EditRequest) -> tuple[EditRequest, tuple[UsedModel, ...]]:
    """The request with every network of its selectors named, and these networks.

    So that a replay selects with the same one, whatever other networks are there then.

    Raises:
        RequestError: There is no such selector, or an option does not suit it.
        ModelError: A network is not here, or may not be used.
    """
    if not any(isinstance(part, SelectPart) for spec in request.masks for part in spec.parts):
        return request, ()
    used: list[UsedModel] = []
    named: dict[str, Any] = {
        field: _settled_spec(spec, used) for field in ("mask", "avoid") if (spec := getattr(request, field)) is not None
    }
    if request.regional_prompts:
        named["regional_prompts"] = tuple(
            one.model_copy(update={"mask": _settled_spec(one.mask, used)}) for one in request.regional_prompts
        )
    return request.merged(**named), tuple(dict.fromkeys(used))


def _settled_spec(spec: MaskSpec, used: list[UsedModel]) -> MaskSpec:
    """The mask with every network of its selectors named; these are added to `used`."""
    parts: list[Part] = []
    for part in spec.parts:
        if isinstance(part, SelectPart):
            hints = hints_of(part)
            options_of(selector_card(part.selector), hints.options)
            found = used_networks(part.selector, hints)
            used += found
            parts.append(_with_networks(part, found))
        else:
            parts.append(part)
    return spec.model_copy(update={"parts": tuple(parts)})


NETWORK_OPTIONS = ("model", "masks")
"""Options of selectors that name a network, in the order in which a selector names those that it uses."""


def _with_networks(part: SelectPart, used: tuple[UsedModel, ...]) -> SelectPart:
    """The part with every network named, and where none is used that said: by the card's `without`."""
    card, given = selector_card(part.selector), dict(part.options or {})
    names = [name for name in NETWORK_OPTIONS if name in card.options.model_fields]
    left_open = {name for name in (*names, *card.without) if given.get(name) in (None, "", "auto")}
    found = dict(zip(names, (one.name for one in used), strict=False))
    none = {name: value for name, value in card.without.items() if name not in found and (name in names or not used)}
    named = {name: value for name, value in {**none, **found}.items() if name in left_open}
    return part.model_copy(update={"options": {**given, **named}}) if named else part


def spec_of(mask: Mask) -> tuple[MaskSpec, dict[str, NDArray[Any]]]:
    """The mask of a request for a Mask, and the rasters that must be given beside the request.

    Values are kept in 8 bits, rounded half up, so that the core is the same. The second value has the raster by its
    SHA-256 where it is too large to be inline, and is empty otherwise. Levels that would be read as labels or as video
    range are marked as values.
    """
    raster = mask.to_bytes8()
    blob = blob_of(raster)
    part = RasterPart(raster=blob, levels=None if mask.bilevel or are_values(raster) else "values")
    return MaskSpec(parts=(part,)), ({} if blob.data is not None else {blob.sha256: raster})


def _shape(part: Part, size: Size, inputs: Mapping[str, NDArray[Any]] | None, picture: Picture | None) -> Mask:
    match part:
        case BoxPart():
            return Mask.box(size, part.box)
        case EllipsePart():
            return Mask.ellipse(size, part.box)
        case PolygonPart():
            return Mask.polygon(size, part.points)
        case StrokesPart():
            return Mask.strokes(size, part.strokes, part.width)
        case RasterPart():
            if part.raster.size != size:  # before a pixel is decoded
                raise wrong_size(part.raster.size, size)
            raster = blob_array(part.raster, inputs, what="mask", field="mask")
            return of_raster(raster) if part.levels is None else of_values(raster)
        case SelectPart():
            if picture is None:
                raise MaskError(
                    "the mask is to be selected in the picture, and there is none",
                    code="mask-no-picture",
                    field="mask",
                    value=part.selector,
                )
            return selected(picture, part.selector, hints_of(part), part.pick)
        case AlphaPart():
            if picture is None or picture.alpha is None:
                raise MaskError(
                    "the mask is to be the picture's transparency, but the picture has no alpha",
                    code="mask-no-alpha",
                    field="mask",
                    value="alpha",
                )
            return Mask.from_alpha(picture)
        case FullPart():
            return Mask.full(size)


def _beyond(part: Part, size: Size) -> tuple[str, ...]:
    """A note where a corner or point of a shape lies beyond the picture, which is often a mistake; else none."""
    points: list[tuple[float, float]] = []
    match part:
        case BoxPart() | EllipsePart():
            points += [part.box[:2], part.box[2:]]
        case PolygonPart():
            points += part.points
        case StrokesPart():
            points += [point for stroke in part.strokes for point in stroke]
    if all(0 <= x <= size.width and 0 <= y <= size.height for x, y in points):
        return ()
    across, down = zip(*points, strict=True)
    corners = ",".join(f"{edge:.10g}" for edge in (min(across), min(down), max(across), max(down)))
    name = part.kind.removesuffix("s")
    return (f"the {name} {corners} extends beyond the picture of {size}, and its part within it was taken",)


def _why_empty(spec: MaskSpec, size: Size) -> str:
    """The likely reason. (A shape outside the picture is refused when it is drawn.)"""
    if spec.invert:
        return f"its parts cover the whole {size} picture, and it is inverted"
    if len(spec.parts) == 1:
        return "no pixel is marked: white marks one in a mask file, transparency in a picture's alpha"
    return "its parts leave nothing of one another"
